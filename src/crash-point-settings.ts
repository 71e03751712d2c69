/** Where tests kill or stop the process: CRASH_POINT and FREEZE_POINT. */
import { armCrashPoint, crashPointNames } from "./payments/payments.ts";
import type { Mode, SettingsReader } from "./settings-reader.ts";

/**
 * For tests: `CRASH_POINT=after_psp_call:3` kills the process there, FREEZE_POINT stops it. Refused in
 * production.
 */
export function armFromEnvironment(read: SettingsReader, mode: Mode): void {
  arm(read, mode, { setting: "CRASH_POINT", text: read.text("CRASH_POINT"), signal: "SIGKILL" });
  arm(read, mode, { setting: "FREEZE_POINT", text: read.text("FREEZE_POINT"), signal: "SIGSTOP" });
}

type ArmedPoint = {
  readonly setting: string;
  readonly text: string | undefined;
  readonly signal: "SIGKILL" | "SIGSTOP";
};

function arm(read: SettingsReader, mode: Mode, { setting, text, signal }: ArmedPoint): void {
  if (text === undefined) return;
  const [wanted, passings = "1"] = text.split(":");
  const name = crashPointNames.find((known) => known === wanted);
  if (mode === "production" || name === undefined || !/^\d+$/.test(passings)) {
    read.faults.push(`${setting}: "${text}" is not a crash point, or this is production`);
    return;
  }
  armCrashPoint(name, Number(passings), signal);
}
