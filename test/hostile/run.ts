import http from "node:http";
import { verifyBooks } from "../../src/cli/verify.ts";
import { Random } from "../../chaos/random.ts";
import type { TestStack } from "../support/stack.ts";
import { faultsOf, type HostileAnswer } from "./answers.ts";
import { readOperations } from "./openapi.ts";
import { hostileRequest, type HostileRequest, type Known } from "./requests.ts";

export type Finding = {
  readonly request: Pick<HostileRequest, "method" | "target" | "headers" | "body">;
  readonly faults: readonly string[];
};
export type HostileReport = {
  readonly findings: readonly Finding[];
  /** How many answers had which status. */
  readonly statuses: ReadonlyMap<number, number>;
};

const senders = 8;
const findings_max = 20;

/**
 * Sends requests that a seed decides, and checks every answer against openapi.json and docs/errors.md.
 * Afterwards the service must be the same process, every accepted order at rest and charged at most once, and
 * the books right.
 */
export async function runHostile(
  stack: TestStack,
  options: { seed: number; requests: number; on_progress?: (line: string) => void },
): Promise<HostileReport> {
  const operations = await readOperations();
  const [first, ...others] = operations;
  const create = operations.find(({ method, path }) => method === "POST" && path === "/api/v1/payments");
  if (first === undefined || create === undefined)
    throw new Error("openapi.json has no operation that creates a payment");
  const known: Known = { order_ids: [], checkout_ids: [] };
  const findings: Finding[] = [];
  const statuses = new Map<number, number>();
  const process_id = stack.service.process_id;
  const agent = new http.Agent({ keepAlive: true, maxSockets: senders });
  let sent = 0;

  const sendSome = async (random: Random): Promise<void> => {
    while (sent < options.requests && findings.length < findings_max) {
      sent += 1;
      if (sent % 1_000 === 0)
        options.on_progress?.(`${sent} of ${options.requests} requests, ${findings.length} findings`);
      const request = hostileRequest(
        random,
        random.chance(0.15) ? create : random.pick([first, ...others]),
        known,
      );
      const answer = await send(stack.service_url, agent, request);
      const faults = typeof answer === "string" ? [answer] : faultsOf(request, answer);
      if (typeof answer !== "string") {
        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        if (answer.status === 202 && request.target === "/api/v1/payments") remember(known, request);
      }
      if (faults.length > 0) findings.push({ request: shown(request), faults });
    }
  };
  const random = new Random(options.seed);
  await Promise.all(
    Array.from({ length: senders }, (_none, index) => sendSome(random.fork(`sender ${index}`))),
  );
  agent.destroy();
  return { findings: [...findings, ...(await faultsAfterwards(stack, process_id))], statuses };
}

function send(url: string, agent: http.Agent, request: HostileRequest): Promise<HostileAnswer | string> {
  const { hostname, port } = new URL(url);
  const started = performance.now();
  return new Promise((resolve) => {
    const body = request.body === null ? undefined : Buffer.from(request.body.toWellFormed(), "utf8");
    const headers = Object.fromEntries(
      Object.entries(request.headers).map(([name, value]) => [
        name,
        Buffer.from(value, "utf8").toString("latin1"),
      ]),
    );
    const sending = http.request(
      {
        hostname,
        port,
        agent,
        method: request.method,
        path: request.target,
        timeout: 30_000,
        headers: { ...headers, ...(body === undefined ? {} : { "content-length": body.length }) },
      },
      (response) => {
        const chunks: Buffer[] = [];
        response.on("data", (chunk: Buffer) => chunks.push(chunk));
        response.on("end", () =>
          resolve({
            status: response.statusCode ?? 0,
            headers: response.headers,
            text: Buffer.concat(chunks).toString("utf8"),
            milliseconds: performance.now() - started,
          }),
        );
        response.on("error", (error) => resolve(`the answer broke off: ${error.message}`));
      },
    );
    sending.on("timeout", () => sending.destroy(new Error("no answer within 30 s")));
    // A refusal may come before the body is read, and close the connection on the rest of it.
    sending.on("error", (error) => resolve(`no answer: ${error.message}`));
    sending.end(body);
  });
}

function remember(known: Known, { body }: HostileRequest): void {
  const { checkout_id, payment_orders } = JSON.parse(body ?? "{}") as {
    checkout_id: string;
    payment_orders: { payment_order_id: string }[];
  };
  known.checkout_ids.push(checkout_id);
  known.order_ids.push(...payment_orders.map((order) => order.payment_order_id));
}

async function faultsAfterwards(stack: TestStack, processId: number | undefined): Promise<Finding[]> {
  const faults: string[] = [];
  if (stack.service.process_id !== processId || !stack.service.is_running) faults.push("the service died");
  const moving =
    "select count(*)::int as count from payment_orders where status in ('NOT_STARTED', 'EXECUTING', 'UNKNOWN', 'RETRY_SCHEDULED')";
  const deadline = performance.now() + 60_000;
  while (Number((await stack.db.asOwner(moving))[0]?.["count"]) > 0) {
    if (performance.now() > deadline) {
      faults.push("orders did not come to rest within 60 s");
      break;
    }
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  faults.push(
    ...(await verifyBooks(stack.db.database)).flatMap((check) =>
      check.faults.map((fault) =>
        JSON.stringify(fault, (_key, value: unknown) => (typeof value === "bigint" ? String(value) : value)),
      ),
    ),
  );
  const { duplicate_orders } = await stack.effectsSummary();
  if (duplicate_orders.length > 0) faults.push(`charged twice: ${duplicate_orders.join(", ")}`);
  return faults.length === 0
    ? []
    : [{ request: { method: "", target: "afterwards", headers: {}, body: null }, faults }];
}

const shown = ({ method, target, headers, body }: HostileRequest): Finding["request"] => ({
  method,
  target: target.slice(0, 500),
  headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, value.slice(0, 200)])),
  body: body?.slice(0, 1_000) ?? null,
});
