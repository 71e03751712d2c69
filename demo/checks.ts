import { inspect, isDeepStrictEqual } from "node:util";
import type { Claim } from "../console/console-report.ts";

/**
 * The only way the demo states a fact: a claim is printed as true only if the value found equals the value
 * needed.
 */
export class Checks {
  readonly #print: (claim: Claim) => void;
  readonly #broken: string[] = [];
  #checkedCount = 0;

  constructor(print: (claim: Claim) => void) {
    this.#print = print;
  }

  get checked_count(): number {
    return this.#checkedCount;
  }

  /** The statements that were not true, in the order of their checks. */
  get broken(): readonly string[] {
    return this.#broken;
  }

  /** Checks that `found` equals `needed`, member by member, and prints the claim with its mark. */
  check<Value>(statement: string, found: Value, needed: NoInfer<Value>): void {
    this.#checkedCount += 1;
    const is_true = isDeepStrictEqual(found, needed);
    if (!is_true) this.#broken.push(statement);
    this.#print({
      statement,
      is_true,
      details: is_true ? [] : [`needed ${show(needed)}`, `found  ${show(found)}`],
    });
  }

  /** Counts something that could not even be checked. */
  fail(statement: string, reason: string): void {
    this.#checkedCount += 1;
    this.#broken.push(statement);
    this.#print({ statement, is_true: false, details: [reason] });
  }
}

function show(value: unknown): string {
  return inspect(value, { depth: 4, breakLength: Infinity, compact: true, maxStringLength: 400 });
}
