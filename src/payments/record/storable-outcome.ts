import type { Failure, PspOutcome } from "../../psp/psp.ts";
import type { AttemptOutcome } from "../decide/decision.ts";

const code_length_max = 64;
const text_length_max = 500;
const reference_length_max = 255;

type Unknown = Extract<PspOutcome, { kind: "unknown" }>;

/**
 * An outcome in texts that the database can keep. A PSP repeats what issuers write, in any length and in any
 * characters: that must not keep an outcome from being recorded. A payment whose id cannot be kept is a
 * person's matter, because it could never be found again.
 */
export function storableOutcome(outcome: AttemptOutcome): AttemptOutcome {
  switch (outcome.kind) {
    case "succeeded":
    case "authorized":
    case "accepted":
      return isStorable(outcome.psp_reference) ? outcome : unfindable(outcome);
    case "pending":
    case "canceled":
    case "done":
      return { ...outcome, psp_reference: storableReference(outcome.psp_reference) };
    case "declined": {
      const psp_reference = storableReference(outcome.psp_reference);
      return { ...outcome, psp_reference, failure: storableFailure(outcome.failure) };
    }
    case "capture_failed": {
      const { psp_reference, ...rest } = outcome;
      const named = psp_reference !== undefined && isStorable(psp_reference) ? { psp_reference } : {};
      return { ...rest, ...named, failure: storableFailure(outcome.failure) };
    }
    case "not_sent":
    case "failed":
      return { ...outcome, failure: storableFailure(outcome.failure) };
    case "unknown":
      return { ...outcome, reason: storableText(outcome.reason, text_length_max) };
    case "registered":
      return outcome;
  }
}

const unfindable = ({ kind }: { readonly kind: string }): Unknown => ({
  kind: "unknown",
  reason: `The PSP reports ${kind} under an id that cannot be stored: look there for our id of the attempt.`,
  needs_person: true,
});

const storableFailure = (failure: Failure): Failure => ({
  ...failure,
  code: storableText(failure.code, code_length_max) || failure.class,
  message: storableText(failure.message, text_length_max),
});

const storableReference = (reference: string | null): string | null =>
  reference !== null && isStorable(reference) ? reference : null;

/** PostgreSQL counts characters, of which JavaScript may see two. */
const isStorable = (reference: string): boolean =>
  reference !== "" &&
  reference.length <= 2 * reference_length_max &&
  Array.from(reference).length <= reference_length_max &&
  reference === storableText(reference, reference.length);

/** PostgreSQL keeps neither NUL nor half a character, as a cut may leave one. */
const storableText = (text: string, length_max: number): string =>
  text.slice(0, length_max).toWellFormed().replaceAll("\0", "\uFFFD");
