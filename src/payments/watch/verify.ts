import type { Queryable } from "../../db/db.ts";
import {
  lastClosingOf,
  mergeChecks,
  selectTail,
  verifyScope,
  type Check,
  type Slice,
  type Snapshots,
  type VerifyScope,
} from "../../ledger/ledger.ts";
import { findGhostCommissions, findWrongCommissions } from "../store/commission-queries.ts";
import {
  countPayments,
  findForgedOutcomes,
  findOrdersWithoutAttempt,
  findOrdersWithoutCapture,
  findReversedSuccesses,
  findUnbackedSuccesses,
  findWrongAuthorizations,
  findWrongCaptureSums,
  findWrongDoneFlags,
  findWrongEarnings,
  findWrongHistories,
  findWrongReferences,
  type OrderIds,
} from "../store/verify-queries.ts";
import {
  countCaptures,
  findCapturesWithoutOrder,
  findForgedMessages,
  findGhostHistories,
  findUnknownCredits,
  selectBookedHere,
  selectChangedOrders,
  selectOrderIds,
} from "../store/verify-slice-queries.ts";

const commission_statement =
  "the platform's commission of each capture is the ledger's, by its order's rule and rate";
const history_statement = "every order's history is unbroken and ends in its state";
const outcome_statement =
  "every outcome comes from the account of its attempt, and every charge has its PSP's reference";

/** How many orders are checked in one snapshot. */
const orders_at_once = 20_000;

/** Checks all payments on one connection. */
export async function verifyPayments(db: Queryable): Promise<readonly Check[]> {
  return verifyPaymentsIn({ snapshot: (read) => read(db) }, await verifyScope(db));
}

/**
 * Compares payments with the ledger, in both directions, and their states with their history. Whatever is
 * checked of an order concerns it alone, so the orders are taken in portions, each in a snapshot of its
 * own: all of them, or those that changed since the closing from which the scope starts.
 */
export async function verifyPaymentsIn(snapshots: Snapshots, scope: VerifyScope): Promise<readonly Check[]> {
  const isWhole = scope.from_closing_id === 0n;
  const checks: Check[] = [];
  for (const slice of scope.closed_slices) {
    checks.push(...(await snapshots.snapshot((db) => checkBookings(db, slice))));
    if (!isWhole) checks.push(...(await checkChanged(snapshots, () => Promise.resolve(slice))));
  }
  const tailOf = (db: Queryable): Promise<Slice> => selectTail(db, lastClosingOf(scope));
  checks.push(...(await snapshots.snapshot(async (db) => checkBookings(db, await tailOf(db)))));
  checks.push(...(isWhole ? await checkAll(snapshots, scope) : await checkChanged(snapshots, tailOf)));
  return mergeChecks(checks);
}

async function checkChanged(
  snapshots: Snapshots,
  sliceOf: (db: Queryable) => Promise<Slice>,
): Promise<Check[]> {
  const changed = await snapshots.snapshot(async (db) => selectChangedOrders(db, await sliceOf(db)));
  const checks: Check[] = [];
  for (let start = 0; start < changed.length; start += orders_at_once) {
    const portion = changed.slice(start, start + orders_at_once);
    checks.push(...(await snapshots.snapshot((db) => checkOrders(db, portion))));
  }
  return checks;
}

async function checkAll(snapshots: Snapshots, { onProgress }: VerifyScope): Promise<Check[]> {
  const checks = await snapshots.snapshot(checkStrays);
  let last = "";
  let count = 0;
  for (;;) {
    const { portion, found } = await snapshots.snapshot(async (db) => {
      const ids = await selectOrderIds(db, last, orders_at_once);
      return { portion: ids, found: await checkOrders(db, ids) };
    });
    checks.push(...found);
    count += portion.length;
    onProgress?.(`${count} orders`);
    const end = portion.at(-1);
    if (end === undefined || portion.length < orders_at_once) return checks;
    last = end;
  }
}

/** What belongs to no order. */
async function checkStrays(db: Queryable): Promise<Check[]> {
  return [
    { statement: history_statement, checked_count: 0n, faults: await findGhostHistories(db) },
    { statement: outcome_statement, checked_count: 0n, faults: await findForgedMessages(db) },
    { statement: commission_statement, checked_count: 0n, faults: await findGhostCommissions(db) },
  ];
}

async function checkBookings(db: Queryable, slice: Slice): Promise<Check[]> {
  const checked_count = await countCaptures(db, slice);
  return [
    {
      statement: "every capture in the ledger belongs to a paid order",
      checked_count,
      faults: await findCapturesWithoutOrder(db, slice),
    },
    {
      statement: "sellers are credited only by kinds of transactions that may",
      checked_count,
      faults: slice.is_archived ? [] : await findUnknownCredits(db, slice),
    },
  ];
}

async function checkOrders(db: Queryable, orders: OrderIds): Promise<Check[]> {
  const counts = await countPayments(db, orders);
  const booked = await selectBookedHere(db, orders);
  return [
    {
      statement: "every paid order has a ledger transaction with its amount and currency",
      checked_count: counts.paid_orders,
      faults: await findOrdersWithoutCapture(db, booked),
    },
    {
      statement: "no capture of a paid order was reversed",
      checked_count: counts.paid_orders,
      faults: await findReversedSuccesses(db, booked),
    },
    {
      statement: "each paid order's seller and the platform earned what was captured",
      checked_count: counts.paid_orders,
      faults: await findWrongEarnings(db, booked),
    },
    {
      statement: commission_statement,
      checked_count: counts.paid_orders,
      faults: await findWrongCommissions(db, booked),
    },
    {
      statement: "every paid order has exactly one succeeded attempt, every authorised one its own",
      checked_count: counts.orders,
      faults: await findOrdersWithoutAttempt(db, orders),
    },
    {
      statement: outcome_statement,
      checked_count: counts.attempts,
      faults: await findForgedOutcomes(db, orders),
    },
    {
      statement: "every paid order is backed by an id that its PSP gave",
      checked_count: counts.paid_orders,
      faults: await findUnbackedSuccesses(db, orders),
    },
    {
      statement: "every id that a PSP gave belongs to the attempt or operation that goes by it",
      checked_count: counts.references,
      faults: await findWrongReferences(db, orders),
    },
    {
      statement: "the ledger holds exactly what is left of each authorisation",
      checked_count: counts.authorizations,
      faults: await findWrongAuthorizations(db, booked),
    },
    {
      statement: "each order's captured and in-flight amounts equal the sum of its captures",
      checked_count: counts.operations,
      faults: await findWrongCaptureSums(db, orders),
    },
    {
      statement: history_statement,
      checked_count: counts.transitions,
      faults: await findWrongHistories(db, orders),
    },
    {
      statement: "a checkout is done exactly when all its orders are",
      checked_count: counts.checkouts,
      faults: await findWrongDoneFlags(db, orders),
    },
  ];
}
