import type Stripe from "stripe";
import type { PspReference } from "../port-outcomes.ts";
import { referenceIn } from "../references.ts";

/**
 * The ids in an intent. Only an expanded charge shows a balance transaction, and of several captures always
 * the last one's.
 */
export function referencesOfIntent({ id, latest_charge }: Stripe.PaymentIntent): readonly PspReference[] {
  const isExpanded = typeof latest_charge === "object" && latest_charge !== null;
  const transaction = isExpanded ? latest_charge.balance_transaction : null;
  return [
    ...referenceIn("payment_intent", id),
    ...referenceIn("charge", idOf(latest_charge)),
    ...referenceIn("balance_transaction", idOf(transaction)),
  ];
}

/** A session's own id, and that of the intent that its buyer pays. */
export const referencesOfSession = ({
  id,
  payment_intent,
}: Stripe.Checkout.Session): readonly PspReference[] => [
  ...referenceIn("checkout_session", id),
  ...referenceIn("payment_intent", idOf(payment_intent)),
];

/** Stripe shows a related object by its id, or in full where that was asked for. */
const idOf = (related: string | { readonly id: string } | null | undefined): string | null =>
  typeof related === "string" ? related : (related?.id ?? null);
