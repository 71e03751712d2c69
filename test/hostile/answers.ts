import { Compile, type Validator } from "typebox/schema";
import { errorRegistry } from "../../src/errors.ts";
import type { HostileRequest } from "./requests.ts";

export type HostileAnswer = {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | string[] | undefined>>;
  readonly text: string;
  readonly milliseconds: number;
};

const problem_bytes_max = 16_384;
const milliseconds_max = 10_000;

const validators = new WeakMap<object, Validator>();

/** Every way in which an answer is not what the documents promise; empty: it is right. */
export function faultsOf(request: HostileRequest, answer: HostileAnswer): string[] {
  const { status, headers, text, milliseconds } = answer;
  const faults: string[] = [];
  if (headers["request-id"] === undefined) faults.push("it has no Request-Id");
  if (milliseconds > milliseconds_max) faults.push(`it took ${Math.round(milliseconds)} ms`);
  if (status >= 500 && !(status === 503 && headers["retry-after"] !== undefined))
    faults.push(`status ${status}`);
  if (request.method === "HEAD" || status === 204) return faults;
  if (status >= 300) return [...faults, ...faultsOfProblem(answer)];
  // An empty id leaves the path of the list, with the trailing slash that every path may have.
  const isListInstead =
    request.target.split("?")[0]?.endsWith("/") === true && request.operation.path.endsWith("}");
  const isAsked = request.method === request.operation.method && !isListInstead;
  const schema = isAsked ? request.operation.answers.get(status) : undefined;
  if (schema === undefined) return faults;
  const validator = validators.get(schema) ?? Compile(schema);
  validators.set(schema, validator);
  const body: unknown = JSON.parse(text);
  if (validator.Check(body)) return faults;
  const [, errors] = validator.Errors(body);
  return [...faults, `the body does not fit openapi.json: ${JSON.stringify(errors[0])}`];
}

function faultsOfProblem({ status, headers, text }: HostileAnswer): string[] {
  if (!String(headers["content-type"]).startsWith("application/problem+json"))
    return [`${status} is no problem+json: ${text.slice(0, 200)}`];
  const faults: string[] = [];
  if (Buffer.byteLength(text) > problem_bytes_max)
    faults.push(`the problem has ${Buffer.byteLength(text)} bytes`);
  const problem = JSON.parse(text) as { status: unknown; code: unknown; param: unknown; errors: unknown };
  if (problem.status !== status)
    faults.push(`the problem says ${String(problem.status)}, the answer ${status}`);
  if (typeof problem.code !== "string" || !(problem.code in errorRegistry))
    faults.push(`no documented code: ${String(problem.code)}`);
  if (typeof problem.param === "string" && problem.param.length > 200)
    faults.push(`param has ${problem.param.length} characters`);
  if (!Array.isArray(problem.errors) || problem.errors.length > 100) faults.push("errors is no short list");
  return faults;
}
