import { randomUUID } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { operationId } from "../../src/ids.ts";
import { changeSeenIn } from "../../src/psp/operation-state.ts";
import type { OperationOutcome } from "../../src/psp/port-outcomes.ts";
import type { ChargeRequest, OperationRequest, Psp } from "../../src/psp/port.ts";
import { price, someText, type Subject } from "./subject.ts";

type Authorised = { readonly charge: ChargeRequest; readonly psp_reference: string };
type Said = OperationOutcome | { readonly kind: "unchanged" };

/** What each fault says at first, and how often the change happened after the same request was sent until it is clear. */
const faults: Readonly<Record<string, { readonly first: readonly string[]; readonly done: 0 | 1 }>> = {
  timeout_before_charge: { first: ["unknown"], done: 1 },
  timeout_after_charge: { first: ["unknown"], done: 1 },
  disconnect_before_charge: { first: ["unknown"], done: 1 },
  disconnect_after_charge: { first: ["unknown"], done: 1 },
  "500_after_charge": { first: ["unknown"], done: 1 },
  "429": { first: ["not_sent"], done: 1 },
  html: { first: ["unknown"], done: 1 },
  truncated: { first: ["unknown"], done: 1 },
  slow: { first: ["unknown"], done: 1 },
};

export function describeOperations(subject: Subject): void {
  const authorise = async (card = "visa_4242"): Promise<Authorised> => {
    const charge = subject.request(card, { capture_method: "manual" });
    const outcome = await subject.psp.charge(charge);
    if (outcome.kind !== "authorized") throw new Error(`the card was not authorised: ${outcome.kind}`);
    return { charge, psp_reference: outcome.psp_reference };
  };
  const change = (
    { charge, psp_reference }: Authorised,
    changes: Partial<OperationRequest> = {},
  ): OperationRequest => {
    const id = `op_${randomUUID()}`;
    return {
      kind: "capture",
      operation_id: operationId(id),
      psp_key: `${id}-1`,
      attempt_id: charge.attempt_id,
      psp_reference,
      page_token: null,
      money: price,
      captured_before_minor: 0n,
      is_final: false,
      turn: "first_send",
      ...changes,
    };
  };
  const part = (amount_minor: bigint) => ({ ...price, amount_minor });
  const capturedOf = async ({ charge }: Authorised): Promise<number[]> =>
    (await subject.bench.chargesOf(charge.payment_order_id ?? ""))
      .map(({ amount_minor }) => amount_minor)
      .toSorted((a, b) => a - b);

  /** What the PSP says of a change, in its answer or, where it only accepts it, in its webhook. */
  async function said(request: OperationRequest, by: Psp = subject.psp): Promise<Said> {
    const seen = changeSeenIn(await by.operate(request), request);
    return seen.kind === "accepted" ? webhookOf(request) : seen;
  }

  async function webhookOf({ operation_id }: OperationRequest): Promise<OperationOutcome> {
    for (let tries = 0; tries < 250; tries += 1) {
      for (const { body, headers } of subject.bench.webhooks) {
        const report =
          subject.psp.verifyWebhook(body, headers) === undefined
            ? null
            : subject.psp.readWebhook(body.toString("utf8"), "manual");
        if (
          typeof report === "object" &&
          report !== null &&
          "operation_id" in report &&
          report.operation_id === operation_id
        )
          return report.outcome;
      }
      await sleep(20);
    }
    throw new Error("no webhook told of the operation within five seconds");
  }

  /** The same request until it is clear what came of it. */
  async function saidInTheEnd(request: OperationRequest): Promise<Said> {
    for (let tries = 0; tries < 10; tries += 1) {
      const outcome = await said({ ...request, turn: "ask_then_send" });
      if (outcome.kind !== "unknown" && outcome.kind !== "not_sent" && outcome.kind !== "unchanged")
        return outcome;
    }
    throw new Error("it never became clear what came of the operation");
  }

  describe("an authorisation", () => {
    test("holds the money and takes none of it; a webhook says the same", async () => {
      const authorised = await authorise();
      const [{ body }] = await subject.webhooksOf(authorised.charge);
      const report = subject.psp.readWebhook(body.toString("utf8"), "manual");
      expect(report).toMatchObject({
        attempt_id: authorised.charge.attempt_id,
        outcome: { kind: "authorized", authorized: price, captured: part(0n) },
      });
      expect(await capturedOf(authorised)).toEqual([]);
    });

    test("of a card without money is declined", async () => {
      expect(
        (await subject.psp.charge(subject.request("insufficient_funds", { capture_method: "manual" }))).kind,
      ).toBe("declined");
    });

    test("is captured in parts up to its amount, each once however often it is asked for", async () => {
      const authorised = await authorise();
      const first = change(authorised, { money: part(1_000n) });
      expect(await said(first)).toMatchObject({ kind: "done" });
      expect(await said({ ...first, turn: "ask_then_send" })).toMatchObject({ kind: "done" });
      const second = change(authorised, { money: part(500n), captured_before_minor: 1_000n });
      const third = change(authorised, {
        money: part(1_499n),
        captured_before_minor: 1_500n,
        is_final: true,
      });
      expect([await said(second), await said(third)]).toMatchObject([{ kind: "done" }, { kind: "done" }]);
      expect(await capturedOf(authorised)).toEqual([500, 1_000, 1_499]);
    });

    test("gives no more than it holds", async () => {
      const authorised = await authorise();
      expect(await said(change(authorised, { money: part(2_000n) }))).toMatchObject({ kind: "done" });
      const more = await said(change(authorised, { money: part(1_000n), captured_before_minor: 2_000n }));
      expect(["failed", "not_sent"]).toContain(more.kind);
      expect(await capturedOf(authorised)).toEqual([2_000]);
    });

    test("that is given up gives nothing any more", async () => {
      const authorised = await authorise();
      const given = change(authorised, { kind: "void" });
      expect(await said(given)).toMatchObject({ kind: "done" });
      expect(await said({ ...given, turn: "ask_then_send" })).toMatchObject({ kind: "done" });
      expect(await said(change(authorised))).toMatchObject({ kind: "failed" });
      expect(await capturedOf(authorised)).toEqual([]);
    });

    test("of which a part is captured can be given up for the rest", async () => {
      const authorised = await authorise();
      await said(change(authorised, { money: part(1_000n) }));
      expect(await said(change(authorised, { kind: "void", captured_before_minor: 1_000n }))).toMatchObject({
        kind: "done",
      });
      expect(
        (await said(change(authorised, { money: part(1_000n), captured_before_minor: 1_000n }))).kind,
      ).toBe("failed");
      expect(await capturedOf(authorised)).toEqual([1_000]);
    });
  });

  describe("an operation under the fault", () => {
    test("500_before of a void is known to be harmless at once where the PSP shows its state", async () => {
      const authorised = await authorise();
      const request = change(authorised, { kind: "void" });
      await subject.bench.setFaults({ next_modifications: [{ fault: "500_before", count: 1 }] });
      expect((await subject.psp.operate(request)).kind).toBe("unknown");
      const again = await said({ ...request, turn: "ask_then_send" });
      expect(again.kind).toBe(subject.profile.operation_after_500 === "known" ? "failed" : "unknown");
      expect(await said({ ...request, psp_key: `${request.operation_id}-2` })).toMatchObject({
        kind: "done",
      });
    });

    test.each(Object.entries(faults))(
      "%s is told as it is, and happens once in the end",
      async (fault, { first, done }) => {
        for (const kind of ["capture", "void"] as const) {
          const authorised = await authorise();
          const request = change(authorised, { kind });
          await subject.bench.setFaults({ next_modifications: [{ fault, count: 1 }] });
          expect(first).toContain((await subject.psp.operate(request)).kind);
          expect(
            await (subject.profile.operation_after_500 === "unknown" && fault.startsWith("500")
              ? webhookOf(request)
              : saidInTheEnd(request)),
          ).toMatchObject({ kind: "done", psp_reference: someText });
          expect(await capturedOf(authorised)).toHaveLength(kind === "capture" ? done : 0);
        }
      },
      20_000,
    );

    test("500_before stays unknown until it is long ago; then a PSP that shows its state says so, and another key gets past it", async () => {
      const authorised = await authorise();
      const request = change(authorised);
      await subject.bench.setFaults({ next_modifications: [{ fault: "500_before", count: 1 }] });
      expect((await subject.psp.operate(request)).kind).toBe("unknown");
      const isKnown = subject.profile.operation_after_500 === "known";
      const again = await said({ ...request, turn: "ask_then_send" });
      expect(again).toMatchObject(isKnown ? { kind: "unknown", is_stored: true } : { kind: "unknown" });
      expect((await said({ ...request, turn: "ask_only" })).kind).toBe(isKnown ? "unchanged" : "unknown");
      const proof = await said({ ...request, turn: "ask_for_proof" });
      expect(proof).toMatchObject(
        isKnown ? { kind: "failed", failure: { class: "transient_decline" } } : { kind: "unknown" },
      );
      expect(await capturedOf(authorised)).toEqual([]);
      expect(await said({ ...request, psp_key: `${request.operation_id}-2` })).toMatchObject({
        kind: "done",
      });
      expect(await capturedOf(authorised)).toEqual([2_999]);
    });
  });

  test("an operation at a PSP that is not there was not sent", async () => {
    const authorised = await authorise();
    const psp = subject.bench.open({ api_base: new URL("http://127.0.0.1:1/") });
    expect(await psp.operate(change(authorised))).toMatchObject({
      kind: "not_sent",
      failure: { class: "unreachable" },
    });
  });
}
