/**
 * The account that charges cards, and the one that stands in while that is not configured; both are at the
 * simulator.
 */
export const card_account = "stripe";
export const spare_account = "spare";
