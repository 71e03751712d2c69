import type { Check } from "../src/ledger/ledger.ts";
import { walletsFitOrders } from "./booking-invariants.ts";
import {
  chargesAreExplained,
  externalOrdersAreReported,
  nobodyIsChargedTwice,
  paidOrdersAreCharged,
  paidPagesAreCharged,
} from "./charge-invariants.ts";
import { endingsFitCards, nothingMoves } from "./ending-invariants.ts";
import type { Evidence } from "./evidence.ts";
import {
  answersAreRight,
  everythingAcceptedIsThere,
  nothingElseIsThere,
  repetitionsAreEqual,
} from "./intake-invariants.ts";

/** All claims that hold the three sides against each other. */
export function compareSides(evidence: Evidence): Check[] {
  return [
    everythingAcceptedIsThere(evidence),
    nothingElseIsThere(evidence),
    answersAreRight(evidence),
    repetitionsAreEqual(evidence),
    paidOrdersAreCharged(evidence),
    externalOrdersAreReported(evidence),
    paidPagesAreCharged(evidence),
    chargesAreExplained(evidence),
    nobodyIsChargedTwice(evidence),
    nothingMoves(evidence),
    endingsFitCards(evidence),
    walletsFitOrders(evidence),
  ];
}
