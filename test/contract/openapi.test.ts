import { readFile } from "node:fs/promises";
import { beforeAll, expect, test } from "vitest";
import { openApiFile, printOpenApi } from "../../scripts/openapi.ts";

type Json = { readonly [name: string]: unknown };
const objectOf = (value: unknown): Json =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Json) : {};
const textsOf = (value: unknown): string[] => (Array.isArray(value) ? value.map(String) : []);

type Operation = { readonly path: string; readonly method: string; readonly operation: Json };

let text: string;
let document: Json;
let operations: Operation[];
beforeAll(async () => {
  text = await readFile(openApiFile, "utf8");
  document = objectOf(JSON.parse(text));
  operations = Object.entries(objectOf(document["paths"])).flatMap(([path, item]) =>
    Object.entries(objectOf(item)).map(([method, operation]) => ({
      path,
      method,
      operation: objectOf(operation),
    })),
  );
});

const isOpen = ({ operation }: Operation): boolean =>
  Array.isArray(operation["security"]) && operation["security"].length === 0;
const nameOf = ({ method, path }: Operation): string => `${method.toUpperCase()} ${path}`;

/** Every schema in the document, with where it stands. */
function schemas(): { where: string; schema: Json }[] {
  const found: { where: string; schema: Json }[] = [];
  const walk = (value: unknown, where: string, isSchema: boolean): void => {
    if (Array.isArray(value)) value.forEach((member, index) => walk(member, `${where}/${index}`, isSchema));
    if (typeof value !== "object" || value === null || Array.isArray(value)) return;
    const isMap = isSchema && where.endsWith("/properties");
    if (isSchema && !isMap) found.push({ where, schema: objectOf(value) });
    for (const [name, member] of Object.entries(value)) {
      walk(
        member,
        `${where}/${name}`,
        isSchema
          ? isMap || ["properties", "items", "anyOf", "allOf", "oneOf", "additionalProperties"].includes(name)
          : name === "schema",
      );
    }
  };
  walk(document["paths"], "paths", false);
  for (const [name, schema] of Object.entries(objectOf(objectOf(document["components"])["schemas"])))
    walk(schema, `components/schemas/${name}`, true);
  return found;
}

function resolve(reference: string): unknown {
  if (!reference.startsWith("#/")) return undefined;
  return reference
    .slice(2)
    .split("/")
    .reduce<unknown>(
      (value, part) => objectOf(value)[part.replaceAll("~1", "/").replaceAll("~0", "~")],
      document,
    );
}

test("the committed openapi.json is what the routes say; `npm run openapi` writes it", async () => {
  expect(text).toBe(await printOpenApi());
});

test("it is an OpenAPI 3.1 document with a title, a version and a security scheme that exists", () => {
  expect(document["openapi"]).toMatch(/^3\.1\.\d+$/);
  expect(document["info"]).toMatchObject({
    title: expect.stringMatching(/./),
    version: expect.stringMatching(/./),
  });
  const schemes = Object.keys(objectOf(objectOf(document["components"])["securitySchemes"]));
  const required = [
    document["security"],
    ...operations.map(({ operation }) => operation["security"]),
  ].flatMap((security) => (Array.isArray(security) ? security : []));
  expect(
    required
      .flatMap((requirement) => Object.keys(objectOf(requirement)))
      .filter((name) => !schemes.includes(name)),
  ).toEqual([]);
});

test("every operation has an id of its own, a summary and a success with a description", () => {
  const ids = operations.map(({ operation }) => operation["operationId"]);
  expect(new Set(ids)).toHaveLength(operations.length);
  for (const one of operations) {
    expect([nameOf(one), one.operation["operationId"], one.operation["summary"]]).toEqual([
      nameOf(one),
      expect.stringMatching(/^[a-z][A-Za-z]+$/),
      expect.stringMatching(/./),
    ]);
    const responses = Object.entries(objectOf(one.operation["responses"]));
    expect([nameOf(one), responses.some(([status]) => /^2\d\d$/.test(status))]).toEqual([nameOf(one), true]);
    for (const [, response] of responses)
      expect(objectOf(response)["description"]).toEqual(expect.stringMatching(/./));
  }
});

test("every parameter is named once, and those of a path are exactly the required ones in it", () => {
  for (const one of operations) {
    const parameters = (Array.isArray(one.operation["parameters"]) ? one.operation["parameters"] : []).map(
      objectOf,
    );
    const keys = parameters.map((parameter) => `${String(parameter["in"])} ${String(parameter["name"])}`);
    expect(new Set(keys)).toHaveLength(keys.length);
    const inPath = parameters
      .filter((parameter) => parameter["in"] === "path" && parameter["required"] === true)
      .map((parameter) => String(parameter["name"]));
    expect([nameOf(one), inPath.toSorted()]).toEqual([
      nameOf(one),
      [...one.path.matchAll(/\{(\w+)\}/g)].map((match) => match[1] ?? "").toSorted(),
    ]);
  }
});

test("every reference leads somewhere, and every schema is one: known types, required fields that exist, patterns that compile", () => {
  const types = ["string", "integer", "boolean", "object", "array", "null", "number"];
  const found = schemas();
  expect(found.length).toBeGreaterThan(100);
  for (const { where, schema } of found) {
    const { $ref, type, required, properties, pattern } = schema;
    if (typeof $ref === "string") expect([where, typeof resolve($ref)]).toEqual([where, "object"]);
    if (type !== undefined) expect([where, types.includes(String(type))]).toEqual([where, true]);
    expect([where, textsOf(required).filter((field) => objectOf(properties)[field] === undefined)]).toEqual([
      where,
      [],
    ]);
    if (typeof pattern === "string") expect(() => new RegExp(pattern, "u")).not.toThrow();
  }
});

test("no schema is a JSON number that could hold money: integers are counts or rates, fractions are durations", () => {
  const propertyOf = (where: string): string =>
    where.endsWith("/schema") ? "a parameter" : (/.*\/properties\/([^/]+)/.exec(where)?.[1] ?? where);
  const named = (type: string): string[] =>
    schemas()
      .filter(({ schema }) => schema["type"] === type)
      .map(({ where }) => propertyOf(where));
  expect(named("number").filter((name) => !name.endsWith("_ms"))).toEqual([]);
  expect(
    named("integer").filter(
      (name) =>
        name !== "a parameter" &&
        name !== "status" &&
        name !== "basis_points" &&
        name !== "version" &&
        !name.endsWith("_count") &&
        !name.endsWith("_number") &&
        !name.endsWith("_seconds"),
    ),
  ).toEqual([]);
});

test("requests are closed: a body with a field that is not known is refused", () => {
  const bodies = operations.filter(({ operation }) => operation["requestBody"] !== undefined);
  expect(bodies.length).toBeGreaterThan(3);
  for (const one of bodies) {
    const content = objectOf(objectOf(objectOf(one.operation["requestBody"])["content"])["application/json"]);
    expect([nameOf(one), objectOf(content["schema"])["additionalProperties"]]).toEqual([nameOf(one), false]);
  }
});

test("every route that asks for a key says how it fails, in the one shape of failures", () => {
  const problem = ["type", "title", "status", "detail", "instance", "code", "param", "errors"];
  const keyed = operations.filter((one) => !isOpen(one) && nameOf(one) !== "GET /api/v1");
  expect(keyed.length).toBeGreaterThan(15);
  for (const one of keyed) {
    for (const status of ["4XX", "5XX"]) {
      const [content] = Object.values(
        objectOf(objectOf(objectOf(one.operation["responses"])[status])["content"]),
      );
      expect([nameOf(one), status, textsOf(objectOf(objectOf(content)["schema"])["required"])]).toEqual([
        nameOf(one),
        status,
        problem,
      ]);
    }
  }
});

test("failures are declared with the media type that they are sent with", () => {
  const declared = new Set(
    operations.flatMap(({ operation }) =>
      Object.entries(objectOf(operation["responses"]))
        .filter(([status]) => /^[45]/.test(status))
        .flatMap(([, response]) => Object.keys(objectOf(objectOf(response)["content"]))),
    ),
  );
  expect([...declared]).toEqual(["application/problem+json"]);
});

test("every list pages by cursor, up to 100 rows at once", () => {
  const lists = operations.filter(({ operation }) => {
    const [success] = Object.entries(objectOf(operation["responses"])).filter(([status]) => status === "200");
    const properties = objectOf(
      objectOf(objectOf(objectOf(objectOf(success?.[1])["content"])["application/json"])["schema"])[
        "properties"
      ],
    );
    return objectOf(properties["next_cursor"])["anyOf"] !== undefined;
  });
  expect(lists.length).toBeGreaterThan(4);
  for (const one of lists) {
    const parameters = (Array.isArray(one.operation["parameters"]) ? one.operation["parameters"] : []).map(
      objectOf,
    );
    const limit = parameters.find((parameter) => parameter["name"] === "limit");
    expect([nameOf(one), limit?.["schema"]]).toEqual([
      nameOf(one),
      expect.objectContaining({ type: "integer", minimum: 1, maximum: 100 }),
    ]);
    expect(parameters.map((parameter) => parameter["name"])).toContain("cursor");
  }
});

test("the money-moving POSTs tell of the Idempotency-Key that they take", () => {
  const moving = ["createPayment", "retryPayment", "cancelPayment"];
  const without = operations
    .filter(({ operation }) => moving.includes(String(operation["operationId"])))
    .filter(
      ({ operation }) =>
        !(Array.isArray(operation["parameters"]) ? operation["parameters"] : []).some((parameter) =>
          /^idempotency-key$/i.test(String(objectOf(parameter)["name"])),
        ),
    );
  expect(without.map(nameOf)).toEqual([]);
});
