import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import type { PspOutcome } from "../../src/psp/port-outcomes.ts";
import type { ChargeRequest } from "../../src/psp/port.ts";
import type { Received } from "./receiver.ts";
import { paid, type Subject } from "./subject.ts";

export function describeWebhooks(subject: Subject): void {
  /** A charge, what the call said of it, and its webhook. */
  const charged = async (
    card: string,
  ): Promise<Received & { charge: ChargeRequest; outcome: PspOutcome }> => {
    const charge = subject.request(card);
    const outcome = await subject.psp.charge(charge);
    const [webhook] = await subject.webhooksOf(charge);
    return { charge, outcome, ...webhook };
  };
  const eventIdsOf = async (charge: ChargeRequest): Promise<(string | undefined)[]> =>
    (await subject.webhooksOf(charge)).map(
      ({ body, headers }) => subject.psp.verifyWebhook(body, headers)?.psp_event_id,
    );

  describe("a webhook", () => {
    const cards = ["visa_4242", "card_declined", "insufficient_funds", "chargeDeclinedProcessingError"];
    test.each(cards)("says of %s what the call said", async (card) => {
      const { charge, outcome, body } = await charged(card);
      expect(subject.psp.readWebhook(body.toString("utf8"), "automatic")).toMatchObject({
        attempt_id: charge.attempt_id,
        outcome,
      });
    });

    test("tells of a charge whose answer was lost", async () => {
      const { charge, outcome, body } = await charged("fault_500_after_charge");
      expect(outcome.kind).toBe("unknown");
      expect(subject.psp.readWebhook(body.toString("utf8"), "automatic")).toMatchObject({
        attempt_id: charge.attempt_id,
        outcome: paid,
      });
    });

    test("is genuine with either of two secrets, and with no other or none", async () => {
      const { charge, body, headers } = await charged("visa_4242");
      const { webhook_secret: secret, other_webhook_secret: other } = subject.bench;
      const verified = [[secret], [secret, other], [other, secret], [other], []].map(
        (webhook_secrets) => subject.bench.open({ webhook_secrets }).verifyWebhook(body, headers)?.attempt_id,
      );
      expect(verified).toEqual([
        charge.attempt_id,
        charge.attempt_id,
        charge.attempt_id,
        undefined,
        undefined,
      ]);
    });

    test("whose amount, attempt or payment was changed by a byte, or that is none at all, is refused", async () => {
      const { charge, outcome, body, headers } = await charged("visa_4242");
      const genuine = body.toString("utf8");
      const changed = ["2999", charge.attempt_id, referenceOf(outcome)].map((text) =>
        genuine.replaceAll(text, withOtherEnd(text)),
      );
      for (const text of changed) expect(text).not.toBe(genuine);
      for (const text of [...changed, "", "null", "[]", "{}", '"ok"', genuine.slice(0, -1), `[${genuine}]`]) {
        expect(subject.psp.verifyWebhook(Buffer.from(text), headers)).toBeUndefined();
      }
      expect(subject.psp.verifyWebhook(Buffer.from([0xff, 0xfe]), headers)).toBeUndefined();
    });

    const { stale } = subject.profile;
    test.each(stale === null ? [] : [{ stale }])(
      "that was signed too long ago is refused",
      async (profile) => {
        const old = profile.stale(await charged("visa_4242"), subject.bench.webhook_secret);
        expect(subject.psp.verifyWebhook(old.body, old.headers)).toBeUndefined();
      },
    );

    test("keeps its id when it comes twice, and no two events share one", async () => {
      await subject.bench.setFaults({ webhooks: { duplicate_rate: 1 } });
      const charges: ChargeRequest[] = [];
      for (const card of ["visa_4242", "visa_4242", "card_declined"])
        charges.push((await charged(card)).charge);
      await sleep(200);
      await subject.bench.setFaults({ webhooks: { duplicate_rate: 0 } });
      const ids = await Promise.all(charges.map(eventIdsOf));
      for (const list of ids) expect(list).toEqual([list[0], list[0]]);
      expect(new Set(ids.flat()).size).toBe(charges.length);
    });
  });
}

const withOtherEnd = (text: string): string => `${text.slice(0, -1)}${text.endsWith("1") ? "2" : "1"}`;

function referenceOf(outcome: PspOutcome): string {
  if (outcome.kind !== "succeeded") throw new Error("the charge was to succeed");
  return outcome.psp_reference;
}
