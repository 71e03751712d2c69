import { AssertionError } from "node:assert";
import { isInsideTransaction } from "../db/db.ts";
import { monotonicMilliseconds } from "../clock.ts";
import { pspCallSeconds } from "../metrics.ts";
import { Breaker, type BreakerOptions } from "./breaker.ts";
import type { ChargeRequest, Inquiry, InquiryOutcome, Psp, PspOutcome } from "./port.ts";

/** Chooses the PSP of a new attempt and calls PSPs, each behind its own circuit breaker. */
export class PspRouter {
  readonly #psps = new Map<string, { psp: Psp; breaker: Breaker }>();
  readonly #default: string;

  constructor(psps: readonly [Psp, ...Psp[]], options: BreakerOptions) {
    this.#default = psps[0].name;
    for (const psp of psps) this.#psps.set(psp.name, { psp, breaker: new Breaker(psp.name, options) });
  }

  /** The PSP for a new attempt. */
  choose(): string {
    return this.#default;
  }

  /**
   * How many new calls make sense now. None while every PSP's breaker is open: work that waits then
   * keeps its state and uses up no attempt.
   */
  callsAllowed(): number {
    return Math.max(...[...this.#psps.values()].map(({ breaker }) => breaker.callsAllowed()));
  }

  get(name: string): Psp {
    return this.#route(name).psp;
  }

  has(name: string): boolean {
    return this.#psps.has(name);
  }

  /** The outcome of a charge; while the PSP's breaker is open, `not_sent` without a call. */
  async charge(pspName: string, request: ChargeRequest): Promise<PspOutcome> {
    const { psp, breaker } = this.#route(pspName);
    assertOutsideTransaction();
    return breaker.run(() => timed(psp.name, () => psp.charge(request)), (retry_after_seconds) => ({
      kind: "not_sent",
      failure: { class: "unreachable", code: "psp_unavailable", message: "Calls to the PSP are held back after repeated failures.", retry_after_seconds },
    }));
  }

  async inquire(pspName: string, inquiry: Inquiry): Promise<InquiryOutcome> {
    const { psp, breaker } = this.#route(pspName);
    assertOutsideTransaction();
    return breaker.run(() => timed(psp.name, () => psp.inquire(inquiry)), (retry_after_seconds) => ({
      kind: "unknown", reason: "Calls to the PSP are held back after repeated failures.", retry_after_seconds,
    }));
  }

  #route(name: string): { psp: Psp; breaker: Breaker } {
    const route = this.#psps.get(name);
    if (route === undefined) throw new AssertionError({ message: `no PSP named ${name} is configured` });
    return route;
  }
}

/** A PSP call inside a transaction would hold its locks for as long as the PSP likes. */
function assertOutsideTransaction(): void {
  if (isInsideTransaction()) throw new AssertionError({ message: "a PSP may not be called inside a database transaction" });
}

async function timed<Outcome extends { kind: string }>(psp: string, call: () => Promise<Outcome>): Promise<Outcome> {
  const start = monotonicMilliseconds();
  const outcome = await call();
  pspCallSeconds.observe({ psp, outcome: outcome.kind }, (monotonicMilliseconds() - start) / 1_000);
  return outcome;
}
