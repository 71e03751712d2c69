import type { OperationAnswer, PspRouter, Turn } from "../../psp/psp.ts";
import type { RunnableOperation } from "../store/operation-turn-queries.ts";
import type { Plan } from "./plan.ts";
import type { OrderReport, PspReport } from "./psp-report.ts";
import type { OpenRow } from "../store/outcome-queries.ts";

/** What one kind of operation adds to the runner; its policies are its row in `operation_kinds`. */
export type OperationKind = {
  readonly kind: string;
  /** It decides about each order of a page with it, as captures and voids do. */
  readonly decides_orders?: true;
  /** What is to be asked of the PSP. Pure: `call` is made later, outside any transaction. */
  request(operation: RunnableOperation, turn: Turn): OperationStep;
  /** What follows from a report about the operation; null: nothing. Pure. */
  decide(state: OperationState): Plan | null;
};

export type OperationStep =
  | { readonly kind: "call"; readonly call: (router: PspRouter) => Promise<OperationAnswer> }
  /** The PSP need not be asked: the outcome follows from what is known. */
  | { readonly kind: "known"; readonly outcome: OperationAnswer };

/** What is known under lock when a report arrives: the charge with its order, or the operation alone. */
export type OperationState =
  | { readonly subject: "charge"; readonly report: OrderReport; readonly row: OpenRow }
  | { readonly subject: "operation"; readonly report: PspReport; readonly operation: RunnableOperation };

export type OperationKinds = ReadonlyMap<string, OperationKind>;

export const operationKinds = (kinds: readonly OperationKind[]): OperationKinds =>
  new Map(kinds.map((kind) => [kind.kind, kind]));

/** The kind of an operation that this version knows; another one waits for a version that does. */
export function kindOf(kinds: OperationKinds, kind: string): OperationKind {
  const found = kinds.get(kind);
  if (found === undefined) throw new Error(`this version of Pacioli knows no operation of the kind ${kind}`);
  return found;
}
