import { defineConfig } from "vitest/config";
import { BaseSequencer, type TestSpecification } from "vitest/node";
import { codeFolders } from "./scripts/rooms.ts";

/**
 * Files that take longest are started early, one beside ten others each: at the end they would run alone,
 * and beside each other they would make the machine too busy for their timing.
 */
class LongOnesEarly extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    // oxlint-disable-next-line unicorn/no-array-sort -- a method of vitest, not of an array
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification): boolean => moduleId.includes("/test/crash/");
    const others = sorted.filter((file) => !isLong(file));
    const long = sorted.filter(isLong);
    const woven = others.flatMap((file, index) => [...(index % 10 === 0 ? long.splice(-1) : []), file]);
    return [...long, ...woven];
  }
}

export default defineConfig({
  test: {
    include: codeFolders.map((folder) => `${folder}/**/*.test.ts`),
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Part of a test's time is waiting, for a lease or a PSP: three files keep two cores busy, four make timing unreliable.
    maxWorkers: 3,
    // A worker keeps the modules of one file for the next: a process for each file and its imports again took half
    // a second of the processor, 229 times. So a test puts back what it changes, and these are put back for it.
    isolate: false,
    restoreMocks: true,
    unstubEnvs: true,
    sequence: { sequencer: LongOnesEarly },
  },
});
