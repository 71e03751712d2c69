import { readAdyenSettings, type AdyenSettings } from "./adyen/settings.ts";

export interface SimulatorConfig {
  port: number;
  host: string;
  database_url: string;
  secret_key: string;
  /** The endpoint registered at start, if any. */
  webhook: { url: string; secret: string } | null;
  /** Share (0 to 1) of otherwise successful charges that succeed. */
  success_rate: number;
  latency_ms: number;
  /** How soon after its creation a Checkout Session may expire; Stripe wants 30 minutes. */
  session_seconds_min: number;
  /** How long an authorisation may be captured; whole seconds. */
  authorization_seconds: number;
  /** How long after its 500 a request with the fault `500_rolled_forward` is carried out. */
  roll_forward_seconds: number;
  adyen?: AdyenSettings;
}

type Environment = Readonly<Record<string, string | undefined>>;

function numberIn(
  env: Environment,
  name: string,
  fallback: number,
  min: number,
  max: number,
  faults: string[],
): number {
  const text = env[name];
  if (text === undefined || text === "") return fallback;
  const value = Number(text);
  if (Number.isFinite(value) && value >= min && value <= max) return value;
  faults.push(`${name} must be a number from ${min} to ${max}, not "${text}"`);
  return fallback;
}

function webhookIn(env: Environment, faults: string[]): SimulatorConfig["webhook"] {
  const url = env["SIMULATOR_WEBHOOK_URL"] ?? "";
  const secret = env["SIMULATOR_WEBHOOK_SECRET"] ?? "";
  if (url === "" && secret === "") return null;
  if (!URL.canParse(url))
    faults.push("SIMULATOR_WEBHOOK_URL must be a URL (set with SIMULATOR_WEBHOOK_SECRET)");
  if (!secret.startsWith("whsec_")) faults.push("SIMULATOR_WEBHOOK_SECRET must start with whsec_");
  return { url, secret };
}

/** Reads the settings; throws one error that lists every fault. */
export function readConfig(env: Environment): SimulatorConfig {
  const faults: string[] = [];
  const databaseUrl = env["SIMULATOR_DATABASE_URL"] ?? "";
  if (!/^postgres(ql)?:\/\//.test(databaseUrl)) {
    faults.push(
      "SIMULATOR_DATABASE_URL must be a PostgreSQL URL such as postgres://user:password@host:5432/simulator",
    );
  }
  const config: SimulatorConfig = {
    port: numberIn(env, "SIMULATOR_PORT", 12_111, 0, 65_535, faults),
    host: env["SIMULATOR_HOST"] ?? "127.0.0.1",
    database_url: databaseUrl,
    secret_key: env["SIMULATOR_SECRET_KEY"] ?? "sk_test_simulator",
    webhook: webhookIn(env, faults),
    success_rate: numberIn(env, "PSP_SUCCESS_RATE", 1, 0, 1, faults),
    latency_ms: numberIn(env, "SIMULATOR_LATENCY_MS", 0, 0, 600_000, faults),
    authorization_seconds: Math.floor(
      numberIn(env, "SIMULATOR_AUTHORIZATION_SECONDS", 604_800, 1, 31_536_000, faults),
    ),
    roll_forward_seconds: numberIn(env, "SIMULATOR_ROLL_FORWARD_SECONDS", 180, 0, 86_400, faults),
    session_seconds_min: numberIn(env, "SIMULATOR_SESSION_SECONDS_MIN", 1_800, 1, 86_400, faults),
    adyen: readAdyenSettings(env, faults),
  };
  if (faults.length > 0) throw new Error(`The simulator cannot start:\n- ${faults.join("\n- ")}`);
  return config;
}
