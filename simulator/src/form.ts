/** A decoded value of a form or a query: text, or a nested map (lists are maps with the keys "0", "1", …). */
export type FormValue = string | FormMap;
export interface FormMap extends Map<string, FormValue> {}

export interface DecodedForm {
  values: FormMap;
  /** The pairs in a canonical order: two requests with the same parameters have the same text. */
  canonical: string;
}

const EMPTY: DecodedForm = { values: new Map(), canonical: "" };

function decodePart(text: string): string {
  if (!text.includes("%") && !text.includes("+")) return text;
  const spaced = text.replaceAll("+", " ");
  try {
    return decodeURIComponent(spaced);
  } catch {
    return spaced;
  }
}

/** `a[b][0]` → ["a", "b", "0"]; a text without brackets is one key. */
function keyPath(key: string): string[] {
  const open = key.indexOf("[");
  if (open <= 0 || !key.endsWith("]")) return [key];
  return [key.slice(0, open), ...key.slice(open + 1, -1).split("][")];
}

function put(target: FormMap, key: string, value: string): void {
  const path = keyPath(key);
  const last = path.pop() ?? key;
  let map = target;
  for (const step of path) {
    const name = step === "" ? String(map.size) : step;
    const found = map.get(name);
    if (found instanceof Map) {
      map = found;
    } else {
      const nested: FormMap = new Map();
      map.set(name, nested);
      map = nested;
    }
  }
  map.set(last === "" ? String(map.size) : last, value);
}

/** Decodes `a[b][0]=x&c=y`, the way Stripe's clients encode bodies and queries. */
export function decodeForm(text: string): DecodedForm {
  if (text === "") return EMPTY;
  const values: FormMap = new Map();
  const pairs: string[] = [];
  for (const pair of text.split("&")) {
    if (pair === "") continue;
    const equals = pair.indexOf("=");
    const key = decodePart(equals < 0 ? pair : pair.slice(0, equals));
    const value = equals < 0 ? "" : decodePart(pair.slice(equals + 1));
    // The lengths keep a key or value that itself holds "=" or a line break from looking like another pair.
    pairs.push(`${key.length}.${value.length}:${key}=${value}`);
    put(values, key, value);
  }
  return { values, canonical: pairs.toSorted().join("\n") };
}
