import { AppError } from "../errors.ts";

/**
 * A currency alone has no index: a rare or absent one read every row, half a second for a million. An index
 * would cost each payment more than the filter is worth. Errors: `invalid_request`.
 */
export function assertNarrowed(
  query: { readonly currency?: string } & Readonly<Record<string, unknown>>,
  companions: readonly string[],
): void {
  if (query.currency === undefined || companions.some((name) => query[name] !== undefined)) return;
  throw new AppError(
    "invalid_request",
    `The filter currency also needs one of these filters: ${companions.join(", ")}.`,
    { param: "currency" },
  );
}
