/**
 * Named places at which a test kills the process as a power cut would, to prove that every step can
 * be the last, or stops it until SIGCONT, as a machine that hangs. Armed by `CRASH_POINT=name:count` (at the
 * count-th passing) or `FREEZE_POINT`, which configuration refuses outside development; unarmed, a passing
 * costs one comparison.
 */
export const crashPointNames = [
  "after_intake",
  "after_claim",
  "after_psp_call",
  "in_settlement",
  "after_settlement",
] as const;
export type CrashPointName = (typeof crashPointNames)[number];

type Signal = "SIGKILL" | "SIGSTOP";
let armed: { readonly name: CrashPointName; readonly signal: Signal; remaining: number } | undefined;

/** Arms one point; `passings` 1 strikes at the first. */
export function armCrashPoint(name: CrashPointName, passings: number, signal: Signal): void {
  armed = { name, signal, remaining: passings };
}

/** Dies, or freezes until SIGCONT, if this is the armed point and its passing is due. */
export function crashPoint(name: CrashPointName): void {
  if (armed?.name !== name) return;
  armed.remaining -= 1;
  if (armed.remaining > 0) return;
  const { signal } = armed;
  armed = undefined;
  process.kill(process.pid, signal);
}
