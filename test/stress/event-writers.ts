import { setTimeout as sleep } from "node:timers/promises";
import type { Random } from "../../chaos/random.ts";
import type { Database, Transaction } from "../../src/db/db.ts";

/** Subjects that a storm's writers race for: half of them write events, half are orders that change. */
export const subject_count = 40;
const subjectOf = (place: number): string => `storm-${place}`;

class Refused extends Error {}

/** Makes the subjects, and where followers write what they saw. */
export const preparation: readonly string[] = [
  `create table storm_subjects (subject_id text primary key, seq int not null default 0)`,
  `create table seen_events (
     place bigint generated always as identity, follower text not null, event_number bigint not null,
     subject_id text not null)`,
  `insert into storm_subjects (subject_id) select 'storm-' || n from generate_series(0, ${subject_count - 1}) n`,
  `insert into payment_events
     (checkout_id, buyer_info, credit_card_info, unfinished_order_count, request_fingerprint, risk_decision)
   select subject_id, '{}', '{}', 1, decode(repeat('00', 32), 'hex'), 'pass' from storm_subjects`,
  `insert into payment_orders
     (payment_order_id, checkout_id, position, buyer_account, seller_account, amount_minor, currency,
      status, status_cause, status_actor, created_by)
   select subject_id, subject_id, 0, 'b', 's', 100, 'USD', 'EXECUTING', 'accepted', 'test', 'test'
     from storm_subjects`,
];

/** One transaction after another until `isOver`: of random length, one in ten rolled back. */
export async function writeEvents(database: Database, random: Random, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const place = random.integer(0, subject_count - 1);
    await database
      .transaction(async (tx) => {
        if (random.chance(0.5)) {
          await takeNumber(tx);
          await sleep(random.integer(0, 30));
        }
        await change(tx, place, random.integer(1, 3));
        await sleep(random.integer(0, 15));
        if (random.chance(0.1)) throw new Refused();
      })
      .catch((error: unknown) => {
        if (!(error instanceof Refused)) throw error;
      });
  }
}

/** Transactions that stay open for seconds after they wrote; one is always open. */
export async function writeSlowly(database: Database, place: number, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    await database.transaction(async (tx) => {
      await takeNumber(tx);
      await sleep(200);
      await change(tx, place, 2);
      for (let waited = 0; waited < 20 && !isOver(); waited++) await sleep(100);
    });
  }
}

/** The transaction's number, before it waits for any lock. */
async function takeNumber(tx: Transaction): Promise<void> {
  await tx.query("select pg_current_xact_id()");
}

async function change(tx: Transaction, place: number, count: number): Promise<void> {
  const id = subjectOf(place);
  if (place % 2 === 0) {
    await tx.query(
      `update payment_orders
          set status_actor = 'test', status_cause = 'test',
              status = case status when 'EXECUTING' then 'RETRY_SCHEDULED' else 'EXECUTING' end
                         ::payment_order_status
        where payment_order_id = $1`,
      [id],
    );
    return;
  }
  await tx.query("update storm_subjects set seq = seq + 1 where subject_id = $1", [id]);
  await tx.query(
    `insert into events (type, subject_type, subject_id, data)
     select 'checkout.created', 'checkout', $1, '{}' from generate_series(1, $2::int)`,
    [id, count],
  );
}
