import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import {
  entryKeyOf,
  selectAccounts,
  selectEntries,
  selectEntry,
  selectTrialBalance,
  subjectTypes,
  transactionKinds,
  type SubjectType,
  type TransactionKind,
} from "../../ledger/ledger.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { assertNarrowed } from "../narrowed-filter.ts";
import { accountView, entryView, trialBalanceView } from "../ledger-views.ts";
import { LedgerAccount, LedgerEntry, TrialBalance } from "../schemas/ledger.ts";
import { registerAccountRoutes } from "./ledger-accounts.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";

const time = Type.Optional(Type.String({ format: "date-time" }));
const currency = Type.Optional(Type.String({ pattern: "^[A-Z]{3}$" }));
const closed = { additionalProperties: false } as const;

/**
 * Each filter compares with one thing, because an owner may be named like an account code, or an order like a
 * transaction.
 */
const name = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: 400, description }));
const accountQuery = {
  account_id: name("An account's owner, such as a seller."),
  account: name("An account code, such as seller:seller_bob:pending."),
};
const transactionQuery = {
  transaction_id: name(
    "A transaction's id if it is a number, otherwise the id of an order whose captures are wanted.",
  ),
  subject_id: name("What a transaction is about: an order's id, or another subject's with `subject_type`."),
  subject_type: Type.Optional(Type.Unsafe<SubjectType>(Type.String({ enum: [...subjectTypes] }))),
  transaction_kind: Type.Optional(Type.Unsafe<TransactionKind>(Type.String({ enum: [...transactionKinds] }))),
};

function accountFilter({ account_id, account }: { account_id?: string; account?: string }) {
  return {
    ...(account_id === undefined ? {} : { owner_id: account_id }),
    ...(account === undefined ? {} : { code: account }),
  };
}

function beforePosition([created_at, transaction_id, account_id, account_version]: readonly string[]) {
  if (created_at === undefined || transaction_id === undefined) return {};
  if (account_id === undefined || account_version === undefined) return {};
  return {
    before: {
      created_at,
      transaction_id: BigInt(transaction_id),
      account_id: BigInt(account_id),
      account_version: BigInt(account_version),
    },
  };
}

function transactionFilter(text: string) {
  if (/^[0-9]{1,18}$/.test(text)) return { transaction_id: BigInt(text) };
  return { subject: { type: "order", id: text }, kind: "captured" } as const;
}

/** A subject is of a type, an order unless another one is named; the kind narrows what is about it. */
function subjectFilter({
  subject_id,
  subject_type = "order",
  transaction_kind,
}: {
  readonly subject_id?: string | undefined;
  readonly subject_type?: SubjectType | undefined;
  readonly transaction_kind?: TransactionKind | undefined;
}) {
  if (subject_id === undefined) return {};
  const kind = transaction_kind === undefined ? {} : { kind: transaction_kind };
  return { subject: { type: subject_type, id: subject_id }, ...kind };
}

export function registerLedgerRoutes(app: App, context: HttpContext): void {
  const { reads, settings } = context;
  const keyOf = (list: string): string => cursorKey(settings.secret_key, list);
  const positionOf = (cursor: string | undefined, key: string): readonly string[] =>
    cursor === undefined ? [] : decodeCursor(cursor, key);

  app.get(
    "/ledger",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listLedgerEntries",
        summary: "Ledger entries, newest first",
        description: "`currency` also needs an account, a transaction or `created_at[gte]`.",
        querystring: Type.Object(
          {
            ...pageQuery,
            ...accountQuery,
            ...transactionQuery,
            currency,
            "created_at[gte]": time,
            "created_at[lt]": time,
          },
          closed,
        ),
        response: { 200: listOf(LedgerEntry), ...problemResponses },
      },
    },
    async (request) => {
      const query = request.query;
      const limit = query.limit ?? 25;
      assertNarrowed(query, ["account_id", "account", "transaction_id", "subject_id", "created_at[gte]"]);
      const rows = await reads.snapshot((snapshot) =>
        selectEntries(snapshot, {
          ...accountFilter(query),
          ...(query.transaction_id === undefined ? {} : transactionFilter(query.transaction_id)),
          ...subjectFilter(query),
          ...(query.currency === undefined ? {} : { currency: query.currency }),
          ...(query["created_at[gte]"] === undefined ? {} : { created_from: query["created_at[gte]"] }),
          ...(query["created_at[lt]"] === undefined ? {} : { created_until: query["created_at[lt]"] }),
          ...beforePosition(positionOf(query.cursor, keyOf("ledger"))),
          limit: limit + 1,
        }),
      );
      return pageOf(rows, limit, keyOf("ledger"), entryView, (row) => [
        row.created_at,
        String(row.transaction_id),
        String(row.account_id),
        String(row.account_version),
      ]);
    },
  );

  app.get(
    "/ledger/accounts",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listLedgerAccounts",
        summary: "Ledger accounts, newest first",
        querystring: Type.Object({ ...pageQuery, ...accountQuery, currency }, closed),
        response: { 200: listOf(LedgerAccount), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, currency: wanted } = request.query;
      const [before] = positionOf(cursor, keyOf("ledger/accounts"));
      const rows = await selectAccounts(reads, {
        ...accountFilter(request.query),
        ...(wanted === undefined ? {} : { currency: wanted }),
        ...(before === undefined ? {} : { before_account_id: BigInt(before) }),
        limit: limit + 1,
      });
      return pageOf(rows, limit, keyOf("ledger/accounts"), accountView, (row) => [String(row.account_id)]);
    },
  );

  app.get(
    "/ledger/trial-balance",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getTrialBalance",
        summary: "Proof that debits equal credits in every currency",
        response: { 200: TrialBalance, ...problemResponses },
      },
    },
    async () => trialBalanceView(await selectTrialBalance(reads)),
  );

  registerAccountRoutes(app, context);

  app.get(
    "/ledger/:entry_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getLedgerEntry",
        summary: "One ledger entry",
        params: Type.Object({ entry_id: Type.String({ minLength: 1, maxLength: 64 }) }),
        response: { 200: LedgerEntry, ...problemResponses },
      },
    },
    async (request) => {
      const key = entryKeyOf(request.params.entry_id);
      const entry =
        key === undefined ? undefined : await selectEntry(reads, key.account_id, key.account_version);
      if (entry === undefined)
        throw new AppError("not_found", `There is no ledger entry ${request.params.entry_id}.`, {
          param: "entry_id",
        });
      return entryView(entry);
    },
  );
}
