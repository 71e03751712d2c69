/**
 * The simulated Adyen: Checkout API v72 (/payments, /payments/details, and the captures and cancels of a
 * payment) below `/adyen`, and its notifications.
 */
import { setTimeout as sleep } from "node:timers/promises";
import type { AdminRequest } from "../admin.ts";
import type { FaultName } from "../fault-names.ts";
import { FaultStrike, type Faults } from "../faults.ts";
import type { Reply } from "../idempotency.ts";
import { onceFaultCount } from "../queries.ts";
import type { Store } from "../store.ts";
import { AdyenError, invalidRequest, keyInProgress, serverError } from "./adyen-error.ts";
import { AdyenStore } from "./adyen-store.ts";
import { modificationParams, planModification } from "./modifications.ts";
import { NotificationSender } from "./notification-sender.ts";
import { objectOf, paymentParams, textOf } from "./payment-params.ts";
import { planDetails, planPayment, type Plan, type RequestFacts } from "./payments.ts";
import { DEFAULT_ADYEN, type AdyenSettings } from "./settings.ts";

const BASE = "/adyen/v72";
const KEY_MAX = 64;
const MAX_CONFLICTS = 50;
const MODIFICATION = new RegExp(`^POST ${BASE}/payments/([^/]+)/(capture|cancel)s$`);
const HTML =
  "<!DOCTYPE html>\n<html><head><title>502 Bad Gateway</title></head><body>Bad Gateway</body></html>\n";

/** A request below `/adyen`. */
export interface AdyenRequest {
  method: string;
  path: string;
  headers: Readonly<Record<string, string | string[] | undefined>>;
  body: string;
  /** Where the simulator is, as the client sees it. */
  base_url: string;
}

function replyOf(error: AdyenError): Reply {
  return {
    status: error.status,
    body: JSON.stringify(error.body()),
    headers: error.headers,
    transport: "normal",
  };
}

function strikeReply(fault: FaultName): Reply {
  switch (fault) {
    case "429": {
      const reply = replyOf(new AdyenError(429, "900", "Too many requests", "internal"));
      return { ...reply, headers: { "Retry-After": "1" } };
    }
    case "html":
      return { status: 502, body: HTML, headers: { "Content-Type": "text/html" }, transport: "normal" };
    case "disconnect_before_charge":
      return { status: 0, body: "", transport: "disconnect" };
    case "timeout_before_charge":
      return { status: 0, body: "", transport: "hang" };
    default:
      throw new Error(`${fault} does not strike before execution`);
  }
}

function errorReply(error: unknown): Reply {
  if (error instanceof FaultStrike) return strikeReply(error.fault);
  if (error instanceof AdyenError) return replyOf(error);
  // An error of the simulator itself: the client sees what a PSP would show, the reason goes to the log.
  const stack = error instanceof Error ? error.stack : null;
  process.stderr.write(`${JSON.stringify({ event: "simulator_error", error: String(error), stack })}\n`);
  return replyOf(serverError());
}

function jsonOf(body: string): unknown {
  try {
    // PostgreSQL's text cannot hold this character.
    if (!body.includes("\\u0000")) return JSON.parse(body);
  } catch {
    // Answered below.
  }
  throw new AdyenError(400, "702", "Problem reading or understanding request");
}

/**
 * The PSP behind the HTTP listener: Stripe's test cards, faults and ledger of effects, and tables of its own.
 */
export class AdyenPsp {
  readonly #settings: AdyenSettings;
  readonly #faults: Faults;
  readonly #shared: Store;
  readonly #store: AdyenStore;
  readonly #sender: NotificationSender;
  readonly #running = new Set<string>();

  constructor(store: Store, faults: Faults, settings: AdyenSettings = DEFAULT_ADYEN) {
    this.#settings = settings;
    this.#faults = faults;
    this.#shared = store;
    this.#store = new AdyenStore(store);
    this.#sender = new NotificationSender(this.#store, faults, settings.webhook);
  }

  async start(): Promise<void> {
    await this.#store.createSchema();
    await this.#sender.start();
  }

  /** The admin routes, whose reset forgets what happened here too. */
  withReset(admin: (request: AdminRequest) => Promise<Reply>): (request: AdminRequest) => Promise<Reply> {
    return async (request) => {
      if (request.method === "POST" && request.path.join("/") === "reset") {
        this.#sender.forget();
        await this.#store.empty();
      }
      return admin(request);
    };
  }

  async close(): Promise<void> {
    await this.#store.idle();
    await this.#sender.close();
  }

  /** Answers any request below `/adyen`; never throws. */
  async answer(request: AdyenRequest): Promise<Reply> {
    try {
      if (request.headers["x-api-key"] !== this.#settings.api_key) {
        throw new AdyenError(401, "000", "HTTP Status Response - Unauthorized", "security");
      }
      const { latency_ms } = this.#faults.current;
      if (latency_ms > 0) await sleep(latency_ms);
      return await this.#execute(request);
    } catch (error) {
      return errorReply(error);
    }
  }

  /** Runs each idempotency key once: within this process by memory, for ever by the database. */
  async #execute(request: AdyenRequest): Promise<Reply> {
    const header = request.headers["idempotency-key"];
    const key = typeof header === "string" && header !== "" ? header : null;
    const planOf = this.#planner(request);
    if (key === null) return this.#run(key, planOf, request);
    if (key.length > KEY_MAX)
      throw invalidRequest("702", `Idempotency keys can have up to ${KEY_MAX} characters.`);
    if (this.#running.has(key)) throw keyInProgress();
    this.#running.add(key);
    try {
      return (await this.#replay(key)) ?? (await this.#run(key, planOf, request));
    } finally {
      this.#running.delete(key);
    }
  }

  /** Adyen gives the first answer to a key again, and does not say that it compares what else was sent. */
  async #replay(key: string): Promise<Reply | undefined> {
    const stored = await this.#store.findAnswer(key);
    if (stored === null) return undefined;
    return {
      status: stored.status,
      body: stored.answer,
      headers: { "idempotency-key": key },
      transport: "normal",
    };
  }

  async #run(
    key: string | null,
    planOf: (facts: RequestFacts) => Promise<Plan>,
    { base_url }: AdyenRequest,
  ): Promise<Reply> {
    const { merchant_account, webhook } = this.#settings;
    for (let attempt = 0; attempt < MAX_CONFLICTS; attempt += 1) {
      const plan = await planOf({
        key,
        merchant_account,
        has_webhook: webhook !== null,
        base_url,
        now_ms: Date.now(),
      });
      const outcome = await this.#store.commit(plan.operation);
      if (outcome === "done") return this.#told(plan);
      const replayed = key === null || outcome === "stale" ? undefined : await this.#replay(key);
      if (replayed !== undefined) return replayed;
    }
    throw keyInProgress();
  }

  /** The answer to what is stored now; its notification leaves. */
  #told({ operation: { key, status, answer, notification }, transport }: Plan): Reply {
    if (notification !== undefined) this.#sender.send(notification);
    const headers: Record<string, string> = key === null ? {} : { "idempotency-key": key };
    return { status, body: answer, headers, transport };
  }

  #planner({ method, path, body }: AdyenRequest): (facts: RequestFacts) => Promise<Plan> {
    const [, pspReference, kind] = MODIFICATION.exec(`${method} ${path}`) ?? [];
    if (pspReference !== undefined) {
      return this.#modification(pspReference, kind === "capture" ? "capture" : "cancel", body);
    }
    switch (`${method} ${path}`) {
      case `POST ${BASE}/payments`:
        return (facts) => this.#payment(jsonOf(body), facts);
      case `POST ${BASE}/payments/details`:
        return (facts) => this.#details(jsonOf(body), facts);
      default:
        throw new AdyenError(404, "000", `The simulator knows no ${method} ${path}.`);
    }
  }

  async #payment(body: unknown, facts: RequestFacts): Promise<Plan> {
    const params = paymentParams(body, this.#settings.merchant_account);
    const decision = await this.#faults.decide(params.card, params.metadata, (key) =>
      onceFaultCount(this.#shared.reads, key),
    );
    return planPayment(params, decision, facts);
  }

  async #details(body: unknown, facts: RequestFacts): Promise<Plan> {
    const request = objectOf(body, "PaymentDetailsRequest", new Set(["details", "paymentData"]));
    const details = objectOf(request["details"], "details", new Set(["redirectResult"]));
    const [, word, pspReference = ""] =
      /^(authenticated|failed)\.(.+)$/.exec(textOf(details, "redirectResult")) ?? [];
    const pending = await this.#store.findPayment(pspReference);
    if (pending?.record.result_code !== "RedirectShopper")
      throw invalidRequest("14_002", "Invalid redirectResult");
    return planDetails(pending, word === "authenticated", facts);
  }
  #modification(pspReference: string, kind: "cancel" | "capture", body: string) {
    const fault = this.#faults.forModification();
    return async (facts: RequestFacts): Promise<Plan> => {
      const params = modificationParams(kind, jsonOf(body), this.#settings.merchant_account);
      return planModification(await this.#store.findPayment(pspReference), params, fault, facts);
    };
  }
}
