/** The door of the events room: what happened, for whoever follows it, and the ticks by which it is read. */
import type { Database, Queryable } from "../db/db.ts";
import type { Logger } from "../log.ts";
import { addPartitions } from "./queries.ts";
import { createTicker } from "./ticker.ts";
import { createEventUpkeep, weeks_ahead } from "./upkeep.ts";

export { eventIdOf, eventNumberOf } from "./event-id.ts";
export { eventTypes, registryFaultOf, type EventTypeName } from "./event-types.ts";
export { followEvents, type EventHandler } from "./follow.ts";
export { selectEvent, type EventCursor, type EventFilter, type EventRow } from "./queries.ts";
export { readEvents, type EventPage } from "./read.ts";
export { createTicker } from "./ticker.ts";

/** What keeps events readable; any number of processes may run it. */
export function createEventWorkers(parts: {
  readonly database: Database;
  readonly log: Logger;
  readonly retention_days: number;
}): { start(): void; stop(): Promise<void> } {
  const workers = [createTicker(parts), createEventUpkeep(parts)];
  return {
    start: () => workers.forEach((worker) => worker.start()),
    async stop() {
      await Promise.all(workers.map((worker) => worker.stop()));
    },
  };
}

/** Makes the partitions of the next weeks: after a long stand-still, before events are written again. */
export async function prepareEvents(db: Queryable): Promise<void> {
  await addPartitions(db, weeks_ahead);
}
