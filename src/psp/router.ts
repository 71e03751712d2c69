import { AssertionError } from "node:assert";
import { isInsideTransaction } from "../db/db.ts";
import { monotonicMilliseconds } from "../clock.ts";
import { pspCallSeconds } from "../metrics.ts";
import type { Money } from "../money/money.ts";
import { Breaker, type BreakerOptions } from "./breaker.ts";
import { Bulkhead } from "./bulkhead.ts";
import type { Failure, InquiryOutcome, OperationAnswer, PageOutcome, PspOutcome } from "./port-outcomes.ts";
import type { ChargeRequest, Inquiry, OperationRequest, PageRequest, Psp, PspPages } from "./port.ts";
import { preferredPsps, type RoutingFacts, type RoutingRule } from "./routing-rules.ts";

export type RouterOptions = BreakerOptions & {
  /** Default: every order goes to the first PSP. */
  readonly rules?: readonly RoutingRule[];
  /** By name of the PSP; one that is not named has no limit. */
  readonly calls_at_once_max?: ReadonlyMap<string, number>;
};

/** How soon a place at a PSP may be free again. */
const busy_wait_seconds = 1;

type Route = { readonly psp: Psp; readonly breaker: Breaker; readonly bulkhead: Bulkhead };
/** Why there was no call. */
type Refusal = Failure & { readonly retry_after_seconds: number };

/** Chooses the PSP of a new attempt and calls PSPs, each behind its own circuit breaker and bulkhead. */
export class PspRouter {
  readonly #routes = new Map<string, Route>();
  readonly #rules: readonly RoutingRule[];
  readonly #default: string;
  /** PSPs that can be chosen for new attempts; others only finish their old ones. */
  readonly #choices: ReadonlySet<string>;

  /** Throws if a rule names a PSP that is not configured. */
  constructor(psps: readonly [Psp, ...Psp[]], options: RouterOptions) {
    this.#default = psps[0].name;
    this.#rules = options.rules ?? [];
    for (const psp of psps) {
      const callsMax = options.calls_at_once_max?.get(psp.name) ?? Number.POSITIVE_INFINITY;
      this.#routes.set(psp.name, {
        psp,
        breaker: new Breaker(psp.name, options),
        bulkhead: new Bulkhead(callsMax),
      });
    }
    this.#choices = new Set([this.#default, ...this.#rules.flatMap((rule) => rule.to.map(({ psp }) => psp))]);
    for (const name of this.#choices) this.#route(name);
  }

  /**
   * The PSP for a new attempt of an order: the first in the order of the rules whose breaker is not open and
   * where no earlier attempt was `tried`; else one where it was; else, with every breaker open, the rules'
   * first. `tried`: PSPs where an earlier attempt of this order certainly did nothing. No other fail-over is
   * safe.
   */
  choose(facts: RoutingFacts, tried: readonly string[] = []): string {
    const allowed = this.#allowed(facts);
    const fitting = allowed.filter((name) => this.get(name).refusalOfAmount(facts.money) === null);
    return this.#chooseOf(fitting.length === 0 ? allowed : fitting, tried);
  }

  /**
   * As above among the PSPs that have hosted pages; undefined when none of those that the rules allow has.
   */
  chooseForPage(facts: RoutingFacts): string | undefined {
    const withPages = this.#withPages(facts);
    return withPages.length === 0 ? undefined : this.#chooseOf(withPages, []);
  }

  /** Whether a PSP that the rules allow for these facts has hosted pages. */
  offersPage(facts: RoutingFacts): boolean {
    return this.#withPages(facts).length > 0;
  }

  /**
   * Why none of the PSPs that the rules allow can take exactly these amounts, with each one's reason; null:
   * one can. `facts`: of the whole charge; `amounts`: the lines that a page would show, or only the charge.
   */
  refusalOfAmounts(
    facts: RoutingFacts,
    amounts: readonly Money[],
    options: { needs_page: boolean },
  ): string | null {
    const allowed = options.needs_page ? this.#withPages(facts) : this.#allowed(facts);
    const refusals = allowed.map((name) => {
      const { refusalOfAmount } = this.get(name);
      return amounts.map(refusalOfAmount).find((reason) => reason !== null) ?? null;
    });
    return refusals.includes(null) ? null : [...new Set(refusals)].join(" ");
  }

  #allowed(facts: RoutingFacts): readonly string[] {
    const preferred = preferredPsps(this.#rules, facts);
    return preferred.length === 0 ? [this.#default] : preferred;
  }

  #withPages(facts: RoutingFacts): readonly string[] {
    return this.#allowed(facts).filter((name) => this.get(name).pages !== null);
  }

  #chooseOf(allowed: readonly string[], tried: readonly string[]): string {
    const [first = this.#default] = allowed;
    if (allowed.length <= 1) return first;
    const tryReserve = (name: string): boolean => this.#route(name).breaker.tryReserve();
    return (
      allowed.find((name) => !tried.includes(name) && tryReserve(name)) ??
      allowed.find((name) => tried.includes(name) && tryReserve(name)) ??
      first
    );
  }

  /**
   * How many new calls make sense now. None while the breaker of every PSP that can be chosen is open: work
   * that waits then keeps its state and uses up no attempt.
   */
  callsAllowed(): number {
    return Math.max(...[...this.#choices].map((name) => this.callsAllowedFor(name)));
  }

  /** How many new calls to this PSP make sense now, as far as its breaker goes. */
  callsAllowedFor(pspName: string): number {
    return this.#route(pspName).breaker.callsAllowed();
  }

  /** How long calls to this PSP are held back; 0: one may start now. */
  secondsToWait(pspName: string): number {
    const { breaker, bulkhead } = this.#route(pspName);
    return Math.max(breaker.secondsToWait(), bulkhead.placesFree() < 1 ? busy_wait_seconds : 0);
  }

  /**
   * How many calls to this PSP may start now before the next one is refused as `psp_busy`. One that is not
   * configured holds nothing back: it is not called.
   */
  placesFreeFor(pspName: string): number {
    return this.#routes.get(pspName)?.bulkhead.placesFree() ?? Number.POSITIVE_INFINITY;
  }

  /** Whether an account of this name collects money outside a PSP's API. */
  isExternal(name: string): boolean {
    return this.has(name) && this.get(name).reports_within_seconds !== undefined;
  }

  /** The external accounts, with how long each may take to report. */
  externalAccounts(): ReadonlyMap<string, number> {
    return new Map(
      [...this.#routes.values()].flatMap(({ psp }) =>
        psp.reports_within_seconds === undefined ? [] : [[psp.name, psp.reports_within_seconds]],
      ),
    );
  }

  /** Throws if it is not configured: check names from the database with `has` first. */
  get(name: string): Psp {
    return this.#route(name).psp;
  }

  /** How long each PSP is certain to remember a key, by its name. */
  keySeconds(): Readonly<Record<string, number>> {
    return Object.fromEntries([...this.#routes].map(([name, { psp }]) => [name, psp.key_seconds]));
  }

  has(name: string): boolean {
    return this.#routes.has(name);
  }

  /**
   * The outcome of a charge; while the PSP's breaker is open or all its places are taken, `not_sent` without
   * a call.
   */
  charge(pspName: string, request: ChargeRequest): Promise<PspOutcome> {
    return this.#call(
      pspName,
      (psp): Promise<PspOutcome> => psp.charge(request),
      (failure) => ({ kind: "not_sent", failure }),
    );
  }

  /** The answer to an inquiry; without a call, as above, the outcome stays `unknown`. */
  inquire(pspName: string, inquiry: Inquiry): Promise<InquiryOutcome> {
    return this.#call(pspName, (psp): Promise<InquiryOutcome> => psp.inquire(inquiry), stillUnknown);
  }

  /** Registers a page at the PSP; without a call, as above, `not_sent`. Errors when the PSP has no pages. */
  async registerPage(pspName: string, request: PageRequest): Promise<PageOutcome> {
    const pages = pagesOf(this.get(pspName));
    return this.#call(
      pspName,
      (): Promise<PageOutcome> => pages.register(request),
      (failure) => ({ kind: "not_sent", failure }),
    );
  }

  /** Captures or voids; without a call, as above, `not_sent`. */
  operate(pspName: string, request: OperationRequest): Promise<OperationAnswer> {
    return this.#call(
      pspName,
      (psp): Promise<OperationAnswer> => psp.operate(request),
      (failure) => ({ kind: "not_sent", failure, no_call_made: true }),
    );
  }

  async #call<Outcome extends PspOutcome | InquiryOutcome | PageOutcome | OperationAnswer>(
    pspName: string,
    call: (psp: Psp) => Promise<Outcome>,
    whenRefused: (refusal: Refusal) => Outcome,
  ): Promise<Outcome> {
    const { psp, breaker, bulkhead } = this.#route(pspName);
    assertOutsideTransaction();
    const waitSeconds = breaker.secondsToWait();
    if (waitSeconds > 0) {
      return whenRefused(
        refusal("psp_unavailable", "Calls to the PSP are held back after repeated failures.", waitSeconds),
      );
    }
    if (bulkhead.placesFree() < 1)
      return whenRefused(
        refusal("psp_busy", "The limit of concurrent calls to the PSP is reached.", busy_wait_seconds),
      );
    return bulkhead.run(() => breaker.run(() => timed(psp.name, () => call(psp))));
  }

  #route(name: string): Route {
    const route = this.#routes.get(name);
    if (route === undefined) throw new AssertionError({ message: `no PSP named ${name} is configured` });
    return route;
  }
}

const refusal = (code: string, message: string, retry_after_seconds: number): Refusal => ({
  class: "unreachable",
  code,
  message,
  retry_after_seconds,
});

const stillUnknown = ({ message, retry_after_seconds }: Refusal): InquiryOutcome => ({
  kind: "unknown",
  reason: message,
  retry_after_seconds,
});

function pagesOf(psp: Psp): PspPages {
  if (psp.pages === null) throw new AssertionError({ message: `the PSP ${psp.name} has no hosted pages` });
  return psp.pages;
}

/** A PSP call inside a transaction would hold its locks for as long as the PSP likes. */
function assertOutsideTransaction(): void {
  if (isInsideTransaction())
    throw new AssertionError({ message: "a PSP may not be called inside a database transaction" });
}

async function timed<Outcome extends { kind: string }>(
  psp: string,
  call: () => Promise<Outcome>,
): Promise<Outcome> {
  const start = monotonicMilliseconds();
  const outcome = await call();
  pspCallSeconds.observe({ psp, outcome: outcome.kind }, (monotonicMilliseconds() - start) / 1_000);
  return outcome;
}
