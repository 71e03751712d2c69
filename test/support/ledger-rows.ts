import type { TestDatabase } from "./database.ts";

/** The raw SQL door, as anyone with the service's rights could call it: accounts `a`, `b` … by code, one entry each. */
export function postRaw(
  db: TestDatabase,
  name: string,
  entries: readonly (readonly [code: string, currency: string, amount: number])[],
  floor: number | null = null,
): Promise<unknown[]> {
  return db.asService(
    `select outcome
       from ledger_post($1, $2, $3::ledger_account_kind[], $4::ledger_account_role[], $5, $6,
                        $7::ledger_transaction_kind[], $8::ledger_subject_type[], $9, $10, $11, $12, $13, $14, $15, $16)`,
    [
      entries.map(([code]) => code),
      entries.map(([, currency]) => currency),
      entries.map(() => "asset"),
      entries.map(() => "other"),
      entries.map(() => null),
      entries.map(() => floor),
      ["adjusted"],
      ["adjustment"],
      [name],
      [""],
      [null],
      [null],
      [null],
      entries.map(() => 1),
      entries.map((_, index) => index + 1),
      entries.map(([, , amount]) => amount),
    ],
  );
}
