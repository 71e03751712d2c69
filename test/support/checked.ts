import { Type, type Static, type TSchema } from "typebox";
import { Value } from "typebox/value";

/** The value as the schema describes it; an error says where they differ. */
export function checked<Schema extends TSchema>(value: unknown, schema: Schema): Static<Schema> {
  if (Value.Check(schema, value)) return value;
  const faults = Value.Errors(schema, value).map(({ instancePath, message }) => `${instancePath} ${message}`);
  throw new Error(`not as its schema says: ${faults.join("; ")} in ${JSON.stringify(value)}`);
}

export function readJson<Schema extends TSchema>(text: string, schema: Schema): Static<Schema> {
  return checked(JSON.parse(text), schema);
}

/** The id of a JSON object, such as a PSP's event. */
export const idIn = (text: string): string => readJson(text, Type.Object({ id: Type.String() })).id;
