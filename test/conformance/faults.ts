import { describe, expect, test } from "vitest";
import type { FaultOutcome } from "./bench.ts";
import { openReceiver } from "./receiver.ts";
import { paid, type Subject } from "./subject.ts";

/** The simulator's faults: `charged` is the truth, the rest what may be said of it without knowing more. */
const faults: Readonly<Record<string, FaultOutcome & { readonly charged: 0 | 1 }>> = {
  timeout_before_charge: { charged: 0, first: "unknown", found: "not_found", again: "unknown" },
  timeout_after_charge: { charged: 1, first: "unknown", found: "succeeded", again: "succeeded" },
  disconnect_before_charge: { charged: 0, first: "unknown", found: "not_found", again: "unknown" },
  disconnect_after_charge: { charged: 1, first: "unknown", found: "succeeded", again: "succeeded" },
  "500_before": { charged: 0, first: "unknown", found: "not_found", again: "unknown" },
  "500_after_charge": { charged: 1, first: "unknown", found: "succeeded", again: "unknown" },
  html: { charged: 0, first: "unknown", found: "not_found", again: "unknown" },
  truncated: { charged: 1, first: "unknown", found: "succeeded", again: "succeeded" },
  slow: { charged: 1, first: "unknown", found: "succeeded", again: "succeeded" },
};

/** Answers that say nothing about the money, whatever the PSP. */
const unclearAnswers: readonly (readonly [status: number, body: string])[] = [
  [200, ""],
  [200, "null"],
  [200, "[]"],
  [200, "{}"],
  [200, '"ok"'],
  [200, "<html>"],
  [200, '{"status":"suc'],
  [202, "{}"],
  [302, ""],
  [408, "{}"],
  [500, "{}"],
  [502, "<html>"],
  [503, ""],
  [504, "null"],
];

export function describeFaults(subject: Subject): void {
  const { profile } = subject;

  describe.concurrent("the fault", () => {
    test.each(Object.entries(faults))(
      "%s is told as it is, and one charge at most comes of all repetition",
      async (fault, table) => {
        const { charged, first, found, again } = { ...table, ...profile.faults[fault] };
        const charge = subject.request(`fault_${fault}`);
        expect((await subject.psp.charge(charge)).kind).toBe(first);
        expect((await subject.inquire(charge)).kind).toBe(found);
        expect((await subject.psp.charge(charge)).kind).toBe(again);
        expect(await subject.chargeCount(charge)).toBe(charged);
      },
    );

    test("slow is a success for who waits", async () => {
      expect(await subject.bench.open({ timeout_ms: 8_000 }).charge(subject.request("fault_slow"))).toEqual(
        paid,
      );
    });

    test("429 was not acted on, and says when to come again", async () => {
      const charge = subject.request("fault_429");
      expect(await subject.psp.charge(charge)).toMatchObject({
        kind: "not_sent",
        failure: { class: "rate_limited", code: "psp_rate_limited", retry_after_seconds: 1 },
      });
      expect(await subject.chargeCount(charge)).toBe(0);
    });
  });

  describe("an answer that is none", () => {
    test.each(unclearAnswers)("(%i %j) leaves the outcome unknown", async (status, body) => {
      const server = await openReceiver(status, body);
      try {
        expect(
          (await subject.bench.open({ api_base: server.url }).charge(subject.request("visa_4242"))).kind,
        ).toBe("unknown");
        expect(server.received).toHaveLength(1);
      } finally {
        await server.close();
      }
    });
  });

  describe("a PSP", () => {
    test("that refuses our key has done nothing", async () => {
      const outcome = await subject.bench.open({ secret_key: "wrong" }).charge(subject.request("visa_4242"));
      expect(outcome).toMatchObject({
        kind: "not_sent",
        failure: { class: "unreachable", code: "psp_key_refused" },
      });
    });

    test("that is not there has done nothing, and an inquiry there proves nothing", async () => {
      const gone = await openReceiver();
      await gone.close();
      const psp = subject.bench.open({ api_base: gone.url });
      const outcome = await psp.charge(subject.request("visa_4242"));
      expect(outcome).toMatchObject({
        kind: "not_sent",
        failure: { class: "unreachable", code: "psp_unreachable" },
      });
      expect((await subject.inquire(subject.request("visa_4242"), null, psp)).kind).toBe(
        profile.inquiry_unreachable,
      );
    });
  });
}
