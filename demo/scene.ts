import { messageOf } from "../src/errors.ts";
import type { Stack } from "../src/cli/cli.ts";
import type { Claims } from "./claims.ts";
import type { Client } from "./client.ts";
import type { Paper } from "../console/paper.ts";

/** What a step can use. */
export type Scene = {
  readonly stack: Stack;
  readonly client: Client;
  readonly paper: Paper;
  readonly claims: Claims;
  /** The bytes of first answers, by checkout id, for later steps to compare with. */
  readonly first_answers: Map<string, string>;
};

/** One step of the demo: a heading, what it is about to prove, and the doing. */
export type Step<Needs = Scene> = {
  readonly title: string;
  readonly proves: string;
  readonly run: (scene: Needs) => Promise<void>;
};

/** Plays the steps one after another. A step that breaks off counts as a broken claim and ends the play. */
export async function play<Needs extends Pick<Scene, "paper" | "claims">>(
  steps: readonly Step<Needs>[],
  scene: Needs,
  signal: AbortSignal,
): Promise<void> {
  for (const step of steps) {
    signal.throwIfAborted();
    scene.paper.heading(step.title, step.proves);
    try {
      await step.run(scene);
    } catch (error) {
      signal.throwIfAborted();
      scene.claims.fail(`"${step.title}" runs to its end`, messageOf(error));
      return;
    }
  }
}
