import { AppError } from "../errors.ts";

/**
 * A currency alone has no index: one that is rare or absent read every row, half a second for a million, and an index would
 * cost each payment more than the filter is worth. Errors: `invalid_request`.
 */
export function assertNarrowed(query: { readonly currency?: string } & Readonly<Record<string, unknown>>, companions: readonly string[]): void {
  if (query.currency === undefined || companions.some((name) => query[name] !== undefined)) return;
  throw new AppError("invalid_request", `The filter currency needs one of these beside it: ${companions.join(", ")}.`, { param: "currency" });
}
