import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import {
  eventNumberOf,
  readEvents,
  selectEvent,
  type EventCursor,
  type EventFilter,
} from "../../events/events.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, encodeCursor, type Position } from "../cursor.ts";
import { eventView } from "../event-view.ts";
import { Event, EventList, eventQuery } from "../schemas/event.ts";
import { closed } from "../schemas/fields.ts";
import { problemResponses } from "../schemas/problem.ts";

export function registerEventRoutes(app: App, { reads, settings }: HttpContext): void {
  const signingKey = cursorKey(settings.secret_key, "events");

  app.get(
    "/events",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listEvents",
        summary: "What happened, oldest first",
        description:
          "Read on from `next_cursor` and you miss no event; those of one subject come in the order in which " +
          "they happened. Events of different subjects can come in another order than `occurred_at`.",
        querystring: Type.Object(eventQuery, closed),
        response: { 200: EventList, ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, type, subject_type, subject_id } = request.query;
      const filter = filterOf(type, subject_type, subject_id);
      const from = cursor === undefined ? null : cursorOf(decodeCursor(cursor, signingKey));
      const page = await readEvents(reads, from, limit, filter);
      return {
        object: "list" as const,
        data: page.events.map(eventView),
        has_more: page.has_more,
        next_cursor: encodeCursor(positionOf(page.cursor), signingKey),
      };
    },
  );

  app.get(
    "/events/:event_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getEvent",
        summary: "One event",
        params: Type.Object({ event_id: Type.String({ minLength: 1, maxLength: 64 }) }),
        response: { 200: Event, ...problemResponses },
      },
    },
    async (request) => {
      const { event_id } = request.params;
      const event_number = eventNumberOf(event_id);
      const event = event_number === undefined ? undefined : await selectEvent(reads, event_number);
      if (event === undefined)
        throw new AppError("not_found", `There is no event ${event_id}, or it was removed by its age.`, {
          param: "event_id",
        });
      return eventView(event);
    },
  );
}

/** Ids are unique within a type only. */
function filterOf(
  type: string | undefined,
  subjectType: string | undefined,
  id: string | undefined,
): EventFilter {
  const typed = type === undefined ? {} : { type };
  if (subjectType === undefined && id === undefined) return typed;
  if (subjectType !== undefined && id !== undefined) return { ...typed, subject: { type: subjectType, id } };
  const missing = subjectType === undefined ? "subject_type" : "subject_id";
  throw new AppError("invalid_request", `Send subject_type and subject_id together; ${missing} is missing.`, {
    param: missing,
  });
}

const positionOf = ({ after_tick, until_tick, event_number }: EventCursor): Position => [
  String(after_tick),
  until_tick === null ? "" : String(until_tick),
  String(event_number),
];

const cursorOf = ([after_tick = "0", until_tick = "", event_number = "0"]: Position): EventCursor => ({
  after_tick: BigInt(after_tick),
  until_tick: until_tick === "" ? null : BigInt(until_tick),
  event_number: BigInt(event_number),
});
