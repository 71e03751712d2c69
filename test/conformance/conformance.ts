/** What every adapter must do, shown against a PSP that runs. `docs/adding-a-psp.md` tells how to use it. */
import { afterAll, beforeAll, describe } from "vitest";
import type { Bench, PspProfile } from "./bench.ts";
import { describeCharges } from "./charges.ts";
import { describeFaults } from "./faults.ts";
import { describeOperations } from "./operations.ts";
import { Subject } from "./subject.ts";
import { describeWebhooks } from "./webhooks.ts";

/** The suite for one PSP. `start` runs the PSP; `profile` says where it rightly differs from the others. */
export function describePspConformance(name: string, start: () => Promise<Bench>, profile: PspProfile): void {
  describe(`${name} conforms`, () => {
    const subject = new Subject(start, profile);
    beforeAll(() => subject.start());
    afterAll(() => subject.stop());
    describeCharges(subject);
    describeFaults(subject);
    describeOperations(subject);
    describeWebhooks(subject);
  });
}
