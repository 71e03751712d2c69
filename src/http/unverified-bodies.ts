import type { Readable } from "node:stream";
import { AppError } from "../errors.ts";
import { webhookBodiesCutOff } from "../metrics.ts";

type Limits = {
  readonly body_bytes_max: number;
  readonly address_bytes_max: number;
  readonly total_bytes_max: number;
};

type ArrivingBody = { readonly address: string; bytes: number; readonly cutOff: (error: AppError) => void };

type Sender = { bytes: number; readonly bodies: Set<ArrivingBody> };

/**
 * What a chunk takes in addition to its bytes: in chunks of one byte a body takes hundreds of times its size.
 */
const chunk_overhead_bytes = 768;

/**
 * Limits the memory of bodies that are still arriving and whose signature nobody could check yet. Only what
 * has arrived counts: announcing a body is free, so it must not take room from others. If there is no room,
 * the oldest body is cut off and not the newest refused: a PSP's body arrives at once, so it gets through
 * while others are held open.
 */
export class UnverifiedBodies {
  readonly #limits: Limits;
  /** Sets keep the order of insertion, so the oldest comes first. */
  readonly #bodies = new Set<ArrivingBody>();
  readonly #senders = new Map<string, Sender>();
  #bytes = 0;

  constructor(limits: Limits) {
    this.#limits = limits;
  }

  /** The memory that the arriving bodies take. */
  get bytes(): number {
    return this.#bytes;
  }

  /** The whole body. Errors: `payload_too_large`; `concurrency_limited` if it was cut off. */
  read(payload: Readable, address: string, announced_bytes: number): Promise<Buffer> {
    const { body_bytes_max } = this.#limits;
    if (announced_bytes > body_bytes_max) return Promise.reject(tooLarge());
    return new Promise((resolve, reject) => {
      const chunks: Buffer[] = [];
      let received = 0;
      const onData = (chunk: Buffer): void => {
        received += chunk.length;
        if (received > body_bytes_max) return finish(() => reject(tooLarge()));
        chunks.push(chunk);
        this.#add(body, chunk.length + chunk_overhead_bytes);
      };
      const onEnd = (): void => finish(() => resolve(Buffer.concat(chunks, received)));
      const onError = (error: Error): void => finish(() => reject(interrupted(error)));
      const finish = (settle: () => void): void => {
        payload.off("data", onData).off("end", onEnd).off("error", onError);
        this.#remove(body);
        settle();
      };
      const body: ArrivingBody = { address, bytes: 0, cutOff: (error) => finish(() => reject(error)) };
      payload.on("data", onData).on("end", onEnd).on("error", onError);
    });
  }

  #add(body: ArrivingBody, bytes: number): void {
    const sender = this.#senders.get(body.address) ?? { bytes: 0, bodies: new Set() };
    this.#senders.set(body.address, sender);
    sender.bodies.add(body);
    this.#bodies.add(body);
    body.bytes += bytes;
    sender.bytes += bytes;
    this.#bytes += bytes;
    if (sender.bytes > this.#limits.address_bytes_max) cutOffOldest(sender.bodies);
    while (this.#bytes > this.#limits.total_bytes_max) cutOffOldest(this.#bodies);
  }

  #remove(body: ArrivingBody): void {
    const sender = this.#senders.get(body.address);
    if (sender === undefined || !this.#bodies.delete(body)) return;
    this.#bytes -= body.bytes;
    sender.bytes -= body.bytes;
    sender.bodies.delete(body);
    if (sender.bodies.size === 0) this.#senders.delete(body.address);
  }
}

function cutOffOldest(bodies: ReadonlySet<ArrivingBody>): void {
  const [oldest] = bodies;
  webhookBodiesCutOff.inc();
  oldest?.cutOff(
    new AppError(
      "concurrency_limited",
      "Too many bodies are arriving, and this one took longest; send it again.",
      { retry_after_seconds: 1 },
    ),
  );
}

const tooLarge = (): AppError =>
  new AppError("payload_too_large", "The body is larger than 1 MiB.", { param: "body" });

/** The sender hung up: its request is answered to nobody, and is no bug. */
const interrupted = (cause: Error): AppError =>
  new AppError("invalid_request", "The body broke off.", { param: "body", cause });
