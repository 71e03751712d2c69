import { isUtf8 } from "node:buffer";
import type { IncomingMessage } from "node:http";
import type { FastifyRequest } from "fastify";
import { AppError } from "../errors.ts";
import { requestBodiesCutOff } from "../metrics.ts";
import { ArrivingBodies } from "./arriving-bodies.ts";
import type { App } from "./context.ts";
import { readJson } from "./json-body.ts";

const mebibyte = 1_048_576;
const body_limits = {
  body_bytes_max: mebibyte,
  sender_bytes_max: 16 * mebibyte,
  total_bytes_max: 64 * mebibyte,
};

/**
 * Accepts only JSON in UTF-8: other bytes would be stored as another text than was sent. The caller's key
 * must be known before the body is read, because arriving bytes count for the key.
 */
export function takeOnlyJson(app: App): void {
  const bodies = new ArrivingBodies(body_limits, () => requestBodiesCutOff.inc());
  app.addContentTypeParser("application/json", async (request: FastifyRequest, payload: IncomingMessage) => {
    const announced = Number(request.headers["content-length"]);
    const bytes = await bodies.read(payload, request.caller.key_id, announced);
    // Many clients declare JSON even for an action without a body.
    if (bytes.length === 0 && !needsBody(request.routeOptions.schema?.body)) return undefined;
    if (!isUtf8(bytes)) throw new AppError("invalid_json", "The body is not UTF-8.", { param: "body" });
    return readJson(bytes.toString("utf8"));
  });
}

function needsBody(schema: unknown): boolean {
  if (typeof schema !== "object" || schema === null) return false;
  return "required" in schema && Array.isArray(schema.required) && schema.required.length > 0;
}
