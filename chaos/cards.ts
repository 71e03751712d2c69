/** How an order with a card must end: the simulator decides by its token (simulator/README.md). */
export type Ending = "paid" | "declined" | "given_up" | "paid_or_given_up" | "waits_for_buyer";

export type Card = { readonly token: string; readonly ending: Ending };

/** The simulator's faults of single charges. */
export const chargeFaults = [
  "timeout_before_charge",
  "timeout_after_charge",
  "disconnect_before_charge",
  "disconnect_after_charge",
  "500_before",
  "500_after_charge",
  "500_rolled_forward",
  "429",
  "html",
  "truncated",
  "slow",
  "once_500",
  "once_processing_error",
] as const;
export type ChargeFault = (typeof chargeFaults)[number];

/** Those that can strike a capture or a void: the others look at what was tried before. */
export const operationFaults = chargeFaults.filter((fault) => !fault.startsWith("once_"));

/**
 * As a token these strike every request for ever, before anything happens, so nothing can ever be known: such an order
 * is `UNKNOWN` until a person acts (429: if its first request was cut off). As faults of the next charges they pass.
 */
export const faultsWithoutEnd: readonly ChargeFault[] = [
  "timeout_before_charge",
  "disconnect_before_charge",
  "html",
  "429",
];

/** Every attempt fails until they are used up, unless another fault hits the charge first. */
const faultsThatGiveUp: readonly ChargeFault[] = ["500_before"];

const card =
  (ending: Ending) =>
  (name: string): Card => ({ token: `tok_${name}`, ending });

export const goodCards: readonly Card[] = [
  "visa_4242",
  "visa_debit",
  "mastercard",
  "amex",
  "discover",
  "diners",
  "jcb",
  "unionpay",
].map(card("paid"));

export const faultCards: readonly Card[] = chargeFaults
  .filter((fault) => !faultsWithoutEnd.includes(fault))
  .map((fault) => card(faultsThatGiveUp.includes(fault) ? "paid_or_given_up" : "paid")(`fault_${fault}`));

export const declinedCards: readonly Card[] = [
  "card_declined",
  "insufficient_funds",
  "expired_card",
  "invalid_cvv",
  "fraud_detected",
  "chargeDeclinedStolenCard",
].map(card("declined"));

export const transientCards: readonly Card[] = ["chargeDeclinedProcessingError"].map(card("given_up"));

export const waitingCards: readonly Card[] = ["authenticationRequired", "threeDSecure2Required"].map(
  card("waits_for_buyer"),
);
