import { monotonicMilliseconds } from "../clock.ts";
import type { Queryable } from "../db/db.ts";

/** How long a result is reused, so that a burst of health checks does not become a burst of statements. */
const fresh_ms = 500;

/**
 * Gives a check that fails if the database does not answer. Give it a connection of its own: on the payments'
 * pool it waited behind 10,000 reads for six seconds, and load balancers took a healthy process out.
 */
export function createDatabaseCheck(db: Queryable): () => Promise<void> {
  let last: { readonly answer: Promise<void>; asked_ms: number; isOpen: boolean } | undefined;
  return () => {
    if (last !== undefined && (last.isOpen || monotonicMilliseconds() - last.asked_ms < fresh_ms))
      return last.answer;
    const check = {
      answer: db.query("select 1").then(() => undefined),
      asked_ms: monotonicMilliseconds(),
      isOpen: true,
    };
    const close = (): void => {
      check.isOpen = false;
    };
    check.answer.then(close, close);
    last = check;
    return check.answer;
  };
}
