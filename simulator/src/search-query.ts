import { missingParam } from "./params.ts";
import type { Metadata } from "./records.ts";
import { invalidRequest } from "./stripe-error.ts";

export interface SearchQuery {
  metadata?: Metadata;
  status?: string;
}

const CLAUSE =
  /^\s*(?:metadata\[(["'])([^"']+)\1\]|(status))\s*:\s*(["'])((?:\\.|(?!\4).)*)\4\s*(?:(AND|and)\s+|$)/;

/**
 * Stripe's search language, as far as it goes here: `metadata['key']:'value'` and `status:'…'` joined by AND.
 * Anything else is a 400.
 */
export function parseSearch(query: string | undefined): SearchQuery {
  if (query === undefined) throw missingParam("query");
  const metadata: Record<string, string> = {};
  const found: SearchQuery = {};
  let rest = query;
  while (rest.trim() !== "") {
    const match = CLAUSE.exec(rest);
    const value = match?.[5];
    if (match === null || value === undefined) throw unreadable(query);
    const plain = value.replaceAll(/\\(.)/g, "$1");
    if (match[2] === undefined) found.status = plain;
    else metadata[match[2]] = plain;
    rest = rest.slice(match[0].length);
    if (match[6] !== undefined && rest.trim() === "") throw unreadable(query);
  }
  if (Object.keys(metadata).length > 0) found.metadata = metadata;
  if (found.metadata === undefined && found.status === undefined) throw unreadable(query);
  return found;
}

function unreadable(query: string): Error {
  return invalidRequest(
    `We were unable to parse your search query: ${query}. The simulator knows metadata['key']:'value' and ` +
      "status:'value', joined by AND.",
    { param: "query" },
  );
}
