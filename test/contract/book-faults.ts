import { ann, enter, forge, idOf, named, transactionOf, type Case } from "./fault-statements.ts";

export const wrongAmount = `update ledger_entries set amount_minor = amount_minor - 1 where account_id = ${idOf(ann)} and account_version = 1`;

export const cases: readonly Case[] = [
  {
    what: "a changed amount",
    statements: [wrongAmount],
    found: [
      /sums to zero.*transaction \d+ \(captured of o-1\): 3 entries in USD sum to -1/,
      /running balance.*account seller:ann:pending USD, entry 1: says balance -2924, its entries sum to -2925/,
      /every closing has.*closing 1, account \d+: says balance -2924 at version 1, the entries before it say balance -2925/,
    ],
  },
  {
    what: "a deleted entry",
    statements: [`delete from ledger_entries where account_id = ${idOf(ann)} and account_version = 1`],
    found: [
      /sums to zero.*\(captured of o-1\)/,
      /every closing has.*closing 1, account \d+: says balance -2924 at version 1, the entries before it say nothing/,
      /earned what was captured.*order o-1 of seller ann USD/,
    ],
  },
  {
    what: "a changed balance",
    statements: [
      `update ledger_accounts set balance_minor = balance_minor - 100 where account_id = ${idOf(ann)}`,
    ],
    found: [
      /stored balance.*account seller:ann:pending USD: stored balance -3024 at version 1, its 1 entries sum to -2924/,
      /debits equal credits.*currency USD: all balances together come to -100/,
    ],
  },
  {
    what: "a hole in the versions",
    statements: [
      "update ledger_entries set account_version = 9 where account_version = 2 and account_id = " +
        idOf("psp:stripe:clearing"),
    ],
    found: [/running balance.*account psp:stripe:clearing USD, entry 9: version 2 is missing/],
  },
  {
    what: "a transaction that does not balance, with balances that agree with it",
    statements: [forge("adjusted", "one-sided"), ...enter(ann, transactionOf("adjusted", "one-sided"), -50)],
    found: [
      /sums to zero.*\(adjusted of one-sided\): 1 entries in USD sum to -50/,
      /debits equal credits.*currency USD/,
    ],
  },
  {
    what: "a transaction without entries",
    statements: [forge("adjusted", "empty")],
    found: [/sums to zero.*\(adjusted of empty\): has no entries/],
  },
  {
    what: "an entry whose transaction is gone",
    statements: [`delete from ledger_transactions where ${named("adjusted", "dip")}`],
    found: [/has its account and its transaction.*entry \d+\/1: its transaction \d+ does not exist/],
  },
  {
    what: "an entry whose account is gone",
    statements: [`delete from ledger_accounts where code = 'elsewhere:b'`],
    found: [/has its account and its transaction.*entry \d+\/1: its account does not exist/],
  },
  {
    what: "an account that stood below its floor, though it does not now",
    statements: ["update ledger_accounts set floor_minor = 0 where code = 'bank:dipping'"],
    found: [/below its floor.*account bank:dipping USD, entry 1: balance -5 is below the floor 0/],
  },
  {
    what: "an account that stands below its floor",
    statements: [
      "alter table ledger_accounts drop constraint ledger_accounts_floor_check",
      "update ledger_accounts set floor_minor = 3000 where code = 'seller:ann:pending' and currency = 'USD'",
    ],
    found: [
      /below its floor.*account seller:ann:pending USD, entry 1: balance -2924 is below the floor 3000/,
    ],
  },
  {
    what: "a paid order without its ledger transaction",
    statements: [`update ledger_transactions set subject_id = 'elsewhere' where ${named("captured", "o-1")}`],
    found: [
      /paid order has a ledger.*order o-1: is paid but not in the ledger/,
      /earned what was captured.*order o-1 of seller ann USD/,
    ],
  },
  {
    what: "a paid order of another amount than was booked",
    statements: [
      "update payment_orders set amount_minor = 3000, captured_minor = 3000 where payment_order_id = 'o-1'",
    ],
    found: [/paid order has a ledger.*order o-1: has 3000 USD captured, the ledger debits 2999/],
  },
  {
    what: "a paid order of another seller than was booked",
    statements: ["update payment_orders set seller_account = 'bob' where payment_order_id = 'o-1'"],
    found: [/earned what was captured.*order o-1 of seller bob USD/],
  },
  {
    what: "a capture whose order does not exist",
    statements: ["delete from payment_orders where payment_order_id = 'o-2'"],
    found: [/capture in the ledger.*transaction \d+ \(captured of o-2\): has no order/],
  },
  {
    what: "a capture whose order failed",
    statements: [
      "update payment_orders set status = 'FAILED', captured_minor = 0, wallet_updated = false, ledger_updated = false where payment_order_id = 'o-2'",
    ],
    found: [
      /capture in the ledger.*\(captured of o-2\): its order is FAILED/,
      /history.*order o-2: is FAILED, its history ends in SUCCESS/,
      /succeeded attempt.*order o-2: is FAILED with 1 succeeded and 0 authorised attempts/,
    ],
  },
  {
    what: "a checkout that says done and is not",
    statements: [
      "update payment_events set is_payment_done = true, unfinished_order_count = 0 where checkout_id = 'c-3'",
    ],
    found: [/checkout is done.*checkout c-3: says 0 unfinished orders, it has 1/],
  },
  {
    what: "a checkout that is done and does not say so",
    statements: [
      "update payment_events set is_payment_done = false, unfinished_order_count = 1 where checkout_id = 'c-1'",
    ],
    found: [/checkout is done.*checkout c-1: says 1 unfinished orders, it has 0/],
  },
  {
    what: "a history with a step taken out of its middle",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'EXECUTING'",
    ],
    found: [/history.*order o-1: its history has a gap/],
  },
  {
    what: "a history without its beginning",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and from_status is null",
    ],
    found: [/history.*order o-1: its history has a gap/],
  },
  {
    what: "a history without its end",
    statements: [
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'SUCCESS'",
    ],
    found: [/history.*order o-1: is SUCCESS, its history ends in EXECUTING/],
  },
  {
    what: "an order without any history",
    statements: ["delete from payment_order_transitions where payment_order_id = 'o-1'"],
    found: [/history.*order o-1: is SUCCESS, its history ends in nothing/],
  },
  {
    what: "a step that the table of transitions does not allow",
    statements: [
      "update payment_order_transitions set from_status = 'NOT_STARTED' where payment_order_id = 'o-1' and to_status = 'SUCCESS'",
      "delete from payment_order_transitions where payment_order_id = 'o-1' and to_status = 'EXECUTING'",
    ],
    found: [/history.*order o-1: /],
  },
  {
    what: "a history of an order that does not exist",
    statements: [
      "insert into payment_order_transitions (payment_order_id, to_status, captured_minor, cause, actor) values ('ghost', 'NOT_STARTED', 0, 'accepted', 'nobody')",
    ],
    found: [/history.*order ghost: /],
  },
  {
    what: "a paid order without a succeeded attempt",
    statements: ["update payment_attempts set status = 'declined' where payment_order_id = 'o-1'"],
    found: [/succeeded attempt.*order o-1: is SUCCESS with 0 succeeded and 0 authorised attempts/],
  },
  {
    what: "an authorisation that the ledger does not hold",
    statements: [
      `update ledger_transactions set subject_id = 'elsewhere' where ${named("authorized", "o-5")}`,
    ],
    found: [
      /left of each authorisation.*order o-5: is AUTHORIZED, 400 of 1000 captured; the ledger holds -400/,
    ],
  },
  {
    what: "an authorised order without its authorised attempt",
    statements: ["update payment_attempts set status = 'canceled' where payment_order_id = 'o-5'"],
    found: [/succeeded attempt.*order o-5: is AUTHORIZED with 0 succeeded and 0 authorised attempts/],
  },
  {
    what: "a captured amount that its captures do not come to",
    statements: ["update payment_orders set captured_minor = 500 where payment_order_id = 'o-5'"],
    found: [
      /sum of its captures.*order o-5: says 500 captured and 0 in flight, its captures 400 and 0/,
      /paid order has a ledger.*order o-5: has 500 EUR captured, the ledger debits 400/,
    ],
  },
  {
    what: "an id of the PSP that is no longer stored",
    statements: [
      "delete from psp_references where type = 'payment_intent' and subject_id = (select attempt_id from payment_attempts where payment_order_id = 'o-1')",
    ],
    found: [
      /every id that a PSP gave.*attempt att_\w+: goes by pi_\w+ at stripe, which is stored for nothing/,
    ],
  },
  {
    what: "an id of the PSP that stands for another attempt than the one that goes by it",
    statements: [
      "update psp_references set subject_id = 'att_other' where type = 'payment_intent' and subject_id = (select attempt_id from payment_attempts where payment_order_id = 'o-1')",
    ],
    found: [
      /every id that a PSP gave.*attempt att_\w+: goes by pi_\w+ at stripe, which is stored for att_other/,
    ],
  },
  {
    what: "a capture that goes by an id that is not stored",
    statements: ["update operations set psp_reference = 'cap_lost' where capture_id = 'one'"],
    found: [
      /every id that a PSP gave.*operation op_\w+: goes by cap_lost at stripe, which is stored for nothing/,
    ],
  },
  {
    what: "a capture that was booked and failed",
    statements: ["update operations set status = 'failed' where capture_id = 'one'"],
    found: [
      /capture in the ledger.*its capture is failed/,
      /sum of its captures.*order o-5|paid order has a ledger.*order o-5/,
    ],
  },
  {
    what: "a second capture of an order whose first one stands",
    statements: [`update ledger_transactions set part = '2' where ${named("captured", "o-1")}`],
    found: [/capture in the ledger.*\(captured of o-1\): its order is SUCCESS/],
  },
  {
    what: "a capture whose commission was not stored",
    statements: ["delete from commissions where payment_order_id = 'o-1'"],
    found: [/commission of each capture.*order o-1: has commissions of 0 USD, the ledger credits 75/],
  },
  {
    what: "a commission of another amount than the ledger credits",
    statements: ["update commissions set amount_minor = 11 where payment_order_id = 'o-5'"],
    found: [
      /commission of each capture.*order o-5, capture op_\w+: has commissions of 11 EUR, the ledger credits 10/,
    ],
  },
  {
    what: "a commission of a capture that the ledger does not know",
    statements: ["update commissions set failed_capture_count = 1 where payment_order_id = 'o-2'"],
    found: [
      /commission of each capture.*order o-2, capture 2: has commissions of 39 USD, the ledger credits 0/,
      /commission of each capture.*order o-2: has commissions of 0 USD, the ledger credits 39/,
    ],
  },
  {
    what: "a commission that was given back of a capture that stands",
    statements: [
      "insert into commissions select payment_order_id, operation_id, failed_capture_count, component, rule, basis_points, -amount_minor, currency, true from commissions where payment_order_id = 'o-3'",
    ],
    found: [/commission of each capture.*order o-3: has commissions of 0 JPY, the ledger credits 13/],
  },
  {
    what: "a commission at another rate than the order was accepted with",
    statements: ["update payment_orders set commission_basis_points = 300 where payment_order_id = 'o-1'"],
    found: [
      /commission of each capture.*order o-1: has a commission by the rule default at 250 basis points, and was accepted with default at 300/,
    ],
  },
  {
    what: "money that was booked between two right accounts and never happened",
    statements: [
      forge("captured", "never"),
      ...enter("psp:stripe:clearing", transactionOf("captured", "never"), 70),
      ...enter(ann, transactionOf("captured", "never"), -70),
    ],
    found: [/capture in the ledger.*\(captured of never\): has no order/],
  },
];
