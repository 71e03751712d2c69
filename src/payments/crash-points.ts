/**
 * Named places at which a test kills the process as a power cut would, to prove that every step can
 * be the last. Armed by `CRASH_POINT=name:count` (die at the count-th passing), which configuration
 * refuses outside development; unarmed, a passing costs one comparison.
 */
export const crashPointNames = ["after_intake", "after_claim", "after_psp_call", "in_settlement", "after_settlement"] as const;
export type CrashPointName = (typeof crashPointNames)[number];

let armed: { readonly name: CrashPointName; remaining: number } | undefined;

/** Arms one point; `passings` 1 dies at the first. */
export function armCrashPoint(name: CrashPointName, passings: number): void {
  armed = { name, remaining: passings };
}

/** Dies with SIGKILL if this is the armed point and its time has come. */
export function crashPoint(name: CrashPointName): void {
  if (armed?.name !== name) return;
  armed.remaining -= 1;
  if (armed.remaining <= 0) process.kill(process.pid, "SIGKILL");
}
