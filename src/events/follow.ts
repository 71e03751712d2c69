import type { Database, Transaction } from "../db/db.ts";
import {
  addFollower,
  lockFollower,
  moveFollower,
  selectPosition,
  type EventCursor,
  type EventRow,
} from "./queries.ts";
import { readEvents } from "./read.ts";

/** Writes what follows from events, in the transaction that moves the follower past them. */
export type EventHandler = (tx: Transaction, events: readonly EventRow[]) => Promise<void>;

/**
 * Gives the next events to `handle`, and gives how many there were. `handle` gets each event in one
 * transaction that commits, whatever process dies. A name is of one follower: while another process has it,
 * this does nothing. A new follower begins with the oldest event that is kept. Errors: `events_expired`;
 * those of `handle`, after which the same events come again.
 */
export function followEvents(
  database: Database,
  name: string,
  handle: EventHandler,
  limit = 1_000,
): Promise<number> {
  return database.transaction(async (tx) => {
    const stands = await lockFollower(tx, name);
    if (stands === undefined) {
      await addFollower(tx, name, await selectPosition(tx, null));
      return 0;
    }
    const { events, cursor } = await readEvents(tx, stands, limit);
    if (events.length > 0) await handle(tx, events);
    if (!isSame(cursor, stands)) await moveFollower(tx, name, cursor);
    return events.length;
  });
}

const isSame = (one: EventCursor, other: EventCursor): boolean =>
  one.after_tick === other.after_tick &&
  one.until_tick === other.until_tick &&
  one.event_number === other.event_number;
