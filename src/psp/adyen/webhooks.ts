import { AppError } from "../../errors.ts";
import type { Failure, OperationOutcome, PspOutcome, PspReference } from "../port-outcomes.ts";
import type { AttemptReport, VerifiedWebhook, WebhookReport } from "../port-webhooks.ts";
import type { CaptureMethod } from "../port.ts";
import { referenceIn, withReferences } from "../references.ts";
import { fromAdyenAmount } from "./amounts.ts";
import { HmacValidator, NotificationRequestItem } from "./library.ts";
import { authorisedAs } from "./outcomes.ts";
import { failureOfRefusal } from "./refusals.ts";

const validator = new HmacValidator();

/**
 * Verifies a standard webhook by Adyen's library. The signature is over eight fields of the item, among them
 * our reference, the amount and `success`; metadata and the reason are not signed, and so name nobody here.
 * It has no time: an old message is a duplicate, by its `psp_event_id`. Errors: `invalid_request` for a
 * genuine item that names no event.
 */
export function verifyWebhook(body: Buffer, hmac_keys: readonly string[]): VerifiedWebhook | undefined {
  const item = itemOf(body.toString("utf8"));
  if (item === undefined || !hmac_keys.some((key) => validator.validateHMAC(item, key))) return undefined;
  const { eventCode, pspReference, success } = item;
  // Adyen has no id of events: a repeated one has the same code, reference and result.
  const psp_event_id = `${eventCode}:${pspReference}:${success}`;
  if (!isStorable(eventCode, 128)) throw unreadable("eventCode", "not a text of 1 to 128 characters");
  if (!isStorable(psp_event_id, 255)) throw unreadable("pspReference", "too long, or not text");
  return { psp_event_id, type: eventCode, attempt_id: referenceOf(item, "att"), payment_order_id: null };
}

const unreadable = (param: string, what: string): AppError =>
  new AppError("invalid_request", `The webhook is genuine, but its ${param} is ${what}.`, { param });

/** Kinds that a later version will apply: refunds, disputes, payouts and settlement reports. */
const unsupportedKinds = new RegExp(
  "REFUND|CHARGEBACK|DISPUTE|PREARBITRATION|" +
    "^(NOTIFICATION_OF_FRAUD|REQUEST_FOR_INFORMATION|PAYOUT_.*|PAIDOUT_.*|REPORT_AVAILABLE)$",
);

/**
 * AUTHORISATION says whether an attempt charged, CAPTURE and CANCELLATION how one of our operations ended.
 * Refunds and disputes say nothing about the attempt, and OFFER_CLOSED does not exclude that the buyer pays
 * after all.
 */
export function readWebhook(body: string, capture_method: CaptureMethod): WebhookReport {
  const item = itemOf(body);
  if (item === undefined) return null;
  const { Authorisation, Cancellation, Capture, CaptureFailed, Expire } =
    NotificationRequestItem.EventCodeEnum;
  switch (item.eventCode) {
    case Authorisation:
      return aboutAttempt(item, outcomeOf(item, capture_method), referenceIn("payment", item.pspReference));
    case Expire:
      return capture_method === "manual"
        ? aboutAttempt(
            item,
            { kind: "canceled", psp_reference: paymentOf(item), reason: "expired" },
            referenceIn("payment", paymentOf(item)),
          )
        : null;
    case Cancellation:
    case Capture:
    case CaptureFailed:
      return reportOfOperation(item, capture_method);
    default:
      return unsupportedKinds.test(item.eventCode) ? "unsupported" : null;
  }
}

const aboutAttempt = (
  item: NotificationRequestItem,
  outcome: PspOutcome,
  references: readonly PspReference[],
): AttemptReport => ({
  attempt_id: referenceOf(item, "att"),
  payment_order_id: null,
  outcome: withReferences(outcome, references),
});

/** The payment that a capture or cancellation belongs to, if Adyen names it. */
const paymentOf = ({ originalReference }: NotificationRequestItem): string | null =>
  originalReference === undefined || originalReference === "" ? null : originalReference;

/**
 * A capture or cancellation is ours if it has our reference or one that Adyen gave ours. Otherwise a person
 * made it at Adyen, or it is Adyen's automatic capture.
 */
function reportOfOperation(item: NotificationRequestItem, capture_method: CaptureMethod): WebhookReport {
  const { eventCode, pspReference, success, reason } = item;
  const { CaptureFailed, Cancellation } = NotificationRequestItem.EventCodeEnum;
  const isDone = success === NotificationRequestItem.SuccessEnum.True && eventCode !== CaptureFailed;
  const message = reason === undefined || reason === "" ? "Adyen did not do it." : reason;
  const isLateFailure = eventCode === CaptureFailed;
  const failure = {
    class: "hard_decline" as const,
    code: isLateFailure ? "capture_failed" : failureOfRefusal(undefined, reason).code,
    message,
  };
  const lateReference = isLateFailure ? { capture_reference: pspReference } : {};
  const outcome: OperationOutcome = isDone
    ? { kind: "done", psp_reference: pspReference }
    : { kind: "failed", failure, ...lateReference };
  const own =
    eventCode !== Cancellation && capture_method === "automatic"
      ? outcomeOfOwnCapture(item, isDone, failure)
      : null;
  const unrequested =
    `Adyen reports a capture (${pspReference}) that we did not request` +
    `${isLateFailure ? ", and that it failed" : ""}.`;
  const byPerson: PspOutcome =
    eventCode === Cancellation
      ? { kind: "canceled", psp_reference: paymentOf(item), reason: "canceled" }
      : { kind: "unknown", reason: unrequested };
  const unasked = (isDone || isLateFailure) && capture_method === "manual" ? byPerson : own;
  const payment = referenceIn("payment", paymentOf(item));
  const change = referenceIn(eventCode === Cancellation ? "void" : "capture", pspReference);
  // An operation that a person made there is not ours, so its reference belongs to nothing here.
  const references = unasked === byPerson ? payment : [...payment, ...change];
  return {
    operation_id: referenceOf(item, "op"),
    operation_reference: pspReference,
    outcome: withReferences(outcome, [...payment, ...change]),
    otherwise: unasked === null ? null : aboutAttempt(item, unasked, references),
  };
}

/**
 * Adyen captures automatically what is captured at once, and reports only a failure, maybe days after it
 * reported the payment. A capture that succeeds is most likely one that a person repeated there.
 */
function outcomeOfOwnCapture(item: NotificationRequestItem, isDone: boolean, failure: Failure): PspOutcome {
  const { eventCode, pspReference, amount } = item;
  const payment = paymentOf(item);
  const { value, currency } = amount;
  const money =
    value === undefined || currency === undefined ? undefined : fromAdyenAmount({ value, currency });
  if (money === undefined)
    return {
      kind: "unknown",
      reason: `Adyen reports a capture of ${value} ${currency}, which cannot be read as an amount.`,
    };
  if (eventCode === NotificationRequestItem.EventCodeEnum.CaptureFailed)
    return {
      kind: "capture_failed",
      ...(payment === null ? {} : { psp_reference: payment }),
      capture_reference: pspReference,
      money,
      failure,
    };
  if (!isDone)
    return { kind: "unknown", reason: `Adyen refused a capture (${pspReference}): ${failure.message}` };
  return {
    kind: "succeeded",
    psp_reference: payment ?? pspReference,
    charged: money,
    capture_reference: pspReference,
  };
}

function outcomeOf(
  { success, pspReference, amount, reason }: NotificationRequestItem,
  capture_method: CaptureMethod,
): PspOutcome {
  if (success !== NotificationRequestItem.SuccessEnum.True) {
    return { kind: "declined", psp_reference: pspReference, failure: failureOfRefusal(undefined, reason) };
  }
  const { value, currency } = amount;
  const authorised =
    value === undefined || currency === undefined ? undefined : fromAdyenAmount({ value, currency });
  if (authorised === undefined)
    return {
      kind: "unknown",
      reason: `Adyen reports ${value} ${currency}, which cannot be read as an amount.`,
    };
  return authorisedAs(capture_method, pspReference, authorised);
}

/**
 * Our reference, when it is one. The signature joins the fields by colons and escapes none, so an item with a
 * colon inside a field could be another item cut differently: it names nobody.
 */
function referenceOf(item: NotificationRequestItem, prefix: "att" | "op"): string | null {
  const { pspReference, originalReference, merchantAccountCode, merchantReference, amount, eventCode } = item;
  const signed = [
    pspReference,
    originalReference,
    merchantAccountCode,
    merchantReference,
    amount.currency,
    eventCode,
  ];
  const isOurs =
    merchantReference.startsWith(`${prefix}_`) && /^[a-z]+_[0-9a-zA-Z-]{1,60}$/.test(merchantReference);
  return isOurs && !signed.some((text) => text?.includes(":") === true) ? merchantReference : null;
}

/**
 * The one item of a message: in JSON there is never another
 * (https://docs.adyen.com/development-resources/webhooks/webhook-types).
 */
function itemOf(body: string): NotificationRequestItem | undefined {
  const items = field(parsed(body), "notificationItems");
  if (!Array.isArray(items) || items.length !== 1) return undefined;
  const item = field(items[0], "NotificationRequestItem");
  return isItem(item) ? item : undefined;
}

/** Whether all that is signed or read has its type: the library joins whatever it is given. */
function isItem(item: unknown): item is NotificationRequestItem {
  const texts = ["pspReference", "merchantAccountCode", "merchantReference", "eventCode"];
  const optionalTexts = ["originalReference", "reason"];
  const amount = field(item, "amount");
  const signature = field(field(item, "additionalData"), "hmacSignature");
  return (
    texts.every((name) => typeof field(item, name) === "string") &&
    optionalTexts.every((name) =>
      ["string", "undefined"].includes(typeof (field(item, name) ?? undefined)),
    ) &&
    ["true", "false"].some((word) => field(item, "success") === word) &&
    typeof field(amount, "value") === "number" &&
    typeof field(amount, "currency") === "string" &&
    typeof signature === "string" &&
    signature !== ""
  );
}

/** Whether PostgreSQL can keep it: within the length, without NUL and lone surrogates. */
const isStorable = (text: string, length_max: number): boolean =>
  text !== "" && text.length <= length_max && !text.includes("\0") && text.isWellFormed();

function field(value: unknown, name: string): unknown {
  return typeof value === "object" && value !== null && Object.hasOwn(value, name)
    ? Reflect.get(value, name)
    : undefined;
}

function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
