import type { Queryable } from "../db/db.ts";
import { AppError } from "../errors.ts";
import { selectPiece, selectPosition, type EventCursor, type EventFilter, type EventRow } from "./queries.ts";

export type EventPage = {
  /** In the order in which they happened to their subject. */
  readonly events: readonly EventRow[];
  /** Where to go on; also if there is nothing new yet. */
  readonly cursor: EventCursor;
  /** Whether more may be there now. With a filter a page can be empty and this true. */
  readonly has_more: boolean;
};

/** A read looks through no more than this many pieces, of about 5,000 events each. */
const pieces_per_read_max = 8;

/**
 * The next events behind a cursor, from the oldest kept one on if it is null. Whoever goes on from the
 * cursor that comes back misses no event, however late its transaction committed. After a pause of more
 * than a week, or when a dump was restored, some may come again. Errors: `events_expired` if what comes
 * next was removed.
 */
export async function readEvents(
  db: Queryable,
  from: EventCursor | null,
  limit: number,
  filter: EventFilter = {},
): Promise<EventPage> {
  const events: EventRow[] = [];
  let cursor = from;
  for (let pieces = 0; ; pieces++) {
    const position = await selectPosition(db, cursor);
    if (position.is_expired) throw expired();
    const { after_tick, until_tick, event_number } = position;
    if (until_tick === null || pieces === pieces_per_read_max)
      return { events, cursor: { after_tick, until_tick, event_number }, has_more: until_tick !== null };
    const wanted = limit - events.length;
    // Full at the end of a piece: the next one begins at its own lowest number, not behind the last event.
    if (wanted === 0) return { events, cursor: { after_tick, until_tick, event_number }, has_more: true };
    const found = await selectPiece(db, after_tick, until_tick, event_number, wanted + 1, filter);
    events.push(...found.slice(0, wanted));
    const last = events.at(-1);
    if (found.length > wanted && last !== undefined)
      return { events, cursor: { after_tick, until_tick, event_number: last.event_number }, has_more: true };
    cursor = { after_tick: until_tick, until_tick: null, event_number: 0n };
  }
}

function expired(): AppError {
  return new AppError(
    "events_expired",
    "The events behind this cursor were removed when they were too old. Read on without a cursor, from the " +
      "oldest that are kept, and fetch the objects that you follow once.",
    { param: "cursor" },
  );
}
