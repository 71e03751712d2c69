/** A follower as a process that can be killed: `node event-follower.ts DATABASE_URL NAME`. */
import { setTimeout as sleep } from "node:timers/promises";
import { Database, type Transaction } from "../../src/db/db.ts";
import { followEvents, type EventRow } from "../../src/events/events.ts";

const [url = "", name = ""] = process.argv.slice(2);
const database = new Database({ url, application_name: name, connections_max: 2 });

async function keep(tx: Transaction, events: readonly EventRow[]): Promise<void> {
  await tx.query(
    `insert into seen_events (follower, event_number, subject_id)
     select $1, event_number, subject_id
       from unnest($2::bigint[], $3::text[]) with ordinality as e (event_number, subject_id, place)
      order by place`,
    [name, events.map(({ event_number }) => event_number), events.map(({ subject_id }) => subject_id)],
  );
  // Time for a kill between the write and the commit.
  await sleep(20);
}

for (;;) {
  const count = await followEvents(database, name, keep, 200);
  if (count === 0) await sleep(20);
}
