import type { Readable } from "node:stream";
import { AppError } from "../errors.ts";

type Limits = {
  readonly body_bytes_max: number;
  readonly sender_bytes_max: number;
  readonly total_bytes_max: number;
};

type ArrivingBody = { readonly sender: string; bytes: number; readonly cutOff: (error: AppError) => void };

type Sender = { bytes: number; readonly bodies: Set<ArrivingBody> };

/** What a chunk leaves behind beside its bytes until the garbage is collected. */
const chunk_overhead_bytes = 768;

/**
 * Limits the memory of bodies that are still arriving, of each sender and in all. Only what has arrived
 * counts: announcing a body is free, so it must not take room from others. If there is no room, the oldest
 * body is cut off and not the newest refused: a body that arrives at once gets through while others are held
 * open.
 */
export class ArrivingBodies {
  readonly #limits: Limits;
  readonly #onCutOff: () => void;
  /** Sets keep the order of insertion, so the oldest comes first. */
  readonly #bodies = new Set<ArrivingBody>();
  readonly #senders = new Map<string, Sender>();
  #bytes = 0;

  constructor(limits: Limits, onCutOff: () => void = () => undefined) {
    this.#limits = limits;
    this.#onCutOff = onCutOff;
  }

  /** The memory that the arriving bodies take. */
  get bytes(): number {
    return this.#bytes;
  }

  /**
   * The whole body; `announced_bytes` is NaN if its length was not announced. Errors: `payload_too_large`;
   * `concurrency_limited` if it was cut off.
   */
  read(payload: Readable, sender: string, announced_bytes: number): Promise<Buffer> {
    const { body_bytes_max } = this.#limits;
    if (announced_bytes > body_bytes_max) return Promise.reject(tooLarge());
    return new Promise((resolve, reject) => {
      const gathered = new GatheredBytes(Number.isNaN(announced_bytes) ? body_bytes_max : announced_bytes);
      const onData = (chunk: Buffer): void => {
        if (gathered.length + chunk.length > body_bytes_max) return finish(() => reject(tooLarge()));
        const before = gathered.capacity;
        gathered.add(chunk);
        // What came whole, as usual, arrives no more and need not be counted.
        if (body.bytes === 0 && gathered.length === announced_bytes) return;
        this.#add(body, gathered.capacity - before + chunk_overhead_bytes);
      };
      const onEnd = (): void => finish(() => resolve(gathered.whole()));
      const onError = (error: Error): void => finish(() => reject(interrupted(error)));
      const finish = (settle: () => void): void => {
        payload.off("data", onData).off("end", onEnd).off("error", onError);
        this.#remove(body);
        settle();
      };
      const body: ArrivingBody = { sender, bytes: 0, cutOff: (error) => finish(() => reject(error)) };
      payload.on("data", onData).on("end", onEnd).on("error", onError);
    });
  }

  #add(body: ArrivingBody, bytes: number): void {
    const sender = this.#senders.get(body.sender) ?? { bytes: 0, bodies: new Set() };
    this.#senders.set(body.sender, sender);
    sender.bodies.add(body);
    this.#bodies.add(body);
    body.bytes += bytes;
    sender.bytes += bytes;
    this.#bytes += bytes;
    if (sender.bytes > this.#limits.sender_bytes_max) this.#cutOffOldest(sender.bodies);
    while (this.#bytes > this.#limits.total_bytes_max) this.#cutOffOldest(this.#bodies);
  }

  #remove(body: ArrivingBody): void {
    const sender = this.#senders.get(body.sender);
    if (sender === undefined || !this.#bodies.delete(body)) return;
    this.#bytes -= body.bytes;
    sender.bytes -= body.bytes;
    sender.bodies.delete(body);
    if (sender.bodies.size === 0) this.#senders.delete(body.sender);
  }

  #cutOffOldest(bodies: ReadonlySet<ArrivingBody>): void {
    const [oldest] = bodies;
    this.#onCutOff();
    oldest?.cutOff(
      new AppError(
        "concurrency_limited",
        "Too many bodies are arriving, and this one took longest; send it again.",
        { retry_after_seconds: 1 },
      ),
    );
  }
}

const capacity_min = 4_096;

/**
 * A single chunk stays as it came. More are copied into a buffer that grows with them, because as an object
 * of its own a chunk of one byte takes hundreds.
 */
class GatheredBytes {
  readonly #length_max: number;
  #buffer: Buffer = Buffer.alloc(0);
  #length = 0;

  constructor(length_max: number) {
    this.#length_max = length_max;
  }

  get length(): number {
    return this.#length;
  }

  get capacity(): number {
    return this.#buffer.length;
  }

  add(chunk: Buffer): void {
    const length = this.#length + chunk.length;
    if (this.#length === 0) this.#buffer = chunk;
    else {
      if (length > this.#buffer.length) this.#grow(length);
      chunk.copy(this.#buffer, this.#length);
    }
    this.#length = length;
  }

  whole(): Buffer {
    return this.#buffer.subarray(0, this.#length);
  }

  /** Doubling copies each byte twice at most. */
  #grow(needed: number): void {
    const doubled = Math.max(capacity_min, 2 * needed);
    const grown = Buffer.allocUnsafeSlow(Math.max(needed, Math.min(doubled, this.#length_max)));
    this.#buffer.copy(grown, 0, 0, this.#length);
    this.#buffer = grown;
  }
}

const tooLarge = (): AppError =>
  new AppError("payload_too_large", "The body is larger than 1 MiB.", { param: "body" });

/** The sender hung up: its request is answered to nobody, and is no bug. */
const interrupted = (cause: Error): AppError =>
  new AppError("invalid_request", "The body broke off.", { param: "body", cause });
