import { Type } from "typebox";
import type { Check } from "../src/ledger/ledger.ts";
import { read, type Answer } from "./http-client.ts";

export type Violation = Check["faults"][number];

/** What was asked, with the answers that are right (status, and for refusals the code). */
export const expectations = {
  checkout: ["202"],
  other_body: ["422 checkout_id_reused", "422 idempotency_key_reused"],
  order_of_another: ["409 payment_order_id_in_use"],
  retry: ["200", "409 state_conflict", "422 idempotency_key_reused"],
  status_page: ["200"],
  cancel: ["200", "202", "409 state_conflict"],
  capture: ["202", "409 state_conflict", "422 capture_exceeds_authorization"],
  forged_webhook: ["403 signature_invalid"],
  genuine_webhook: ["200"],
  external_status: ["200"],
  rejected_status: ["200"],
} as const satisfies Record<string, readonly string[]>;
export type Request = keyof typeof expectations;

/** No decision yet: a client that gets one of these asks again. */
const undecided: readonly string[] = [
  "0",
  "429 rate_limited",
  "503 unavailable",
  "503 psp_unavailable",
  "409 idempotency_key_in_use",
];

const Problem = Type.Object({ code: Type.String() });

/** Everything that clients were told, and what of it cannot be right. */
export class Journal {
  /** How often each answer came, by request: `checkout 202`. */
  readonly answers = new Map<string, number>();
  /** The bytes of the first 202 by checkout. */
  readonly accepted = new Map<string, string>();
  /** The bytes of the first 202 by capture. */
  readonly captures = new Map<string, string>();
  /** Orders whose buyer acted at the PSP, and on which payment there (or page, once it said that it was paid). */
  readonly acted = new Map<string, string>();
  /** Poisoned orders, with the reason in the dead letter about each; null if none was opened. */
  readonly poisoned = new Map<string, string | null>();
  /** Orders that a missing account held up, and whether a dead letter told of each. */
  readonly held_up = new Map<string, boolean>();
  readonly wrong_answers: Violation[] = [];
  readonly wrong_repetitions: Violation[] = [];
  #answerCount = 0;

  get answer_count(): number {
    return this.#answerCount;
  }

  /** Writes an answer down; true when it decided the request, false when it must be sent again. */
  note(request: Request, subject: string, answer: Answer): boolean {
    const name = nameOf(answer);
    const key = `${request} ${name === "0" ? "no answer" : name}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
    this.#answerCount += 1;
    if (undecided.includes(name)) return false;
    const right: readonly string[] = expectations[request];
    if (!right.includes(name))
      this.wrong_answers.push({
        subject,
        problem: `${request} was answered ${name}: ${answer.text.slice(0, 300)}`,
      });
    if (request === "checkout" && answer.status === 202)
      this.#accept(this.accepted, `checkout ${subject}`, subject, answer.text);
    if (request === "capture" && answer.status === 202)
      this.#accept(this.captures, `capture ${subject}`, subject, answer.text);
    // A 5xx tells nothing; anything else is a decision, if a wrong one.
    return answer.status < 500;
  }

  /** A request that was never decided in all its time. */
  giveUp(request: Request, subject: string, seconds: number): void {
    this.wrong_answers.push({ subject, problem: `${request} was not decided within ${seconds} s` });
  }

  #accept(answers: Map<string, string>, subject: string, id: string, text: string): void {
    const first = answers.get(id);
    if (first === undefined) answers.set(id, text);
    else if (first !== text)
      this.wrong_repetitions.push({ subject, problem: `was answered ${first} and then ${text}` });
  }
}

function nameOf({ status, text }: Answer): string {
  const code = status >= 400 ? read(text, Problem)?.code : undefined;
  return code === undefined ? String(status) : `${status} ${code}`;
}
