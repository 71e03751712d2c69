import type { Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { decideWaiting, selectAnswered, type LetterSubjects } from "../../jobs/jobs.ts";
import type { AttemptRow, OrderRow } from "../model/model.ts";
import { selectOperationIds } from "../store/operation-queries.ts";

/** An attempt whose orders are locked: no letter about it comes or goes. */
export type LockedAttempt = { readonly attempt: AttemptRow; readonly orders: readonly OrderRow[] };

/** A resolution names at most so many letters, for its approval stores their ids. */
export const letters_read_max = 100;
const letters_named_max = 20;

/**
 * The waiting dead letters about the attempt that report money; a resolution closes them, so a person must
 * have read each. Errors: `state_conflict`, which names the unread ones and ends with `advice`.
 */
export async function assertLettersRead(
  tx: Transaction,
  locked: LockedAttempt,
  read: readonly string[],
  advice: string,
): Promise<string[]> {
  const letterIds = await selectMoneyLetters(tx, locked);
  if (letterIds.length > letters_read_max) {
    throw unreadLetters(
      `${letterIds.length} dead letters about the attempt wait, ` +
        `and a resolution can close ${letters_read_max} of them: ` +
        "discard those that you have dealt with, then resolve it with the rest.",
    );
  }
  const unread = letterIds.filter((id) => !read.includes(id));
  if (unread.length === 0) return letterIds;
  const rest = unread.length - letters_named_max;
  const names = unread.slice(0, letters_named_max).join(", ") + (rest > 0 ? ` and ${rest} more` : "");
  throw unreadLetters(`Dead letters about the attempt say that the PSP reports money: ${names}. ${advice}`);
}

/** Closes the waiting dead letters about the attempt and its operations. */
export async function closeLetters(
  tx: Transaction,
  locked: LockedAttempt,
  decision: { readonly actor: string; readonly note: string },
): Promise<void> {
  for (const subjects of await subjectsOf(tx, locked))
    await decideWaiting(tx, subjects, { ...decision, state: "discarded" });
}

/** Work that was given up says nothing new: the resolution answers it whether it was read or not. */
async function selectMoneyLetters(tx: Transaction, locked: LockedAttempt): Promise<string[]> {
  const letterIds: string[] = [];
  for (const subjects of await subjectsOf(tx, locked)) {
    const letters = await selectAnswered(tx, subjects);
    const aboutMoney = letters.filter(({ kind }) => kind !== "work");
    letterIds.push(...aboutMoney.map(({ dead_letter_id }) => dead_letter_id));
  }
  return letterIds;
}

async function subjectsOf(
  tx: Transaction,
  { attempt: { attempt_id }, orders }: LockedAttempt,
): Promise<readonly LetterSubjects[]> {
  return [
    {
      queue: "payment_execute",
      subject_ids: orders.map(({ payment_order_id }) => payment_order_id),
      attempt_id,
    },
    { queue: "operation_execute", subject_ids: await selectOperationIds(tx, attempt_id) },
  ];
}

const unreadLetters = (message: string): AppError =>
  new AppError("state_conflict", message, { param: "dead_letter_ids" });
