import type { PspReference, PspReferenceType } from "./port-outcomes.ts";

/**
 * The reference in an answer or message; none if the field holds no text that can be stored: an id that is
 * malformed must not keep an outcome from being recorded.
 */
export function referenceIn(type: PspReferenceType, value: unknown): readonly PspReference[] {
  if (typeof value !== "string" || value === "" || value.length > 255) return [];
  return value.includes("\0") || !value.isWellFormed() ? [] : [{ type, reference: value }];
}

/** An outcome with the references that came with it. */
export const withReferences = <Outcome extends object>(
  outcome: Outcome,
  references: readonly PspReference[],
): Outcome & { readonly references?: readonly PspReference[] } =>
  references.length === 0 ? outcome : { ...outcome, references };
