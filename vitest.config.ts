import { defineConfig } from "vitest/config";
import { codeFolders } from "./scripts/rooms.ts";

export default defineConfig({
  test: {
    include: codeFolders.map((folder) => `${folder}/**/*.test.ts`),
    globalSetup: ["test/support/global-setup.ts"],
    testTimeout: 30_000,
    hookTimeout: 60_000,
    // Most of a test's time is waiting, for a lease or a PSP: three files keep two cores half busy, four make timing unreliable.
    maxWorkers: 3,
  },
});
