/** What a thief, or whoever wants to hide something, would do; each is found by a check of its own. */
import { ann, enter, forge, idOf, transactionOf, type Case } from "./fault-statements.ts";

const attempt = "(select attempt_id from payment_attempts where payment_order_id = 'o-1')";
const forgedBalance = `update ledger_closing_balances set balance_minor = balance_minor - 5 where account_id = ${idOf(ann)}`;
const forgedBalanceFound =
  /every closing has.*says balance -2929 at version 1, the entries before it say balance -2924 at version 1/;

export const forgeries: readonly Case[] = [
  {
    what: "a capture that was reversed while its order is still paid",
    statements: [
      forge("reversed", "o-1", transactionOf("captured", "o-1")),
      ...enter("psp:stripe:clearing", transactionOf("reversed", "o-1"), -2999),
      ...enter(ann, transactionOf("reversed", "o-1"), 2924),
      ...enter("platform:commission", transactionOf("reversed", "o-1"), 75),
    ],
    found: [/no capture of a paid order was reversed.*order o-1: is SUCCESS, and transaction \d+ reversed/],
  },
  {
    what: "a reversal that is not the opposite of what it reverses",
    statements: [
      forge("reversed", "o-1", transactionOf("captured", "o-1")),
      ...enter("psp:stripe:clearing", transactionOf("reversed", "o-1"), -100),
      ...enter(ann, transactionOf("reversed", "o-1"), 100),
    ],
    found: [/every reversal is the opposite.*\(reversed of o-1\): is not the opposite of transaction \d+/],
  },
  {
    what: "a paid order that no id of a PSP backs",
    statements: [
      `delete from psp_references where subject_id = ${attempt}`,
      "update payment_attempts set psp_reference = attempt_id where payment_order_id = 'o-1'",
    ],
    found: [/backed by an id that its PSP gave.*order o-1: is SUCCESS, and no id of stripe stands for its/],
  },
  {
    what: "money that a seller got by an adjustment",
    statements: [
      forge("adjusted", "gift"),
      ...enter("psp:stripe:clearing", transactionOf("adjusted", "gift"), 70),
      ...enter(ann, transactionOf("adjusted", "gift"), -70),
    ],
    found: [
      /credited only by kinds of transactions that may.*\(adjusted of gift\): credits seller:ann:pending USD with 70/,
    ],
  },
  {
    what: "a closing with another balance",
    statements: [forgedBalance],
    found: [forgedBalanceFound, /no closing was changed.*closing 1: its rows are not those of its digest/],
  },
  {
    what: "a closing with another balance, and a digest made anew",
    statements: [
      forgedBalance,
      "update ledger_closings set digest = ledger_closing_digest(closing_id, tick, transaction_count, first_transaction_id, last_transaction_id)",
    ],
    found: [forgedBalanceFound],
  },
  {
    what: "a closing with another digest",
    statements: ["update ledger_closings set digest = sha256('')"],
    found: [/no closing was changed.*closing 1: its rows are not those of its digest/],
  },
  {
    what: "a closing that says other debits",
    statements: ["update ledger_closing_debits set debit_minor = debit_minor + 1 where currency = 'USD'"],
    found: [/every closing has.*closing 1 in USD: says debits of \d+, there are \d+/],
  },
  {
    what: "an entry that takes effect at another time than its transaction",
    statements: [
      `update ledger_entries set effective_at = '2020-01-01' where account_id = ${idOf(ann)} and account_version = 1`,
    ],
    found: [/every entry takes effect.*entry \d+\/1: takes effect at another time than its transaction \d+/],
  },
];
