import { monotonicMilliseconds } from "../clock.ts";
import type { ApiKeyRow } from "./api-key-queries.ts";
import { LruMap } from "./lru-map.ts";

/** How long an answer is trusted without asking again; a revoked key stops working after this. */
const cached_ms = 5_000;
/** Keyed by a token's hash, never by what a client sent: some 300 bytes each, 6 MB in all. */
const entries_max = 10_000;

/** An active key, as far as is known; after `trusted_until` it must be looked up again. */
export type KnownKey = ApiKeyRow & { readonly trusted_until: number };

/**
 * Remembers API keys by their hash. Active keys and refused ones are kept apart, so that guesses cannot
 * push out the keys that are in use.
 */
export class KeyLookup {
  readonly #ask: (hash: Buffer) => Promise<ApiKeyRow | undefined>;
  readonly #active = new LruMap<string, KnownKey>(entries_max);
  readonly #refused = new LruMap<string, number>(entries_max);
  /** Look-ups in flight: when an entry expires, hundreds of requests share one query. */
  readonly #asked = new Map<string, Promise<KnownKey | undefined>>();

  constructor(ask: (hash: Buffer) => Promise<ApiKeyRow | undefined>) {
    this.#ask = ask;
  }

  get size(): number {
    return this.#active.size + this.#refused.size + this.#asked.size;
  }

  /** The row of an active key. `onUnknown` runs first if the key is not remembered as active. */
  async find(hash: Buffer, onUnknown: () => void): Promise<KnownKey | undefined> {
    const key = hash.toString("base64");
    const known = this.#active.get(key);
    if (known !== undefined && known.trusted_until > monotonicMilliseconds()) return known;
    const asked = this.#asked.get(key);
    if (asked !== undefined) return asked;
    if (known === undefined) {
      onUnknown();
      if ((this.#refused.get(key) ?? 0) > monotonicMilliseconds()) return undefined;
    }
    const answer = this.#askAndRemember(key, hash);
    this.#asked.set(key, answer);
    return answer;
  }

  async #askAndRemember(key: string, hash: Buffer): Promise<KnownKey | undefined> {
    try {
      const row = await this.#ask(hash);
      const trusted_until = monotonicMilliseconds() + cached_ms;
      if (row === undefined) {
        this.#active.delete(key);
        this.#refused.set(key, trusted_until);
        return undefined;
      }
      const known = { ...row, trusted_until };
      this.#refused.delete(key);
      this.#active.set(key, known);
      return known;
    } finally {
      this.#asked.delete(key);
    }
  }
}
