import { readFile } from "node:fs/promises";
import { GroupCommit } from "../group-commit.ts";
import type { CommitOutcome, Store } from "../store.ts";
import type { Notification, Operation, VersionedPayment } from "./records.ts";

const SCHEMA_LOCK = 727_002;

export interface StoredAnswer {
  status: number;
  answer: string;
}

export interface DueNotification extends Notification {
  attempts: number;
  wait_ms: number;
}

function rowOf(
  { key, status, answer, payment, effect, once_fault, notification }: Operation,
  index: number,
): unknown {
  return {
    operation: index,
    key,
    status,
    answer: JSON.parse(answer) as unknown,
    effect,
    once_fault,
    psp_reference: payment?.record.psp_reference,
    version: payment?.version,
    record: payment?.record,
    notification_id: notification?.id,
    item: notification?.item,
  };
}

/** The simulated Adyen's part of the database; concurrent requests share commits. */
export class AdyenStore {
  readonly #store: Store;
  readonly #group: GroupCommit<Operation, CommitOutcome>;

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

  /** Resolves once the request's effects are durable, or when it was refused and wrote nothing. */
  commit(operation: Operation): Promise<CommitOutcome> {
    return this.#group.submit(operation);
  }

  async findAnswer(key: string): Promise<StoredAnswer | null> {
    const { rows } = await this.#store.reads.query<StoredAnswer>(
      "select status, answer::text as answer from simulator.adyen_requests where key = $1",
      [key],
    );
    return rows[0] ?? null;
  }

  /** The payment with this reference. */
  async findPayment(pspReference: string): Promise<VersionedPayment | null> {
    const { rows } = await this.#store.reads.query<VersionedPayment>(
      "select record, version from simulator.adyen_payments where psp_reference = $1",
      [pspReference],
    );
    return rows[0] ?? null;
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

  async #flush(operations: readonly Operation[]): Promise<readonly CommitOutcome[]> {
    const outcomes = operations.map((): CommitOutcome => "done");
    const { rows } = await this.#store.reads.query<{ operation: number; refusal: CommitOutcome }>({
      name: "commit_adyen_operations",
      text: "select operation, refusal from simulator.commit_adyen_operations($1)",
      values: [JSON.stringify(operations.map(rowOf))],
    });
    for (const { operation, refusal } of rows) outcomes[operation] = refusal;
    return outcomes;
  }
}
