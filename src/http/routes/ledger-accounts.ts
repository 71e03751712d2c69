import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import {
  ensureTickAfter,
  isBeforeDetached,
  isEffectiveFinal,
  selectAccounts,
  selectBalance,
  selectBookedBalance,
  selectBookedVersions,
  selectStatement,
  type BookedVersions,
} from "../../ledger/ledger.ts";
import { decodeCursor, cursorKey, pageOf } from "../cursor.ts";
import type { App, HttpContext } from "../context.ts";
import { balanceView, entryView } from "../ledger-views.ts";
import { AccountBalance, LedgerEntry } from "../schemas/ledger.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const closed = { additionalProperties: false } as const;
const currency = Type.String({ pattern: "^[A-Z]{3}$" });
const accountParams = Type.Object({ account: Type.String({ minLength: 1, maxLength: 400 }) });
const timeOf = (description: string) => Type.Optional(Type.String({ format: "date-time", description }));

type Account = { readonly code: string; readonly currency: string };

/** Balances and statements of one account, now and as of a time. */
export function registerAccountRoutes(app: App, { database, reads, settings }: HttpContext): void {
  app.get(
    "/ledger/accounts/:account/balance",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getLedgerBalance",
        summary: "An account's balance, now or as of a time",
        description:
          "A booked balance as of a time is final: it is what had been booked at the last snapshot before that " +
          "time (`booked_at`). An effective one counts each transaction when it happened, and changes when one is " +
          "booked later, until its period is closed (`pacioli close-period`).",
        params: accountParams,
        querystring: Type.Object(
          {
            currency,
            at: timeOf("A time in the past. Without it: the balance now."),
            basis: Type.Optional(Type.String({ enum: ["booked", "effective"] })),
          },
          closed,
        ),
        response: { 200: AccountBalance, ...problemResponses },
      },
    },
    async (request) => {
      const { at = null, currency: wanted, basis = "booked" } = request.query;
      const account: Account = { code: request.params.account, currency: wanted };
      const isBookedAsOf = at !== null && basis === "booked";
      if (isBookedAsOf) await assertReached(database, at, "at");
      return reads.snapshot(async (snapshot) => {
        const [found] = await selectAccounts(snapshot, { ...account, limit: 1 });
        const balance = isBookedAsOf
          ? await selectBookedBalance(snapshot, account, at)
          : {
              balance_minor: await selectBalance(snapshot, account, at),
              booked_at: null,
              is_detached: at !== null && (await isBeforeDetached(snapshot, at)),
            };
        if (found === undefined || balance?.balance_minor === undefined) throw noAccount(account);
        if (balance.is_detached) throw detached("at");
        const is_final = at !== null && (isBookedAsOf || (await isEffectiveFinal(snapshot, at)));
        return balanceView(found, balance.balance_minor, {
          at,
          basis,
          booked_at: balance.booked_at,
          is_final,
        });
      });
    },
  );

  app.get(
    "/ledger/accounts/:account/statement",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getLedgerStatement",
        summary: "An account's entries in order, each with the balance after it",
        description:
          "With `until`, and `from` if wanted, it is final: it has what was booked between the last snapshots " +
          "before these times.",
        params: accountParams,
        querystring: Type.Object(
          {
            ...pageQuery,
            currency,
            from: timeOf("What was booked before is left out."),
            until: timeOf("What was booked later is left out. A time in the past."),
          },
          closed,
        ),
        response: { 200: listOf(LedgerEntry), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, currency: wanted, from = null, until = null } = request.query;
      const account: Account = { code: request.params.account, currency: wanted };
      const key = cursorKey(
        settings.secret_key,
        `ledger/statement/${account.code}/${wanted}/${from ?? ""}/${until ?? ""}`,
      );
      if (from !== null) await assertReached(database, from, "from");
      if (until !== null) await assertReached(database, until, "until");
      const [after] = cursor === undefined ? [] : decodeCursor(cursor, key);
      return reads.snapshot(async (snapshot) => {
        const booked = await selectBookedVersions(snapshot, account, from, until);
        if (booked === undefined) throw noAccount(account);
        if (booked.is_detached) throw detached("from");
        const rows = await selectStatement(snapshot, account, rangeAfter(booked, after), limit + 1);
        return pageOf(rows, limit, key, entryView, (row) => [String(row.account_version)]);
      });
    },
  );
}

const rangeAfter = ({ after_version, last_version }: BookedVersions, after: string | undefined) => ({
  after_version: after === undefined ? after_version : BigInt(after),
  last_version,
});

async function assertReached(database: HttpContext["database"], at: string, param: string): Promise<void> {
  if (await ensureTickAfter(database, at)) return;
  throw new AppError(
    "invalid_request",
    `${param} is in the future: leave it out for what is booked by now.`,
    { param },
  );
}

const noAccount = ({ code, currency: wanted }: Account): AppError =>
  new AppError("not_found", `There is no ledger account ${code} in ${wanted}.`, { param: "account" });

const detached = (param: string): AppError =>
  new AppError(
    "history_detached",
    `The entries of that time were moved off this database: ask for a later time, or attach their partition.`,
    { param },
  );
