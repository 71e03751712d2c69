import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { expect } from "vitest";
import { attemptId } from "../../src/ids.ts";
import { toCurrencyCode, type Money } from "../../src/money/money.ts";
import type { InquiryOutcome } from "../../src/psp/port-outcomes.ts";
import type { ChargeRequest, Psp } from "../../src/psp/port.ts";
import type { Bench, PspProfile } from "./bench.ts";
import type { Received } from "./receiver.ts";

export const price: Money = { amount_minor: 2_999n, currency: toCurrencyCode("USD") };
export const someText: unknown = expect.stringMatching(/./);
/** Ids that a PSP gave, at least that of the payment, each under what it is of. */
export const someReferences: unknown = expect.arrayContaining([{ type: someText, reference: someText }]);
export const paid = {
  kind: "succeeded",
  psp_reference: someText,
  charged: price,
  references: someReferences,
};

/** The PSP under test, once it runs, and what the tests do with it. */
export class Subject {
  readonly profile: PspProfile;
  readonly #start: () => Promise<Bench>;
  #running: { readonly bench: Bench; readonly psp: Psp } | undefined;

  constructor(start: () => Promise<Bench>, profile: PspProfile) {
    this.#start = start;
    this.profile = profile;
  }

  async start(): Promise<void> {
    const bench = await this.#start();
    this.#running = { bench, psp: bench.open() };
  }

  async stop(): Promise<void> {
    await this.#running?.bench.stop();
  }

  get bench(): Bench {
    if (this.#running === undefined) throw new Error("the PSP does not run");
    return this.#running.bench;
  }

  get psp(): Psp {
    if (this.#running === undefined) throw new Error("the PSP does not run");
    return this.#running.psp;
  }

  /** A charge of its own, by a test card. */
  request(card: string, changes: Partial<ChargeRequest> = {}): ChargeRequest {
    const id = `att_${randomUUID()}`;
    return {
      attempt_id: attemptId(id),
      psp_key: id,
      checkout_id: `checkout-${id}`,
      payment_order_id: `order-${id}`,
      money: price,
      card_token: this.profile.card(card),
      capture_method: "automatic",
      return_url: null,
      ...changes,
    };
  }

  async chargeCount({ payment_order_id }: ChargeRequest): Promise<number> {
    return (await this.bench.chargesOf(payment_order_id ?? "")).length;
  }

  /** An inquiry with nothing but the attempt, or also with the PSP's reference. */
  inquire(
    { attempt_id, psp_key, money }: ChargeRequest,
    psp_reference: string | null = null,
    by = this.psp,
  ): Promise<InquiryOutcome> {
    return by.inquire({ attempt_id, psp_key, money, psp_reference, page_token: null });
  }

  /** The genuine webhooks about an attempt; waits for the first. */
  async webhooksOf({ attempt_id }: ChargeRequest): Promise<readonly [Received, ...Received[]]> {
    for (let tries = 0; tries < 250; tries += 1) {
      const [first, ...others] = this.bench.webhooks.filter(
        ({ body, headers }) => this.psp.verifyWebhook(body, headers)?.attempt_id === attempt_id,
      );
      if (first !== undefined) return [first, ...others];
      await sleep(20);
    }
    throw new Error("no webhook came within five seconds");
  }
}
