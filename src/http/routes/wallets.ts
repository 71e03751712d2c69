import { Type } from "typebox";
import { AppError } from "../../errors.ts";
import { findWallet, listWallets, type Wallet as WalletView } from "../../wallets/wallets.ts";
import type { App, HttpContext } from "../context.ts";
import { cursorKey, decodeCursor, pageOf } from "../cursor.ts";
import { clientId } from "../schemas/fields.ts";
import { listOf, pageQuery } from "../schemas/lists.ts";
import { problemResponses } from "../schemas/problem.ts";
import { Wallet } from "../schemas/wallet.ts";

export function registerWalletRoutes(app: App, { reads, settings }: HttpContext): void {
  const signingKey = cursorKey(settings.secret_key, "wallets");
  app.get(
    "/wallets",
    {
      config: { scope: "read" },
      schema: {
        operationId: "listWallets",
        summary: "Sellers' wallets, newest first",
        querystring: Type.Object(
          { ...pageQuery, currency: Type.Optional(Type.String({ pattern: "^[A-Z]{3}$" })) },
          { additionalProperties: false },
        ),
        response: { 200: listOf(Wallet), ...problemResponses },
      },
    },
    async (request) => {
      const { limit = 25, cursor, currency } = request.query;
      const [before] = cursor === undefined ? [] : decodeCursor(cursor, signingKey);
      const wallets = await listWallets(reads, {
        ...(currency === undefined ? {} : { currency }),
        ...(before === undefined ? {} : { before }),
        limit: limit + 1,
      });
      return pageOf(
        wallets,
        limit,
        signingKey,
        (wallet) => ({ ...wallet, balances: [...wallet.balances] }),
        (wallet: WalletView) => [wallet.account_id],
      );
    },
  );

  app.get(
    "/wallets/:account_id",
    {
      config: { scope: "read" },
      schema: {
        operationId: "getWallet",
        summary: "One seller's money, per currency",
        params: Type.Object({ account_id: clientId() }),
        response: { 200: Wallet, ...problemResponses },
      },
    },
    async (request) => {
      const { account_id } = request.params;
      const wallet = await findWallet(reads, account_id);
      if (wallet === undefined)
        throw new AppError("not_found", `${account_id} has no wallet: it has never received money.`, {
          param: "account_id",
        });
      return { ...wallet, balances: [...wallet.balances] };
    },
  );
}
