import { renderCharge } from "./render-charge.ts";
import { renderIntent } from "./render.ts";
import type { FormMap } from "./form.ts";
import { expandParam } from "./intent-params.ts";
import { optionalInteger, optionalText, refuseUnknown } from "./params.ts";
import { chargesById, findIntent, listCharges, listIntents, type Page, type PageResult } from "./queries.ts";
import type { ChargeRecord, IntentRecord } from "./records.ts";
import { parseSearch } from "./search-query.ts";
import type { Store } from "./store.ts";
import { invalidRequest, missingObject } from "./stripe-error.ts";

const PAGE_PARAMS = ["created", "ending_before", "expand", "limit", "starting_after"];
const CREATED: ReadonlySet<string> = new Set(["gt", "gte", "lt", "lte"]);

function limitParam(form: FormMap): number {
  const limit = optionalInteger(form, "limit") ?? 10;
  if (limit < 1 || limit > 100) {
    throw invalidRequest("Invalid limit: it must be from 1 to 100.", {
      code: "parameter_invalid_integer",
      param: "limit",
    });
  }
  return limit;
}

function createdParam(form: FormMap): Pick<Page, "created_gte" | "created_lt"> {
  const value = form.get("created");
  if (value === undefined || value === "") return {};
  if (typeof value === "string") {
    const exact = optionalInteger(form, "created") ?? 0;
    return { created_gte: exact, created_lt: exact + 1 };
  }
  refuseUnknown(value, CREATED, "created");
  const bound = (key: string, add: number): number | undefined => {
    const seconds = optionalInteger(value, key, "created");
    return seconds === undefined ? undefined : Math.max(0, seconds + add);
  };
  return { created_gte: bound("gte", 0) ?? bound("gt", 1), created_lt: bound("lt", 0) ?? bound("lte", 1) };
}

/** The page a list's parameters ask for; `more` are the list's own parameters. */
export function pageOf(form: FormMap, more: readonly string[]): Page {
  refuseUnknown(form, new Set([...PAGE_PARAMS, ...more]));
  return {
    limit: limitParam(form),
    starting_after: optionalText(form, "starting_after"),
    ending_before: optionalText(form, "ending_before"),
    ...createdParam(form),
  };
}

/** Stripe's list object. */
export function listBody(url: string, page: PageResult<unknown>): unknown {
  return { object: "list", data: page.data, has_more: page.has_more, url };
}

async function renderIntents(
  store: Store,
  intents: readonly IntentRecord[],
  expand: readonly string[],
): Promise<unknown[]> {
  const wanted = expand.includes("latest_charge")
    ? intents.flatMap((intent) => intent.latest_charge ?? [])
    : [];
  const charges: Map<string, ChargeRecord> = await chargesById(store.reads, wanted);
  return intents.map((intent) =>
    renderIntent(intent, { charge: charges.get(intent.latest_charge ?? ""), expand }),
  );
}

/** GET /v1/payment_intents */
export async function listPaymentIntents(store: Store, form: FormMap): Promise<unknown> {
  const page = await listIntents(store.reads, pageOf(form, []));
  const data = await renderIntents(store, page.data, expandParam(form, "data."));
  return listBody("/v1/payment_intents", { data, has_more: page.has_more });
}

/** GET /v1/payment_intents/search */
export async function searchPaymentIntents(store: Store, form: FormMap): Promise<unknown> {
  refuseUnknown(form, new Set(["expand", "limit", "page", "query"]));
  const expand = expandParam(form, "data.");
  const { metadata, status } = parseSearch(optionalText(form, "query"));
  const page = await listIntents(store.reads, {
    limit: limitParam(form),
    starting_after: optionalText(form, "page"),
    metadata,
    status,
  });
  return {
    object: "search_result",
    data: await renderIntents(store, page.data, expand),
    has_more: page.has_more,
    next_page: page.has_more ? (page.data.at(-1)?.id ?? null) : null,
    url: "/v1/payment_intents/search",
  };
}

/** GET /v1/payment_intents/:id */
export async function retrievePaymentIntent(store: Store, id: string, form: FormMap): Promise<unknown> {
  refuseUnknown(form, new Set(["client_secret", "expand"]));
  const expand = expandParam(form);
  const intent = await findIntent(store.reads, id);
  if (intent === null) throw missingObject("payment_intent", id, "intent", 404);
  const [rendered] = await renderIntents(store, [intent], expand);
  return rendered;
}

/** GET /v1/charges */
export async function listAllCharges(store: Store, form: FormMap): Promise<unknown> {
  const page = await listCharges(
    store.reads,
    pageOf(form, ["payment_intent"]),
    optionalText(form, "payment_intent"),
  );
  return listBody("/v1/charges", { data: page.data.map(renderCharge), has_more: page.has_more });
}
