import { eventsOf, stemOfEvent } from "./events.ts";
import type { FormMap } from "./form.ts";
import { timePrefix } from "./ids.ts";
import { listBody, pageOf } from "./lists.ts";
import { optionalText, textList } from "./params.ts";
import { findRequest, requestsWithEvents } from "./queries.ts";
import { EVENT_TYPES, type EventRecord, type EventType } from "./records.ts";
import { renderEvent } from "./render.ts";
import type { Store } from "./store.ts";
import { missingObject } from "./stripe-error.ts";

/** GET /v1/events/:id */
export async function retrieveEvent(store: Store, id: string): Promise<unknown> {
  const row = await findRequest(store.reads, stemOfEvent(id));
  const event = row === null ? undefined : eventsOf(row).find((candidate) => candidate.id === id);
  if (event === undefined) throw missingObject("event", id, "id", 404);
  return renderEvent(event);
}

function wantedTypes(form: FormMap): readonly EventType[] | null {
  const type = optionalText(form, "type");
  const asked = type === undefined ? textList(form, "types") : [type];
  if (asked.length === 0) return null;
  const matches = (pattern: string, known: string): boolean =>
    pattern === known ||
    pattern === "*" ||
    (pattern.endsWith(".*") && known.startsWith(pattern.slice(0, -1)));
  return EVENT_TYPES.filter((known) => asked.some((pattern) => matches(pattern, known)));
}

/** GET /v1/events, newest first. */
export async function listAllEvents(store: Store, form: FormMap): Promise<unknown> {
  const types = wantedTypes(form);
  const page = pageOf(form, ["type", "types"]);
  const { limit, starting_after: after, ending_before: before } = page;
  const from = before !== undefined ? stemOfEvent(before) : timePrefix((page.created_gte ?? 0) * 1_000);
  const end = page.created_lt === undefined ? "~" : timePrefix(page.created_lt * 1_000);
  const to = after !== undefined ? stemOfEvent(after) : end;
  // Each row holds at least one wanted event, and the two at the edges may hold none of this page.
  const rows = await requestsWithEvents(store.reads, {
    types,
    from,
    to,
    newest_first: before === undefined,
    limit: limit + 2,
  });
  const matches = (event: EventRecord): boolean =>
    (types === null || types.includes(event.type)) &&
    (after === undefined || event.id < after) &&
    (before === undefined || event.id > before);
  const events = rows
    .flatMap(eventsOf)
    .filter(matches)
    .toSorted((a, b) => (a.id < b.id ? 1 : -1));
  const data = before === undefined ? events.slice(0, limit) : events.slice(-limit);
  return listBody("/v1/events", { data: data.map(renderEvent), has_more: events.length > limit });
}
