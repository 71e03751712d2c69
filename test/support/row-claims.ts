/** What a row type says of the columns of a statement, against what the statement gives. */
import pg from "pg";
import { TypeFlags, type Project, type Type } from "typescript/unstable/sync";

/** How the driver hands over a value, such as `list of string`. Whether it may be null is not compared. */
type Kind = string;

type ClaimedColumn = {
  /** Several if variants of the row differ, none if it is always null. */
  readonly kinds: ReadonlySet<Kind>;
  /** The names in the objects that it holds, or that its list holds. */
  readonly names_inside: ReadonlySet<string>;
};

export type Claim = {
  readonly columns: ReadonlyMap<string, ClaimedColumn>;
  /** Of columns that the type does not name, if it allows such. */
  readonly others?: ClaimedColumn;
};

export type Column = { readonly name: string; readonly type_oid: number };

type Checker = Project["checker"];

/** Reads claims from types. It remembers columns: each question goes to the compiler's process. */
export class ClaimReader {
  readonly #checker: Checker;
  readonly #columns = new Map<number, ClaimedColumn>();

  constructor(checker: Checker) {
    this.#checker = checker;
  }

  /** Null: the type says nothing, as `object` does. */
  claimOf(row: Type): Claim | null {
    if ((row.flags & (TypeFlags.AnyOrUnknown | TypeFlags.NonPrimitive)) !== 0) return null;
    const columns = new Map<string, ClaimedColumn>();
    for (const property of variantsOf(row).flatMap((variant) => this.#checker.getPropertiesOfType(variant))) {
      const type = this.#checker.getTypeOfSymbol(property);
      const column = type === undefined ? nothing : this.#columnOf(type);
      const before = columns.get(property.name) ?? nothing;
      columns.set(property.name, {
        kinds: new Set([...before.kinds, ...column.kinds]),
        names_inside: new Set([...before.names_inside, ...column.names_inside]),
      });
    }
    const [index] = this.#checker.getIndexInfosOfType(row);
    return { columns, ...(index === undefined ? {} : { others: this.#columnOf(index.valueType) }) };
  }

  #columnOf(nullable: Type): ClaimedColumn {
    if ((nullable.flags & TypeFlags.Nullable) !== 0) return nothing;
    const known = this.#columns.get(nullable.id);
    if (known !== undefined) return known;
    const type = this.#checker.getNonNullableType(nullable) ?? nullable;
    const column = { kinds: new Set([this.#kindOf(type)]), names_inside: new Set(this.#namesInside(type)) };
    this.#columns.set(nullable.id, column);
    return column;
  }

  #kindOf(type: Type): Kind {
    const checker = this.#checker;
    if ((type.flags & TypeFlags.AnyOrUnknown) !== 0) return "anything";
    const primitives = {
      string: checker.getStringType(),
      number: checker.getNumberType(),
      bigint: checker.getBigIntType(),
      boolean: checker.getBooleanType(),
    };
    for (const [name, primitive] of Object.entries(primitives))
      if (checker.isTypeAssignableTo(type, primitive)) return name;
    const name = type.getSymbol()?.name;
    if (name === "Buffer" || name === "Date") return name;
    const element = this.#elementOf(type);
    return element === undefined ? "object" : `list of ${this.#kindOf(element)}`;
  }

  #elementOf(type: Type): Type | undefined {
    if (!this.#checker.isArrayLikeType(type) || !type.isTypeReference()) return undefined;
    return this.#checker.getTypeArguments(type)[0];
  }

  #namesInside(type: Type): string[] {
    const inner = this.#elementOf(type) ?? type;
    if (this.#kindOf(inner) !== "object") return [];
    const properties = variantsOf(inner).flatMap((variant) => this.#checker.getPropertiesOfType(variant));
    return properties.map(({ name }) => name);
  }
}

const nothing: ClaimedColumn = { kinds: new Set(), names_inside: new Set() };
const variantsOf = (type: Type): readonly Type[] => (type.isUnionType() ? (type.getTypes() ?? []) : [type]);

const { builtins } = pg.types;
const parserOf: (oid: number, format: "text") => (text: string) => unknown = pg.types.getTypeParser;
const json = new Set<number>([builtins.JSON, builtins.JSONB]);
/** What our pools read in their own way. */
const ours = new Map<number, Kind>([
  [builtins.INT8, "bigint"],
  [builtins.TIMESTAMPTZ, "string"],
]);

/** Asked of the driver's own parsers: a list of an enum's values, for one, comes as a string. */
function kindOfColumn(oid: number, isBare: boolean): Kind {
  if (json.has(oid)) return "json";
  const own = isBare ? undefined : ours.get(oid);
  if (own !== undefined) return own;
  const parse = parserOf(oid, "text");
  const list = parse("{2026-01-01}");
  return Array.isArray(list) ? `list of ${kindOfValue(list[0])}` : kindOfValue(parse("2026-01-01"));
}

function kindOfValue(value: unknown): Kind {
  if (Buffer.isBuffer(value)) return "Buffer";
  return value instanceof Date ? "Date" : typeof value;
}

/** What a claim has wrong about a statement. `is_bare`: it is sent by the driver without our pools' types. */
export function disagreements(
  claim: Claim,
  { text, is_bare }: { readonly text: string; readonly is_bare: boolean },
  columns: readonly Column[],
): string[] {
  const names = columns.map(({ name }) => name);
  return [
    ...names.filter((name, index) => names.indexOf(name) !== index).map((name) => `gives ${name} twice`),
    ...[...claim.columns.keys()]
      .filter((name) => !names.includes(name))
      .map((name) => `does not give ${name}, which its row type has`),
    ...columns.flatMap(({ name, type_oid }) => {
      const claimed = claim.columns.get(name) ?? claim.others;
      if (claimed === undefined) return [`gives ${name}, which its row type does not have`];
      const kind = kindOfColumn(type_oid, is_bare);
      return [
        ...[...claimed.kinds]
          .filter((one) => !isKind(one, kind))
          .map((one) => `gives ${name} as ${kind}, its row type says ${one}`),
        ...[...(kind === "json" ? claimed.names_inside : [])]
          .filter((inner) => !mayBuild(text, inner))
          .map((inner) => `does not build ${name}.${inner}, which its row type has`),
      ];
    }),
  ];
}

function isKind(claimed: Kind, given: Kind): boolean {
  if (claimed === "anything") return true;
  return given === "json" ? claimed === "object" || claimed.startsWith("list of ") : claimed === given;
}

/** PostgreSQL does not tell what JSON holds: where a statement builds some, its text must have the name. */
const mayBuild = (text: string, name: string): boolean =>
  !/\bjsonb?_build_object\(/.test(text) || text.includes(`'${name}'`);
