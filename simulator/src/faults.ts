import { PROCESSING_ERROR, type Card, type Decline } from "./cards.ts";
import {
  FAULT_NAMES,
  MODIFICATION_FAULT_NAMES,
  PAGE_FAULT_NAMES,
  strikesFirst,
  type FaultName,
} from "./fault-names.ts";
import type { Metadata } from "./records.ts";

export interface WebhookFaults {
  /** Share (0 to 1) of deliveries that are lost for good. */
  drop_rate: number;
  /** Share (0 to 1) of deliveries that are sent twice. */
  duplicate_rate: number;
  delay_ms: number;
  /** Each delivery waits a random time, so that they arrive in any order. */
  reorder: boolean;
}

export interface PlannedFault {
  fault: FaultName;
  count: number;
}

export interface GlobalFaults {
  latency_ms: number;
  success_rate: number;
  /** For the next charges. */
  next: PlannedFault[];
  /** For the next captures and cancels. */
  next_modifications: PlannedFault[];
  webhooks: WebhookFaults;
}

/** Thrown when a fault strikes before the request begins to execute. */
export class FaultStrike extends Error {
  readonly fault: FaultName;

  constructor(fault: FaultName) {
    super(`fault ${fault}`);
    this.fault = fault;
  }
}

/** What a charge will do, decided before it is written. */
export interface ChargeDecision {
  outcome:
    | { kind: "paid" }
    | { kind: "authentication" }
    | { kind: "declined"; decline: Decline }
    | { kind: "crashed" };
  fault?: FaultName;
  /** Counted once in the same commit. */
  once_fault?: string;
}

const ALL_FAULT_NAMES: readonly FaultName[] = [...FAULT_NAMES, ...PAGE_FAULT_NAMES];
const PAGE_ONLY: ReadonlySet<FaultName> = new Set(PAGE_FAULT_NAMES);
const API_ONLY: ReadonlySet<FaultName> = new Set(["500_rolled_forward"]);
const NO_WEBHOOK_FAULTS: WebhookFaults = { drop_rate: 0, duplicate_rate: 0, delay_ms: 0, reorder: false };

/** The faults set for the whole process; they live in memory and are gone after a restart. */
export class Faults {
  readonly #defaults: { latency_ms: number; success_rate: number };
  current: GlobalFaults;

  constructor(defaults: { latency_ms: number; success_rate: number }) {
    this.#defaults = defaults;
    this.current = this.#fresh();
  }

  reset(): void {
    this.current = this.#fresh();
  }

  /** Changes what the JSON names and leaves the rest; throws a text that says what is wrong. */
  change(input: unknown): void {
    this.current = mergeFaults(this.current, input);
  }

  /**
   * Takes the next planned fault, if there is one. The API and the page each leave the other's faults alone.
   */
  takeNext(where: "api" | "page"): FaultName | undefined {
    return take(this.current.next, ({ fault }) => !(where === "page" ? API_ONLY : PAGE_ONLY).has(fault));
  }

  /**
   * The fault of one capture or cancel. Taken when it is first asked for, and the same ever after: a request
   * that is planned again, because its payment moved on meanwhile, meets no second fault.
   */
  forModification(): () => FaultName | undefined {
    let taken: { fault: FaultName | undefined } | undefined;
    return () => (taken ??= { fault: take(this.current.next_modifications, () => true) }).fault;
  }

  /**
   * Decides one charge. `timesStruck` tells how often a "once" fault has struck for this payment order.
   * Throws `FaultStrike` for a fault that comes before any execution.
   */
  async decide(
    card: Card,
    metadata: Metadata,
    timesStruck: (key: string) => Promise<number>,
    where: "api" | "page" = "api",
  ): Promise<ChargeDecision> {
    const { behaviour } = card;
    const fault = this.takeNext(where) ?? (behaviour.kind === "fault" ? behaviour.fault : undefined);
    if (fault !== undefined && strikesFirst(fault)) throw new FaultStrike(fault);
    if (fault === "500_before") return { outcome: { kind: "crashed" }, fault };
    if (fault === "once_500" || fault === "once_processing_error") {
      const key = `${fault}:${metadata["payment_order_id"] ?? metadata["checkout_id"] ?? ""}`;
      if ((await timesStruck(key)) === 0) {
        return fault === "once_500"
          ? { outcome: { kind: "crashed" }, fault, once_fault: key }
          : { outcome: { kind: "declined", decline: PROCESSING_ERROR }, fault, once_fault: key };
      }
    }
    const outcome = behaviour.kind === "fault" ? ({ kind: "paid" } as const) : behaviour;
    const unlucky = outcome.kind === "paid" && Math.random() >= this.current.success_rate;
    return {
      outcome: unlucky ? { kind: "declined", decline: PROCESSING_ERROR } : outcome,
      ...(fault === undefined ? {} : { fault }),
    };
  }

  #fresh(): GlobalFaults {
    return { ...this.#defaults, next: [], next_modifications: [], webhooks: NO_WEBHOOK_FAULTS };
  }
}

function take(planned: PlannedFault[], fits: (item: PlannedFault) => boolean): FaultName | undefined {
  const next = planned.find(fits);
  if (next === undefined) return undefined;
  next.count -= 1;
  if (next.count <= 0) planned.splice(planned.indexOf(next), 1);
  return next.fault;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function numberOf(input: Record<string, unknown>, key: string, fallback: number, max: number): number {
  const value = input[key];
  if (value === undefined) return fallback;
  if (typeof value === "number" && value >= 0 && value <= max) return value;
  throw new Error(`${key} must be a number from 0 to ${max}`);
}

function knownKeys(input: Record<string, unknown>, keys: readonly string[]): void {
  for (const key of Object.keys(input)) if (!keys.includes(key)) throw new Error(`unknown setting ${key}`);
}

function faultOf(value: unknown, list: string, names: readonly FaultName[]): FaultName {
  const fault = names.find((name) => name === value);
  if (fault !== undefined) return fault;
  const known = ALL_FAULT_NAMES.find((name) => name === value);
  if (known === undefined) throw new Error(`fault must be one of ${names.join(", ")}`);
  throw new Error(`${list} cannot hold ${known}, which strikes charges only: it takes ${names.join(", ")}`);
}

function plannedOf(value: unknown, list: string, names: readonly FaultName[]): PlannedFault[] {
  if (!Array.isArray(value)) throw new Error(`${list} must be a list of {fault, count}`);
  return value
    .map((item: unknown) => {
      if (!isObject(item)) throw new Error(`${list} must be a list of {fault, count}`);
      knownKeys(item, ["fault", "count"]);
      return { fault: faultOf(item["fault"], list, names), count: numberOf(item, "count", 1, 1_000_000) };
    })
    .filter((item) => item.count > 0);
}

function webhooksOf(current: WebhookFaults, value: unknown): WebhookFaults {
  if (!isObject(value)) throw new Error("webhooks must be an object");
  knownKeys(value, ["drop_rate", "duplicate_rate", "delay_ms", "reorder"]);
  const reorder = value["reorder"] ?? current.reorder;
  if (typeof reorder !== "boolean") throw new Error("reorder must be true or false");
  return {
    drop_rate: numberOf(value, "drop_rate", current.drop_rate, 1),
    duplicate_rate: numberOf(value, "duplicate_rate", current.duplicate_rate, 1),
    delay_ms: numberOf(value, "delay_ms", current.delay_ms, 600_000),
    reorder,
  };
}

function mergeFaults(current: GlobalFaults, input: unknown): GlobalFaults {
  if (!isObject(input)) throw new Error("send a JSON object");
  knownKeys(input, ["latency_ms", "success_rate", "next", "next_modifications", "webhooks"]);
  const { next, next_modifications: modifications } = input;
  return {
    latency_ms: numberOf(input, "latency_ms", current.latency_ms, 600_000),
    success_rate: numberOf(input, "success_rate", current.success_rate, 1),
    next: next === undefined ? current.next : plannedOf(next, "next", ALL_FAULT_NAMES),
    next_modifications:
      modifications === undefined
        ? current.next_modifications
        : plannedOf(modifications, "next_modifications", MODIFICATION_FAULT_NAMES),
    webhooks:
      input["webhooks"] === undefined ? current.webhooks : webhooksOf(current.webhooks, input["webhooks"]),
  };
}
