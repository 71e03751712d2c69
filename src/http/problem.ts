import type { FastifyError, FastifyReply, FastifyRequest } from "fastify";
import { sqlStateOf } from "../db/db.ts";
import { AppError, errorRegistry, type ErrorCode, type FieldError } from "../errors.ts";
import { client_id_rule } from "./client-id.ts";

/** RFC 9457 problem details; the only shape in which this API fails. */
export function sendProblem(request: FastifyRequest, reply: FastifyReply, error: AppError): FastifyReply {
  if (error.retry_after_seconds !== undefined) reply.header("retry-after", String(error.retry_after_seconds));
  return reply.code(error.status).type("application/problem+json").send(problemOf(error, request.id));
}

/** Limits how much of a request is repeated: one of 600 kB was answered with 1.2 MB. */
const text_shown_max = 200;
const detail_shown_max = 500;
const errors_shown_max = 20;

export function problemOf(error: AppError, requestId: string) {
  const { title } = errorRegistry[error.code];
  const errors = faultsOf(error);
  const left = errors.length - errors_shown_max;
  return {
    type: `https://pacioli.dev/errors/${error.code}`,
    title,
    status: error.status,
    detail:
      shortened(error.message, detail_shown_max) + (left > 0 ? ` ${left} more faults are not listed.` : ""),
    instance: `urn:request:${requestId}`,
    code: error.code,
    param: error.param === undefined ? null : shortened(error.param, text_shown_max),
    errors: errors
      .slice(0, errors_shown_max)
      .map(({ param, code, message }) => ({
        param: shortened(param, text_shown_max),
        code,
        message: shortened(message, text_shown_max),
      })),
  };
}

/** Values of `param` that name no field: these faults are found before a route gets the request. */
const no_fields = ["Host", "path"];

/**
 * The one fault of a 400 that names its field and lists none, so that clients read all of them in one way.
 */
function faultsOf({ status, code, param, message, errors }: AppError): readonly FieldError[] {
  if (errors.length > 0 || param === undefined || status !== 400) return errors;
  if (no_fields.includes(param)) return errors;
  const isNamedFirst = message.startsWith(`${param} `);
  return [{ param, code, message: isNamedFirst ? message.slice(param.length + 1) : message }];
}

/** Never cut through the middle of a character. */
const shortened = (text: string, length: number): string =>
  text.length <= length ? text : text.slice(0, length).toWellFormed();

/** What the framework threw, as an error of ours; undefined: a bug. */
export function outcomeOf(error: FastifyError): AppError | undefined {
  if (error instanceof AppError) return error;
  if (error.validation !== undefined)
    return validationError(error.validation, error.validationContext ?? "body");
  // A value that passed the schema but that PostgreSQL cannot hold, such as a time in the year 0.
  if (sqlStateOf(error)?.startsWith("22") === true)
    return new AppError("invalid_request", "A value is out of its range.", { cause: error });
  const code = frameworkCodes.get(error.code);
  if (code !== undefined) return new AppError(code, detailOf(code, error.message), { param: "body" });
  if (error instanceof SyntaxError && error.statusCode === 400)
    return new AppError("invalid_json", `The body is not valid JSON: ${error.message}`, { param: "body" });
  if (error.statusCode !== undefined && error.statusCode >= 400 && error.statusCode < 500)
    return new AppError("invalid_request", error.message);
  return undefined;
}

const frameworkCodes = new Map<string, ErrorCode>([
  ["FST_ERR_CTP_BODY_TOO_LARGE", "payload_too_large"],
  ["FST_ERR_CTP_INVALID_MEDIA_TYPE", "unsupported_media_type"],
  ["FST_ERR_CTP_EMPTY_JSON_BODY", "invalid_json"],
  ["FST_ERR_CTP_INVALID_JSON_BODY", "invalid_json"],
  ["FST_ERR_CTP_INVALID_CONTENT_LENGTH", "invalid_request"],
]);

function detailOf(code: ErrorCode, message: string): string {
  return code === "payload_too_large" ? "The body is larger than 1 MiB." : message;
}

type SchemaFault = NonNullable<FastifyError["validation"]>[number];

function validationError(faults: readonly SchemaFault[], context: string): AppError {
  const errors = faults.map((fault): FieldError => ({
    param: paramOf(fault, context),
    code: "invalid_request",
    message: messageOf(fault),
  }));
  const [first] = errors;
  if (first === undefined) return new AppError("invalid_request", `${context} is not valid.`);
  const { param, message } = first;
  const detail = message === send_object ? message : `${param} ${message}`;
  return new AppError("invalid_request", detail, { errors, param });
}

const send_object = "Send a JSON object.";

function messageOf(fault: SchemaFault): string {
  if (fault.params["format"] === "client-id") return `${client_id_rule}.`;
  if (fault.keyword === "required") return "is required.";
  if (fault.keyword === "additionalProperties") return "is not a field of this request.";
  if (fault.keyword === "type" && fault.instancePath === "" && fault.params["type"] === "object")
    return send_object;
  return `${fault.message ?? "is not valid"}.`;
}

/** `/payment_orders/0/amount` as `payment_orders[0][amount]`; a missing or unknown field is named itself. */
function paramOf(fault: SchemaFault, context: string): string {
  const { missingProperty, additionalProperty } = fault.params;
  const path = fault.instancePath.split("/").slice(1);
  for (const field of [missingProperty, additionalProperty]) if (typeof field === "string") path.push(field);
  const [first, ...rest] = path;
  return first === undefined ? context : first + rest.map((part) => `[${part}]`).join("");
}
