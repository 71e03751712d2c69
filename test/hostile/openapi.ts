import { readFile } from "node:fs/promises";

export type Schema = {
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly pattern?: string;
  readonly format?: string;
  readonly anyOf?: readonly Schema[];
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly items?: Schema;
  readonly minimum?: number;
};

export type Parameter = {
  readonly in: "path" | "query" | "header";
  readonly name: string;
  readonly required: boolean;
  readonly schema: Schema;
};

export type Operation = {
  readonly method: string;
  readonly path: string;
  readonly parameters: readonly Parameter[];
  /** Null: it takes no body. */
  readonly body: Schema | null;
  /** Of each success status, resolved: no `$ref` is left. */
  readonly answers: ReadonlyMap<number, Schema>;
};

type Content = { readonly content?: { readonly "application/json"?: { readonly schema: Schema } } };
type Document = {
  readonly components: { readonly schemas: Readonly<Record<string, unknown>> };
  readonly paths: Readonly<
    Record<
      string,
      Readonly<
        Record<
          string,
          {
            readonly parameters?: readonly Parameter[];
            readonly requestBody?: Content;
            readonly responses: Readonly<Record<string, Content>>;
          }
        >
      >
    >
  >;
};

/** Every operation of the committed openapi.json. */
export async function readOperations(): Promise<readonly Operation[]> {
  const document = resolved(
    JSON.parse(await readFile(new URL("../../openapi.json", import.meta.url), "utf8")),
  ) as Document;
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): Operation => ({
      method: method.toUpperCase(),
      path,
      parameters: operation.parameters ?? [],
      body: operation.requestBody?.content?.["application/json"]?.schema ?? null,
      answers: new Map(
        Object.entries(operation.responses).flatMap(([status, answer]) => {
          const schema = answer.content?.["application/json"]?.schema;
          return /^2\d\d$/.test(status) && schema !== undefined ? [[Number(status), schema]] : [];
        }),
      ),
    })),
  );
}

/** The document with each `$ref` replaced by what it names. */
function resolved(document: unknown): unknown {
  const look = (pointer: string): unknown =>
    pointer
      .split("/")
      .slice(1)
      .reduce<unknown>(
        (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
        document,
      );
  const walk = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map(walk);
    if (typeof value !== "object" || value === null) return value;
    if ("$ref" in value && typeof value.$ref === "string") return walk(look(value.$ref));
    return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, walk(member)]));
  };
  return walk(document);
}
