import { PassThrough } from "node:stream";
import { expect, test } from "vitest";
import { Claims } from "./claims.ts";
import { conclude } from "./conclusion.ts";
import { Paper } from "../console/paper.ts";
import { play, type Step } from "./scene.ts";

type Parts = { readonly claims: Claims; readonly paper: Paper };

/** Plays steps without a stack; gives what was printed and the exit code. */
async function playOnPaper(runs: readonly Step<Parts>["run"][], signal = new AbortController().signal) {
  const out = new PassThrough({ encoding: "utf8" });
  const paper = new Paper(out);
  const claims = new Claims((claim) => paper.claim(claim));
  await play(
    runs.map((run, index) => ({ title: `Step ${index + 1}`, proves: "what it proves", run })),
    { paper, claims },
    signal,
  );
  const exitCode = conclude(paper, claims, 1.5);
  return { exitCode, printed: String(out.read()) };
}

test("a demo whose claims are all true says how many there were and exits 0", async () => {
  const { exitCode, printed } = await playOnPaper([
    async ({ claims }) => {
      claims.check("two and two are four", 2 + 2, 4);
      claims.check("lists are held member by member", [["a", 1n], { b: null }], [["a", 1n], { b: null }]);
    },
  ]);
  expect(exitCode).toBe(0);
  expect(printed).toContain("1. Step 1\n   what it proves\n   ✓ two and two are four\n");
  expect(printed).toContain("All 2 checks passed (1.5 s).");
});

test("one lie among true claims is marked, shown with what was found, named again at the end, and exits 1", async () => {
  const { exitCode, printed } = await playOnPaper([
    async ({ claims }) => {
      claims.check("true before", true, true);
      claims.check("both sides come to 45.49", ["45.49", "45.48"], ["45.49", "45.49"]);
    },
    async ({ claims }) => claims.check("true after", 1, 1),
  ]);
  expect(exitCode).toBe(1);
  expect(printed).toContain(
    "   ✗ both sides come to 45.49\n       needed [ '45.49', '45.49' ]\n       found  [ '45.49', '45.48' ]\n",
  );
  expect(printed).toContain("   ✓ true after\n");
  expect(printed).toMatch(/1 of 3 checks failed:\n {3}✗ both sides come to 45\.49\n$/);
});

test("a step that breaks off is a broken claim and ends the play", async () => {
  const { exitCode, printed } = await playOnPaper([
    async ({ claims }) => claims.check("true before", true, true),
    async () => {
      throw new Error("order-bob is EXECUTING, not SUCCESS, after 15 s");
    },
    async ({ claims }) => claims.check("never reached", true, true),
  ]);
  expect(exitCode).toBe(1);
  expect(printed).toContain(
    '✗ "Step 2" runs to its end\n       order-bob is EXECUTING, not SUCCESS, after 15 s\n',
  );
  expect(printed).not.toContain("Step 3");
});

test("an interruption is no broken claim: it ends the play at once", async () => {
  const controller = new AbortController();
  const isPlayed = playOnPaper(
    [
      async () => {
        controller.abort();
        throw new Error("the request under way was cut");
      },
    ],
    controller.signal,
  );
  await expect(isPlayed).rejects.toThrow(/aborted/);
});
