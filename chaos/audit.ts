import { Type } from "typebox";
import { verifyBooks } from "../src/cli/cli.ts";
import type { Database } from "../src/db/db.ts";
import type { Check } from "../src/ledger/ledger.ts";
import { formatAmount, toCurrencyCode } from "../src/money/money.ts";
import { findWallet } from "../src/wallets/wallets.ts";
import { sendCapture } from "./captures.ts";
import type { ClientContext } from "./client.ts";
import { postCheckout } from "./clients.ts";
import { countCharges, findEffects } from "./effects.ts";
import { read } from "./http-client.ts";
import { compareSides } from "./invariants.ts";
import type { Journal, Violation } from "./journal.ts";
import type { PlannedCheckout } from "./plan.ts";
import {
  countMessages,
  countRows,
  selectCaptures,
  selectDubiousMessages,
  selectOutcomes,
  type Outcome,
  type Rows,
} from "./queries.ts";
import { waitForQuiet } from "./quiet.ts";
import type { Random } from "./random.ts";
import { forgeries } from "./schedule.ts";
import { findTarget, repeatWebhooks, sendForgery } from "./webhooks.ts";

export type AuditContext = ClientContext & {
  readonly database: Database;
  readonly plan: readonly PlannedCheckout[];
  readonly webhook_secret: string;
  readonly random: Random;
};

/** Runs all checks after a run: repeated requests change nothing, and all records agree. */
export async function audit(context: AuditContext): Promise<Check[]> {
  const { database, http, plan, journal } = context;
  const repeated = [await repeatCheckouts(context), await repeatNews(context)];
  const outcomes = await selectOutcomes(database);
  const effects = await findEffects(
    http,
    plan.map((checkout) => checkout.checkout_id),
  );
  return [
    ...compareSides({ plan, journal, outcomes, effects }),
    ...repeated,
    await webhooksAreApplied(database),
    await walletsAreEqual(database, outcomes),
    await capturesAreDecided(context),
    ...poisonedAreSeen(journal),
    ...heldUpAreSeen(journal),
    ...(await verifyBooks(database)).map((check) => ({ ...check, statement: `books: ${check.statement}` })),
  ];
}

type State = Rows & { readonly charges: bigint };

const stateOf = async ({ database, http }: AuditContext): Promise<State> => ({
  ...(await countRows(database)),
  charges: BigInt(await countCharges(http)),
});

function changesOf(before: State, after: State): Violation[] {
  return Object.entries(after)
    .filter(([name, count]) => before[name] !== count)
    .map(([name, count]) => ({ subject: name, problem: `were ${before[name] ?? 0n}, are ${count}` }));
}

/** Repeats every request: the same bytes, no effect. */
async function repeatCheckouts(context: AuditContext): Promise<Check> {
  const { plan, journal } = context;
  const before = await stateOf(context);
  const faults: Violation[] = [];
  for (const checkout of plan) {
    const answer = await postCheckout(context, checkout);
    const subject = `checkout ${checkout.checkout_id}`;
    if (answer.text !== journal.accepted.get(checkout.checkout_id))
      faults.push({ subject, problem: `is answered ${answer.status} ${answer.text}` });
    else if (!answer.is_replay) faults.push({ subject, problem: "lacks the header Idempotent-Replayed" });
  }
  for (const [subject, text] of journal.captures) {
    const space = subject.indexOf(" ");
    const answer = await sendCapture(context, subject.slice(0, space), subject.slice(space + 1));
    if (answer.text !== text)
      faults.push({ subject: `capture ${subject}`, problem: `is answered ${answer.status} ${answer.text}` });
  }
  return {
    statement:
      "repeating each checkout and capture returns the first answer, byte for byte, and has no effect",
    checked_count: BigInt(plan.length + journal.captures.size),
    faults: [...faults, ...changesOf(before, await stateOf(context))],
  };
}

/** Sends genuine webhooks again and forged ones when everything is decided: neither may change anything. */
async function repeatNews(context: AuditContext): Promise<Check> {
  const before = await stateOf(context);
  const count = await repeatWebhooks(context, context.random, { copies: 2, is_all: true });
  const target = await findTarget(context.http);
  if (target !== undefined)
    await Promise.all(forgeries.map((forgery) => sendForgery(context, forgery, target, 0)));
  const unsettled = await waitForQuiet({
    ...context,
    acted: new Map(),
    seconds_max: 15,
    on_progress: () => undefined,
  });
  const faults = unsettled.map(({ what, count: left, example }): Violation => ({
    subject: example,
    problem: `${left} ${what} 15 s later`,
  }));
  return {
    statement:
      "repeating genuine webhooks, shuffled and twice at once, and one forgery of each kind changes nothing",
    checked_count: BigInt(count + (target === undefined ? 0 : forgeries.length)),
    faults: [...faults, ...changesOf(before, await stateOf(context))],
  };
}

async function webhooksAreApplied(database: Database): Promise<Check> {
  const dubious = await selectDubiousMessages(database);
  return {
    statement: "no forged webhook was stored, and every genuine one was stored once and applied",
    checked_count: await countMessages(database),
    faults: dubious.map(({ psp_event_id, state }) => ({
      subject: `webhook ${psp_event_id}`,
      problem: `is ${state}`,
    })),
  };
}

/** Each wallet, as its seller sees it, against the paid orders. */
async function walletsAreEqual(database: Database, outcomes: readonly Outcome[]): Promise<Check> {
  const paid = outcomes.filter((outcome) => outcome.captured_minor > 0n);
  const bySeller = Map.groupBy(paid, (outcome) => outcome.seller_account);
  const faults: Violation[] = [];
  let count = 0;
  for (const [seller, orders] of bySeller) {
    const wallet = await findWallet(database, seller);
    for (const [currency, ofCurrency] of Map.groupBy(orders, (order) => order.currency)) {
      count += 1;
      const earned = ofCurrency.reduce(
        (sum, order) => sum + order.captured_minor - order.commission_minor,
        0n,
      );
      const needed = formatAmount({ amount_minor: earned, currency: toCurrencyCode(currency) });
      const total = wallet?.balances.find((balance) => balance.currency === currency)?.total ?? "nothing";
      if (total !== needed)
        faults.push({
          subject: `wallet of ${seller}`,
          problem: `holds ${total} ${currency}, but its paid orders sum to ${needed}`,
        });
    }
  }
  return {
    statement: "each wallet equals the sum of its seller's paid orders",
    checked_count: BigInt(count),
    faults,
  };
}

/** Every poisoned order has a dead letter. Another check covers that all orders were decided in the end. */
function poisonedAreSeen({ poisoned }: Journal): Check[] {
  if (poisoned.size === 0) return [];
  const unseen = [...poisoned].filter(([, reason]) => reason === null || !reason.includes("is poisoned"));
  const faults = unseen.map(([id, reason]) => ({
    subject: `order ${id}`,
    problem: reason === null ? "no dead letter was opened for it" : `its dead letter says: ${reason}`,
  }));
  return [
    {
      statement: "every poisoned order has a dead letter with the reason",
      checked_count: BigInt(poisoned.size),
      faults,
    },
  ];
}

/** Only the orders that a missing account delayed; another check covers that they all continued. */
function heldUpAreSeen({ held_up }: Journal): Check[] {
  if (held_up.size === 0) return [];
  const unseen = [...held_up]
    .filter(([, isSeen]) => !isSeen)
    .map(([id]) => ({ subject: `order ${id}`, problem: "no dead letter was opened for it" }));
  return [
    {
      statement: "every order delayed by a missing PSP account has a dead letter",
      checked_count: BigInt(held_up.size),
      faults: unseen,
    },
  ];
}

const SentCapture = Type.Object({ capture_id: Type.String() });

/**
 * Accepted captures are kept. An accepted capture may fail only if its authorisation had ended or a dead
 * letter reports it.
 */
async function capturesAreDecided({ database, journal }: AuditContext): Promise<Check> {
  const stored = new Map(
    (await selectCaptures(database)).map((capture) => [
      `${capture.payment_order_id} ${capture.capture_id}`,
      capture,
    ]),
  );
  const faults = [...journal.captures.keys()].flatMap((subject): Violation[] => {
    const space = subject.indexOf(" ");
    const sent = read(subject.slice(space + 1), SentCapture);
    const capture = stored.get(`${subject.slice(0, space)} ${sent?.capture_id ?? ""}`);
    if (capture === undefined)
      return [{ subject: `capture ${subject}`, problem: "was answered with 202 but is missing" }];
    const isExplained =
      capture.status === "succeeded" ||
      (capture.status === "failed" &&
        (capture.has_open_case || capture.failure_code === "authorization_ended"));
    return isExplained
      ? []
      : [
          {
            subject: `capture ${subject}`,
            problem: `is ${capture.status} (${capture.failure_code ?? "no reason"})`,
          },
        ];
  });
  return {
    statement: "every capture answered with 202 is stored and decided",
    checked_count: BigInt(journal.captures.size),
    faults,
  };
}
