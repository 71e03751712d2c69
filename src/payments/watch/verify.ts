import type { Queryable } from "../../db/db.ts";
import type { Check } from "../../ledger/ledger.ts";
import { findWrongCommissions } from "../store/commission-queries.ts";
import {
  countPayments,
  findOrdersWithoutCapture,
  findCapturesWithoutOrder,
  findForgedOutcomes,
  findWrongDoneFlags,
  findWrongHistories,
  findWrongReferences,
  findOrdersWithoutAttempt,
  findWrongAuthorizations,
  findWrongCaptureSums,
  findWrongWallets,
} from "../store/verify-queries.ts";

/** Compares payments with the ledger, in both directions, and their states with their history. */
export async function verifyPayments(db: Queryable): Promise<readonly Check[]> {
  const counts = await countPayments(db);
  return [
    {
      statement: "every paid order has a ledger transaction with its amount and currency",
      checked_count: counts.paid_orders,
      faults: await findOrdersWithoutCapture(db),
    },
    {
      statement: "every capture in the ledger belongs to a paid order",
      checked_count: counts.captures,
      faults: await findCapturesWithoutOrder(db),
    },
    {
      statement: "every paid order has exactly one succeeded attempt, every authorised one its own",
      checked_count: counts.orders,
      faults: await findOrdersWithoutAttempt(db),
    },
    {
      statement:
        "every outcome comes from the account of its attempt, and every charge has its PSP's reference",
      checked_count: counts.attempts,
      faults: await findForgedOutcomes(db),
    },
    {
      statement: "every id that a PSP gave belongs to the attempt or operation that goes by it",
      checked_count: counts.references,
      faults: await findWrongReferences(db),
    },
    {
      statement: "the ledger holds exactly what is left of each authorisation",
      checked_count: counts.authorizations,
      faults: await findWrongAuthorizations(db),
    },
    {
      statement: "each order's captured and in-flight amounts equal the sum of its captures",
      checked_count: counts.operations,
      faults: await findWrongCaptureSums(db),
    },
    {
      statement: "every order's history is unbroken and ends in its state",
      checked_count: counts.transitions,
      faults: await findWrongHistories(db),
    },
    {
      statement: "a checkout is done exactly when all its orders are",
      checked_count: counts.checkouts,
      faults: await findWrongDoneFlags(db),
    },
    {
      statement: "the platform's commission of each capture is the ledger's, by its order's rule and rate",
      checked_count: counts.captures,
      faults: await findWrongCommissions(db),
    },
    {
      statement: "sellers' earnings equal the sum of their paid orders",
      checked_count: counts.sellers,
      faults: await findWrongWallets(db),
    },
  ];
}
