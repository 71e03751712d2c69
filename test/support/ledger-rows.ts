import type { TestDatabase } from "./database.ts";

/** The raw SQL door, as anyone with the service's rights could call it: accounts `a`, `b` … by code, one entry each. */
export function postRaw(
  db: TestDatabase,
  source: string,
  entries: readonly (readonly [code: string, currency: string, amount: number])[],
  floor: number | null = null,
): Promise<unknown[]> {
  return db.asService(
    "select outcome from ledger_post($1, $2, $3::ledger_account_kind[], $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    [
      entries.map(([code]) => code),
      entries.map(([, currency]) => currency),
      entries.map(() => "asset"),
      entries.map(() => null),
      entries.map(() => floor),
      [source],
      [null],
      [null],
      [null],
      entries.map(() => 1),
      entries.map((_, index) => index + 1),
      entries.map(([, , amount]) => amount),
    ],
  );
}
