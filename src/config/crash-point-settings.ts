/** Where tests kill or stop the service: CRASH_POINT and FREEZE_POINT. */
import { crashPointNames, type ArmedCrashPoint } from "../payments/payments.ts";
import type { Mode, SettingsReader } from "./settings-reader.ts";

/**
 * For tests: `CRASH_POINT=after_psp_call:3` kills the service there, FREEZE_POINT stops it; with both, the
 * latter counts. Refused in production. Nothing is armed here.
 */
export function crashPointOf(read: SettingsReader, mode: Mode): ArmedCrashPoint | undefined {
  const crash = parse(read, mode, {
    setting: "CRASH_POINT",
    text: read.text("CRASH_POINT"),
    signal: "SIGKILL",
  });
  const freeze = parse(read, mode, {
    setting: "FREEZE_POINT",
    text: read.text("FREEZE_POINT"),
    signal: "SIGSTOP",
  });
  return freeze ?? crash;
}

type PointSetting = {
  readonly setting: string;
  readonly text: string | undefined;
  readonly signal: ArmedCrashPoint["signal"];
};

function parse(
  read: SettingsReader,
  mode: Mode,
  { setting, text, signal }: PointSetting,
): ArmedCrashPoint | undefined {
  if (text === undefined) return undefined;
  const [wanted, passings = "1"] = text.split(":");
  const name = crashPointNames.find((known) => known === wanted);
  if (mode === "production" || name === undefined || !/^\d+$/.test(passings)) {
    read.faults.push(`${setting}: "${text}" is not a crash point, or this is production`);
    return undefined;
  }
  return { name, passings: Number(passings), signal };
}
