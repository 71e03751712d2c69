/**
 * Named places at which a test kills the process as a power cut would, to prove that every step can
 * be the last, or stops it until SIGCONT, as a machine that hangs. A service arms the one of its settings:
 * `CRASH_POINT=name:count` (at the count-th passing) or `FREEZE_POINT`, which production refuses. Unarmed, a
 * passing costs one comparison.
 */
export const crashPointNames = [
  "after_intake",
  "after_claim",
  "after_psp_call",
  "in_outcome_commit",
  "after_outcome_commit",
] as const;
export type CrashPointName = (typeof crashPointNames)[number];

export type ArmedCrashPoint = {
  readonly name: CrashPointName;
  /** 1 strikes at the first passing. */
  readonly passings: number;
  readonly signal: "SIGKILL" | "SIGSTOP";
};
let armed: (Omit<ArmedCrashPoint, "passings"> & { remaining: number }) | undefined;

/** Arms this one point in place of any other. */
export function armCrashPoint({ name, passings, signal }: ArmedCrashPoint): void {
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
