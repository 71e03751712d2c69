/**
 * The registry of events: each type with the version of its data and the fields that the data may have. A
 * field is added under the same version; one that is removed, or means something else, makes a new one.
 * Amounts are stored as `<name>_minor` beside `currency` and shown as decimals under `<name>`.
 */
const orderFields = [
  "previous_status",
  "status",
  "cause",
  "amount_minor",
  "captured_minor",
  "currency",
  "attempt_id",
  "psp",
  "psp_reference",
] as const;
const captureFields = ["capture_id", "amount_minor", "currency", "failure_code"] as const;

type EventType = {
  readonly version: number;
  readonly subject_type: "checkout" | "payment_order";
  readonly data: readonly string[];
  /** When it is written. */
  readonly meaning: string;
};

const order = (data: readonly string[], meaning: string): EventType => ({
  version: 1,
  subject_type: "payment_order",
  data,
  meaning,
});
const checkout = (data: readonly string[], meaning: string): EventType => ({
  version: 1,
  subject_type: "checkout",
  data,
  meaning,
});

export const eventTypes = {
  "checkout.created": checkout(["risk_decision", "order_count"], "A checkout was accepted."),
  "checkout.completed": checkout([], "All orders of the checkout are final."),
  "checkout.reopened": checkout([], "An order of a completed checkout goes on."),
  "payment_order.created": order(orderFields, "An order was stored with its checkout."),
  "payment_order.executing": order(orderFields, "A PSP is being asked to charge."),
  "payment_order.pending": order(orderFields, "The order waits for the buyer, a PSP or a review."),
  "payment_order.unknown": order(orderFields, "Whether the PSP charged is not known; it is asked."),
  "payment_order.retry_scheduled": order(orderFields, "An attempt failed and another one will follow."),
  "payment_order.authorized": order(orderFields, "The amount is held on the card and can be captured."),
  "payment_order.captured": order(captureFields, "A capture of an authorised order was made."),
  "payment_order.capture_failed": order(captureFields, "A capture of an authorised order failed."),
  "payment_order.succeeded": order(orderFields, "The order is paid and booked."),
  "payment_order.failed": order(orderFields, "The order failed; only a person can have it tried again."),
  "payment_order.canceled": order(orderFields, "The order was canceled and nothing more is charged."),
  "payment_order.overdue": order(
    ["status", "seconds"],
    "The order has been in one state for longer than it should.",
  ),
} as const satisfies Record<string, EventType>;

export type EventTypeName = keyof typeof eventTypes;

const registered: ReadonlyMap<string, EventType> = new Map(Object.entries(eventTypes));

/** What is wrong with an event by the registry; undefined: nothing. */
export function registryFaultOf(event: {
  readonly type: string;
  readonly version: number;
  readonly subject_type: string;
  readonly data: Readonly<Record<string, unknown>>;
}): string | undefined {
  const type = registered.get(event.type);
  if (type === undefined) return `the type ${event.type} is not registered`;
  if (type.version !== event.version) return `${event.type} has the version ${event.version}`;
  if (type.subject_type !== event.subject_type) return `${event.type} is about a ${event.subject_type}`;
  const unknown = Object.keys(event.data).filter((field) => !type.data.includes(field));
  return unknown.length === 0 ? undefined : `${event.type} has unknown data: ${unknown.join(", ")}`;
}
