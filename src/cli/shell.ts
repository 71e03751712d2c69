import { start } from "node:repl";
import { loadConfig } from "../config/config.ts";
import * as ledger from "../ledger/ledger.ts";
import * as money from "../money/money.ts";
import * as payments from "../payments/payments.ts";
import * as wallets from "../wallets/wallets.ts";
import { openDatabase } from "./compose.ts";
import { withServiceDatabase } from "./configured-database.ts";

/** `pacioli shell`: a console with the database and the rooms' doors, with the rights of the service. */
export async function shell(): Promise<void> {
  await withServiceDatabase(loadConfig("development"), async (url) => {
    const database = openDatabase(url, 4, "pacioli-shell");
    process.stdout.write(
      "database, ledger, money, payments, wallets are loaded. " +
        'Try: await wallets.findWallet(database, "seller_bob")\n',
    );
    const repl = start("pacioli> ");
    Object.assign(repl.context, { database, ledger, money, payments, wallets });
    await new Promise<void>((resolve) => repl.once("exit", () => resolve()));
    await database.close();
  });
}
