import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosStack } from "./chaos-stack.ts";
import { removeAccount } from "./missing-account.ts";
import { external_account, type PlannedCheckout } from "./plan.ts";
import { choosePoisoned, mend, poison } from "./poison.ts";
import type { Random } from "./random.ts";
import {
  describeFault,
  type Fault,
  type Forgery,
  type ScheduledFault,
  type StatusForgery,
} from "./schedule.ts";
import { sendStatusForgery, type StatusContext } from "./statuses.ts";
import { findTarget, repeatWebhooks, sendForgery } from "./webhooks.ts";

export type FaultInjectorOptions = StatusContext & {
  readonly stack: ChaosStack;
  readonly schedule: readonly ScheduledFault[];
  readonly plan: readonly PlannedCheckout[];
  readonly random: Random;
  /** Told when a fault begins. */
  readonly on_fault: (line: string) => void;
};

const usual_latency_ms = 20;

/** Lets the faults of the schedule happen, one after another, when the history reaches their step. */
export class FaultInjector {
  readonly #options: FaultInjectorOptions;
  readonly #left: ScheduledFault[];
  /** Ends when every fault that was begun is done. */
  #last: Promise<void> = Promise.resolve();
  /** Webhooks sent aside; they must not hold faults up while the service is away. */
  readonly #aside: Promise<unknown>[] = [];
  #asideCount = 0;
  /** Orders that are poisoned now. */
  readonly #poisoned = new Set<string>();
  /** Ends when what was poisoned is seen and mended. */
  readonly #mending: Promise<void>[] = [];

  constructor(options: FaultInjectorOptions) {
    this.#options = options;
    this.#left = [...options.schedule];
  }

  /** The history comes to this step. A client that brings the next fault waits until the former is done, so that the history cannot run away. */
  async reach(step: number): Promise<void> {
    while (this.#left[0] !== undefined && this.#left[0].step <= step) {
      const [next] = this.#left.splice(0, 1);
      if (next === undefined) return;
      const former = this.#last;
      this.#last = former.then(() => this.#begin(next));
      // A caller that awaits it gets its error; there may be none.
      this.#last.catch(() => undefined);
      await former;
    }
  }

  /** Resolves when all faults that were begun are over, and every poisoned order was seen and repaired. */
  async end(): Promise<void> {
    await this.#last;
    await Promise.all([...this.#aside, ...this.#mending]);
  }

  async #begin(scheduled: ScheduledFault): Promise<void> {
    this.#options.on_fault(describeFault(scheduled));
    await this.#strike(scheduled.fault, scheduled.step);
  }

  async #strike(fault: Fault, step: number): Promise<void> {
    const { stack, random } = this.#options;
    const context = { ...this.#options, webhook_secret: stack.webhook_secret };
    switch (fault.kind) {
      case "kill_service":
        return stack.service.kill();
      case "kill_service_at":
        return stack.service.kill({ environment: { CRASH_POINT: `${fault.crash_point}:${fault.passings}` } });
      case "freeze_service":
        return stack.freezeService(fault);
      case "kill_simulator":
        if (fault.held_answers > 0)
          await this.#setFaults({ next: [{ fault: "slow", count: fault.held_answers }] });
        await sleep(fault.after_ms);
        return stack.simulator.kill({ down_ms: fault.down_ms });
      case "kill_postgres":
        return stack.restartPostgres("SIGKILL", fault.down_ms);
      case "restart_postgres":
        return stack.restartPostgres("SIGINT", fault.down_ms);
      case "charges_fail":
        return this.#setFaults({ next: [{ fault: fault.fault, count: fault.count }] });
      case "operations_fail":
        return this.#setFaults({ next_modifications: [{ fault: fault.fault, count: fault.count }] });
      case "psp_slow":
        return this.#setFaults({ latency_ms: fault.latency_ms });
      case "psp_stalls":
        await this.#setFaults({ latency_ms: stack.config.psp.timeout_seconds * 1_000 + fault.late_ms });
        await sleep(fault.for_ms);
        return this.#setFaults({ latency_ms: usual_latency_ms });
      case "webhooks_fail": {
        const { kind: _, ...webhooks } = fault;
        return this.#setFaults({ webhooks });
      }
      case "webhooks_again":
        return this.#beside((number) =>
          repeatWebhooks(context, random.fork(`webhooks ${number}`), { copies: fault.copies, is_all: false }),
        );
      case "forged_webhook":
        return this.#beside((number) => this.#forge(fault.forgery, number));
      case "poison_order":
        return this.#poison(step);
      case "forged_status":
        return this.#beside((number) => this.#forgeStatus(fault.forgery, number));
      case "remove_account":
        // A genuine webhook would get a 404 during this, so none may be on its way.
        await Promise.all(this.#aside);
        await this.#setFaults({ next: [{ fault: "slow", count: fault.held_answers }] });
        await sleep(usual_latency_ms * 10);
        return removeAccount(this.#options, fault.for_ms);
    }
  }

  async #poison(step: number): Promise<void> {
    const { plan, stack } = this.#options;
    const id = choosePoisoned(
      plan.filter(({ orders: [order] }) => !this.#poisoned.has(order.payment_order_id)),
      step,
    );
    if (id === undefined) return;
    this.#poisoned.add(id);
    const context = { ...this.#options, owner_url: stack.processes.owner_url };
    await poison(context, id);
    const mending = mend(context, id);
    mending.catch(() => undefined);
    this.#mending.push(mending);
  }

  #beside(work: (number: number) => Promise<unknown>): void {
    this.#asideCount += 1;
    const working = work(this.#asideCount);
    working.catch(() => undefined);
    this.#aside.push(working);
  }

  async #forge(forgery: Forgery, number: number): Promise<void> {
    const target = (await findTarget(this.#options.http)) ?? {
      payment_order_id: "none",
      attempt_id: "att_none",
      amount_minor: 100n,
      currency: "USD",
    };
    await sendForgery(
      { ...this.#options, webhook_secret: this.#options.stack.webhook_secret },
      forgery,
      target,
      number,
    );
  }

  async #forgeStatus(forgery: StatusForgery, number: number): Promise<void> {
    const target = await findTarget(this.#options.http, {
      psp: forgery === "wrong_amount" ? external_account : "stripe",
      has_page: false,
    });
    if (target !== undefined) await sendStatusForgery(this.#options, forgery, target, number);
  }

  /** A simulator that is away has no faults to set: it will come back without any. */
  async #setFaults(faults: unknown): Promise<void> {
    await this.#options.http.simulator("POST", "faults", faults);
  }
}
