import { readFile } from "node:fs/promises";
import { GroupCommit } from "../group-commit.ts";
import type { Store } from "../store.ts";
import { effectMetadata } from "./payments.ts";
import type { Notification, Operation, PaymentRecord } from "./records.ts";

const SCHEMA_LOCK = 727_002;

export interface StoredAnswer {
  status: number;
  answer: string;
}

export interface DueNotification extends Notification {
  attempts: number;
  wait_ms: number;
}

function rowOf(operation: Operation, index: number): unknown {
  const { key, status, answer, payment, is_charged, once_fault, notification } = operation;
  return {
    operation: index, key, status, answer: JSON.parse(answer) as unknown, once_fault,
    notification_id: notification?.id, item: notification?.item,
    ...(payment === undefined ? {} : paymentRow(payment.record, payment.is_new, is_charged)),
  };
}

function paymentRow(record: PaymentRecord, isNew: boolean, isCharged: boolean): object {
  const { amount, card } = record;
  const effect = {
    kind: "charge_succeeded", amount_minor: amount.value, currency: amount.currency, card,
    metadata: effectMetadata(record),
  };
  return {
    psp_reference: record.psp_reference, is_new: isNew, is_pending: record.result_code === "RedirectShopper", record,
    ...(isCharged ? { effect } : {}),
  };
}

/** The simulated Adyen's part of the database; concurrent requests share commits. */
export class AdyenStore {
  readonly #store: Store;
  readonly #group: GroupCommit<Operation, boolean>;

  constructor(store: Store) {
    this.#store = store;
    this.#group = new GroupCommit((operations) => this.#flush(operations), { max_batch: 256, lanes: 1 });
  }

  /** Creates the tables where they are missing (safe when several processes start at once). */
  async createSchema(): Promise<void> {
    const schema = await readFile(new URL("schema.sql", import.meta.url), "utf8");
    const client = await this.#store.reads.connect();
    try {
      await client.query("begin");
      await client.query("select pg_advisory_xact_lock($1)", [SCHEMA_LOCK]);
      await client.query(schema);
      await client.query("commit");
    } finally {
      client.release();
    }
  }

  /** Resolves once the request's effects are durable; false when it was refused and wrote nothing. */
  commit(operation: Operation): Promise<boolean> {
    return this.#group.submit(operation);
  }

  async findAnswer(key: string): Promise<StoredAnswer | null> {
    const { rows } = await this.#store.reads.query<StoredAnswer>(
      "select status, answer::text as answer from simulator.adyen_requests where key = $1", [key],
    );
    return rows[0] ?? null;
  }

  /** The payment with this reference, if it waits for the buyer. */
  async findPending(pspReference: string): Promise<PaymentRecord | null> {
    const { rows } = await this.#store.reads.query<{ record: PaymentRecord }>(
      "select record from simulator.adyen_payments where psp_reference = $1 and is_pending", [pspReference],
    );
    return rows[0]?.record ?? null;
  }

  /** What an earlier process did not get through. */
  async leftNotifications(): Promise<DueNotification[]> {
    const { rows } = await this.#store.relaxed.query<DueNotification>(
      `select id, item, attempts, greatest(0, extract(epoch from next_attempt_at - now()) * 1000)::float8 as wait_ms
       from simulator.adyen_notifications order by next_attempt_at`,
    );
    return rows;
  }

  async finishNotification(id: string): Promise<void> {
    await this.#store.relaxed.query("delete from simulator.adyen_notifications where id = $1", [id]);
  }

  async postponeNotification(id: string, attempts: number, delayMs: number): Promise<void> {
    await this.#store.relaxed.query(
      `update simulator.adyen_notifications set attempts = $2, next_attempt_at = now() + make_interval(secs => $3)
       where id = $1`,
      [id, attempts, delayMs / 1_000],
    );
  }

  /** Forgets everything. */
  async empty(): Promise<void> {
    await this.#store.reads.query(
      "truncate simulator.adyen_requests, simulator.adyen_payments, simulator.adyen_notifications",
    );
  }

  /** Waits for what is being written. */
  idle(): Promise<void> {
    return this.#group.idle();
  }

  async #flush(operations: readonly Operation[]): Promise<readonly boolean[]> {
    const done = operations.map(() => true);
    const { rows } = await this.#store.reads.query<{ refused: number }>({
      name: "adyen_commit", text: "select refused from simulator.adyen_commit($1)",
      values: [JSON.stringify(operations.map(rowOf))],
    });
    for (const { refused } of rows) done[refused] = false;
    return done;
  }
}
