import type { FormMap } from "./form.ts";
import { newId, randomText } from "./ids.ts";
import { metadataParam, missingParam, optionalText, refuseUnknown, textList } from "./params.ts";
import type { Plan, RequestFacts } from "./plan.ts";
import { allEndpoints, deleteEndpoint } from "./queries.ts";
import type { EndpointRecord, EventType } from "./records.ts";
import { renderEndpoint } from "./render.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

const CREATE_PARAMS: ReadonlySet<string> = new Set([
  "api_version",
  "description",
  "enabled_events",
  "expand",
  "metadata",
  "url",
]);
const ENVIRONMENT_EVENTS = [
  "payment_intent.succeeded",
  "payment_intent.payment_failed",
  "payment_intent.canceled",
  "payment_intent.requires_action",
  "payment_intent.amount_capturable_updated",
  "checkout.session.completed",
  "checkout.session.expired",
];

/** The registered endpoints, kept in memory because every charge asks for them. */
export class WebhookEndpoints {
  readonly #store: Store;
  #byId = new Map<string, EndpointRecord>();

  constructor(store: Store) {
    this.#store = store;
  }

  async load(): Promise<void> {
    this.#byId = new Map((await allEndpoints(this.#store.reads)).map((endpoint) => [endpoint.id, endpoint]));
  }

  get(id: string): EndpointRecord | undefined {
    return this.#byId.get(id);
  }

  /** Newest first. */
  all(): EndpointRecord[] {
    return [...this.#byId.values()].toSorted((a, b) => (a.id < b.id ? 1 : -1));
  }

  remember(endpoint: EndpointRecord): void {
    this.#byId.set(endpoint.id, endpoint);
  }

  async remove(id: string): Promise<void> {
    if (!this.#byId.has(id)) throw missingObject("webhook endpoint", id, "id", 404);
    await deleteEndpoint(this.#store.reads, id);
    this.#byId.delete(id);
  }

  /** The ids of the endpoints that want this type of event. */
  wanting(type: EventType): string[] {
    const ids: string[] = [];
    for (const { id, enabled_events, status } of this.#byId.values()) {
      if (status === "enabled" && (enabled_events.includes("*") || enabled_events.includes(type)))
        ids.push(id);
    }
    return ids;
  }

  /** Registers the endpoint from the environment, or updates the one registered by an earlier start. */
  async registerFromEnvironment(
    webhook: { url: string; secret: string } | null,
    nowMs: number,
  ): Promise<void> {
    const earlier = this.all().filter((endpoint) => endpoint.from_environment);
    const kept = webhook === null ? undefined : earlier[0];
    for (const endpoint of earlier) if (endpoint !== kept) await this.remove(endpoint.id);
    if (webhook === null) return;
    const endpoint: EndpointRecord = {
      id: kept?.id ?? newId("we", nowMs),
      created: kept?.created ?? Math.floor(nowMs / 1_000),
      url: webhook.url,
      secret: webhook.secret,
      enabled_events: ENVIRONMENT_EVENTS,
      description: "from the environment",
      metadata: {},
      api_version: null,
      status: "enabled",
      from_environment: true,
    };
    await this.#store.commit({ request: null, writes: { endpoint }, deliveries: [] });
    this.remember(endpoint);
  }
}

/** POST /v1/webhook_endpoints */
export function createEndpoint(form: FormMap, facts: RequestFacts): Plan {
  refuseUnknown(form, CREATE_PARAMS);
  const url = optionalText(form, "url");
  if (url === undefined) throw missingParam("url");
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw invalidRequest("Invalid URL: An explicit scheme (such as https) must be provided.", {
      code: "url_invalid",
      param: "url",
    });
  }
  const events = textList(form, "enabled_events");
  if (events.length === 0) throw missingParam("enabled_events");
  const endpoint: EndpointRecord = {
    id: newId("we", facts.now_ms),
    created: Math.floor(facts.now_ms / 1_000),
    url,
    secret: `whsec_${randomText(32)}`,
    enabled_events: events,
    description: optionalText(form, "description") ?? null,
    metadata: metadataParam(form),
    api_version: optionalText(form, "api_version") ?? null,
    status: "enabled",
    from_environment: false,
  };
  const answer = { kind: "body", body: renderEndpoint(endpoint, true) } as const;
  return { status: 200, answer, writes: { endpoint }, transport: "normal" };
}
