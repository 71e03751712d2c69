import type { Random } from "../../chaos/random.ts";
import { awkwardHeaders, awkwardTexts, awkwardValues, malformedBodies } from "./awkward.ts";
import type { Operation, Schema } from "./openapi.ts";

export type HostileRequest = {
  readonly operation: Operation;
  readonly method: string;
  /** As it goes over the wire. */
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  /** Nothing awkward was put into it. */
  readonly is_plain: boolean;
};

/** Ids that exist by now, for what must be found. */
export type Known = { readonly order_ids: string[]; readonly checkout_ids: string[] };

type Draft = {
  values: Map<string, unknown>;
  body: unknown;
  headers: Record<string, string>;
  text: string | null;
  method: string;
};

let made = 0;

/** A request of the operation as a client would send it, with up to three things about it changed. */
export function hostileRequest(random: Random, operation: Operation, known: Known): HostileRequest {
  const draft: Draft = {
    values: new Map(
      operation.parameters
        .filter((one) => one.required || random.chance(0.2))
        .map((one) => [one.name, valueOf(random, one.schema, one.name, known)]),
    ),
    body: operation.body === null ? undefined : bodyOf(random, operation, known),
    headers: { authorization: "Bearer sk_dev" },
    text: null,
    method: operation.method,
  };
  const changes = random.pick([0, 1, 1, 1, 2, 3]);
  for (let i = 0; i < changes; i++) change(random, operation, draft);
  const body = draft.text ?? (draft.body === undefined ? null : (JSON.stringify(draft.body) ?? null));
  if (body !== null) draft.headers["content-type"] ??= "application/json";
  return {
    operation,
    method: draft.method,
    target: targetOf(operation, draft),
    headers: draft.headers,
    body,
    is_plain: changes === 0,
  };
}

function change(random: Random, operation: Operation, draft: Draft): void {
  const kind = random.pick(["parameter", "parameter", "body", "body", "body", "header", "text", "method"]);
  switch (kind) {
    case "parameter": {
      const names = [
        ...operation.parameters.filter((one) => one.in !== "header").map((one) => one.name),
        "unknown",
      ];
      draft.values.set(random.pick([names[0] ?? "unknown", ...names]), random.pick(awkwardTexts));
      return;
    }
    case "body":
      if (draft.body !== undefined) draft.body = changedValue(random, draft.body);
      return;
    case "header": {
      const [name, value] = awkwardHeaders[random.integer(0, awkwardHeaders.length - 1)] ?? ["accept", "*/*"];
      draft.headers[name] = value;
      return;
    }
    case "text":
      if (operation.method !== "GET") draft.text = random.pick(malformedBodies);
      return;
    case "method":
      if (random.chance(0.2)) draft.method = random.pick(["PUT", "DELETE", "PATCH", "OPTIONS", "HEAD"]);
      return;
  }
}

/** The value with one place in it replaced, removed, or given a neighbour that nobody asked for. */
function changedValue(random: Random, value: unknown): unknown {
  if (typeof value !== "object" || value === null || random.chance(0.15)) {
    return random.chance(0.7) ? random.pick(awkwardTexts) : random.pick(awkwardValues);
  }
  if (Array.isArray(value)) {
    if (value.length === 0 || random.chance(0.2)) return [...value, random.pick(awkwardValues)];
    const index = random.integer(0, value.length - 1);
    return value.map((member: unknown, at) => (at === index ? changedValue(random, member) : member));
  }
  const entries = Object.entries(value);
  const index = random.integer(0, entries.length);
  const [name, member] = entries[index] ?? [random.pick(awkwardTexts), undefined];
  if (random.chance(0.15)) return Object.fromEntries(entries.filter((_entry, at) => at !== index));
  return { ...value, [name]: changedValue(random, member) };
}

function targetOf({ path, parameters }: Operation, { values }: Draft): string {
  const text = (name: string): string => encoded(String(values.get(name) ?? ""));
  const filled = path.replaceAll(/\{([^}]+)\}/g, (_match, name: string) => text(name));
  const inPath = new Set(parameters.filter((one) => one.in === "path").map((one) => one.name));
  const inHeader = new Set(parameters.filter((one) => one.in === "header").map((one) => one.name));
  const query = [...values.keys()]
    .filter((name) => !inPath.has(name) && !inHeader.has(name))
    .map((name) => `${encoded(name)}=${text(name)}`);
  return query.length === 0 ? filled : `${filled}?${query.join("&")}`;
}

/** Percent signs that stand in the text already are sent as they are: a half one must not harm either. */
function encoded(text: string): string {
  return text.toWellFormed().replaceAll(/[^\w.~%-]/gu, (character) => encodeURIComponent(character));
}

function bodyOf(random: Random, { path, body }: Operation, known: Known): unknown {
  const value = body === null ? undefined : valueOf(random, body, "", known);
  if (!path.endsWith("/payments") || typeof value !== "object" || value === null) return value;
  // One way to pay, and an account that is there.
  const {
    hosted_page: _page,
    external: _external,
    ...rest
  } = { hosted_page: null, external: null, ...value };
  return {
    ...rest,
    credit_card_info: { token: random.pick(["tok_visa_4242", "tok_visa_4242", "tok_chargeDeclined"]) },
  };
}

const samples: Readonly<Record<string, (random: Random, known: Known) => unknown>> = {
  checkout_id: (random, { checkout_ids }) => existing(random, checkout_ids) ?? `hostile-checkout-${++made}`,
  payment_order_id: (random, { order_ids }) => existing(random, order_ids) ?? `hostile-order-${++made}`,
  amount: (random) => random.pick(["10.00", "0.01", "29.99", "500"]),
  currency: (random) => random.pick(["USD", "EUR", "JPY"]),
  email: () => "alice@example.com",
  user_id: () => "buyer_alice",
  seller_account: (random) => random.pick(["seller_bob", "seller_zoë", "seller 3"]),
  account: () => "seller:seller_bob:pending",
  account_id: (random) => random.pick(["seller_bob", "seller:seller_bob:pending", "nobody"]),
  return_url: () => "https://shop.example/thanks",
  website: () => "https://shop.example",
  phone: () => "+4915112345678",
  limit: (random) => random.integer(1, 100),
  psp: () => "stripe",
  capture_id: () => `hostile-capture-${++made}`,
};

/** Half of the time something that is there already. */
const existing = (random: Random, ids: readonly string[]): string | undefined =>
  ids.length > 0 && random.chance(0.5) ? ids[random.integer(0, ids.length - 1)] : undefined;

function valueOf(random: Random, schema: Schema, name: string, known: Known): unknown {
  const sample = samples[name];
  if (sample !== undefined && schema.properties === undefined) return sample(random, known);
  const [first, ...others] = schema.enum ?? [];
  if (first !== undefined) return random.pick([first, ...others]);
  const [choice, ...choices] = schema.anyOf ?? [];
  if (choice !== undefined) return valueOf(random, random.pick([choice, ...choices]), name, known);
  switch (schema.type) {
    case "object":
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(([key]) => schema.required?.includes(key) === true || random.chance(0.4))
          .map(([key, member]) => [key, valueOf(random, member, key, known)]),
      );
    case "array":
      return Array.from({ length: random.integer(1, 2) }, () =>
        valueOf(random, schema.items ?? {}, name, known),
      );
    case "integer":
    case "number":
      return random.integer(schema.minimum ?? 0, (schema.minimum ?? 0) + 50);
    case "boolean":
      return random.chance(0.5);
    case "null":
      return null;
    default:
      return textOf(schema);
  }
}

function textOf({ format, pattern }: Schema): string {
  if (format === "date-time") return "2026-01-02T03:04:05Z";
  if (pattern?.includes("[A-Z]{2}") === true) return "DE";
  if (pattern?.includes("[A-Z]{3}") === true) return "USD";
  if (pattern?.includes("[0-9]{4}") === true) return "4242";
  return "text";
}
