import type { CrashPointName } from "../src/payments/payments.ts";
import { chargeFaults, operationFaults, type ChargeFault } from "./cards.ts";
import type { Random } from "./random.ts";

/** A webhook that nobody may believe, or a genuine one too many. */
export const forgeries = [
  "no_signature",
  "other_secret",
  "changed_body",
  "too_old",
  "from_the_future",
  "garbage_signature",
  "generic_form",
] as const;
export type Forgery = (typeof forgeries)[number];

/** Statuses that an external account may not send; each but the first is signed with its own secret. */
export const statusForgeries = ["other_secret", "other_account", "false_failed", "wrong_amount"] as const;
export type StatusForgery = (typeof statusForgeries)[number];

/** One thing that goes wrong. */
export type Fault =
  | { readonly kind: "kill_service" }
  /** Killed now, and again at the point after so many passings. */
  | { readonly kind: "kill_service_at"; readonly crash_point: CrashPointName; readonly passings: number }
  /**
   * Stopped (SIGSTOP) after a claim, for longer than its lease, while another service works; then its
   * connects fail.
   */
  | {
      readonly kind: "freeze_service";
      readonly passings: number;
      readonly late_ms: number;
      readonly down_ms: number;
    }
  /** The next charges are made and their answers held back; killed before these leave. */
  | {
      readonly kind: "kill_simulator";
      readonly held_answers: number;
      readonly after_ms: number;
      readonly down_ms: number;
    }
  | { readonly kind: "kill_postgres"; readonly down_ms: number }
  | { readonly kind: "restart_postgres"; readonly down_ms: number }
  | { readonly kind: "charges_fail"; readonly fault: ChargeFault; readonly count: number }
  /** Captures and voids. */
  | { readonly kind: "operations_fail"; readonly fault: ChargeFault; readonly count: number }
  | { readonly kind: "psp_slow"; readonly latency_ms: number }
  /** Requests are handled only after a delay, when their client has timed out and asked again. */
  | { readonly kind: "psp_stalls"; readonly for_ms: number; readonly late_ms: number }
  | {
      readonly kind: "webhooks_fail";
      readonly drop_rate: number;
      readonly duplicate_rate: number;
      readonly delay_ms: number;
      readonly reorder: boolean;
    }
  | { readonly kind: "webhooks_again"; readonly copies: number }
  | { readonly kind: "forged_webhook"; readonly forgery: Forgery }
  /** A later order that no statement may change until a person has seen it. */
  | { readonly kind: "poison_order" }
  | { readonly kind: "forged_status"; readonly forgery: StatusForgery }
  /** While charges are in flight, their account is removed from the configuration, then restored. */
  | { readonly kind: "remove_account"; readonly held_answers: number; readonly for_ms: number };

/** A fault and the checkout (from 1) at whose posting it happens. */
export type ScheduledFault = { readonly step: number; readonly fault: Fault };

/** So many faults however short the history is, and one more for so many checkouts. */
const faults_min = 8;
const checkouts_per_fault = 5;

/** Faults all over the history, by steps of it and never by the time; the same stream gives the same schedule. */
export function scheduleFaults(
  random: Random,
  checkouts: number,
  crashPoints: readonly CrashPointName[],
): ScheduledFault[] {
  const lies = scheduleLies(random.fork("lies"), checkouts);
  const count = faults_min + Math.floor(checkouts / checkouts_per_fault);
  const rest: Fault[] = [
    { kind: "remove_account", held_answers: random.integer(3, 8), for_ms: random.integer(6_000, 8_000) },
  ];
  while (rest.length < count - 1) rest.push(...random.shuffle(deal(random, crashPoints)));
  // Both are in every run, and the poison comes first, so that its order is still to come.
  const faults: Fault[] = [{ kind: "poison_order" }, ...random.shuffle(rest.slice(0, count - 1))];
  const steps = Array.from({ length: count }, () => random.integer(1, checkouts)).toSorted((a, b) => a - b);
  const scheduled = steps.flatMap((step, index) => {
    const fault = faults[index];
    return fault === undefined ? [] : [{ step, fault }];
  });
  return [...scheduled, ...lies].toSorted((a, b) => a.step - b.step);
}

const checkouts_per_lie = 100;

/**
 * Every forged status in every history, from a stream of its own: they break nothing, so they need not take
 * turns.
 */
function scheduleLies(random: Random, checkouts: number): ScheduledFault[] {
  const lies = Array.from({ length: Math.ceil(checkouts / checkouts_per_lie) }, () => statusForgeries).flat();
  return lies.map((forgery) => ({
    step: random.integer(1, checkouts),
    fault: { kind: "forged_status", forgery },
  }));
}

/** Every kind of fault at least once: a run of 300 payments meets nearly all of them. */
function deal(random: Random, crashPoints: readonly CrashPointName[]): Fault[] {
  const down_ms = (): number => random.integer(0, 800);
  return [
    ...crashPoints.map((crash_point): Fault => ({
      kind: "kill_service_at",
      crash_point,
      passings: random.integer(1, 8),
    })),
    { kind: "kill_service" },
    { kind: "kill_service" },
    {
      kind: "freeze_service",
      passings: random.integer(1, 6),
      late_ms: random.integer(0, 1_500),
      down_ms: random.integer(300, 800),
    },
    ...[0, 5, 10].map((held_answers): Fault => ({
      kind: "kill_simulator",
      held_answers,
      after_ms: random.integer(0, 500),
      down_ms: down_ms(),
    })),
    { kind: "kill_postgres", down_ms: down_ms() },
    { kind: "restart_postgres", down_ms: down_ms() },
    ...chargeFaults.map((fault): Fault => ({ kind: "charges_fail", fault, count: random.integer(1, 5) })),
    ...random
      .shuffle(operationFaults)
      .slice(0, 5)
      .map((fault): Fault => ({ kind: "operations_fail", fault, count: random.integer(1, 4) })),
    { kind: "psp_slow", latency_ms: random.integer(20, 400) },
    { kind: "psp_slow", latency_ms: 5 },
    ...[0, 1].map((): Fault => ({
      kind: "psp_stalls",
      for_ms: random.integer(300, 900),
      late_ms: random.integer(2_500, 3_500),
    })),
    ...[0, 1, 2].map((): Fault => ({
      kind: "webhooks_fail",
      drop_rate: random.pick([0, 0.3, 0.7, 1]),
      duplicate_rate: random.pick([0, 0.5, 1]),
      delay_ms: random.pick([0, 200, 1_500]),
      reorder: random.chance(0.5),
    })),
    { kind: "webhooks_again", copies: random.integer(2, 5) },
    { kind: "webhooks_again", copies: random.integer(2, 5) },
    ...random
      .shuffle(forgeries)
      .slice(0, 4)
      .map((forgery): Fault => ({ kind: "forged_webhook", forgery })),
  ];
}

/** One line for a person. */
export function describeFault({ step, fault }: ScheduledFault): string {
  const { kind, ...details } = fault;
  const rest = Object.entries(details)
    .map(([name, value]) => ` ${name} ${String(value)}`)
    .join(",");
  return `checkout ${String(step).padStart(4)}  ${kind}${rest}`;
}
