import { effectsSummary, findEffects } from "./effects.ts";
import type { SimulatorConfig } from "./config.ts";
import type { Faults } from "./faults.ts";
import type { FormMap } from "./form.ts";
import type { Reply } from "./idempotency.ts";
import { emptyEverything } from "./queries.ts";
import type { Store } from "./store.ts";
import type { WebhookEndpoints } from "./webhook-endpoints.ts";
import type { WebhookSender } from "./webhook-sender.ts";

export interface AdminParts {
  config: SimulatorConfig;
  store: Store;
  faults: Faults;
  endpoints: WebhookEndpoints;
  sender: WebhookSender;
}

export interface AdminRequest {
  method: string;
  /** Path parts after `/_simulator/`. */
  path: readonly string[];
  query: FormMap;
  body: string;
}

function reply(status: number, body: unknown): Reply {
  return { status, body: JSON.stringify(body), transport: "normal" };
}

function changeFaults(faults: Faults, body: string): Reply {
  try {
    const input: unknown = JSON.parse(body);
    faults.change(input);
  } catch (error) {
    return reply(400, { error: { message: error instanceof Error ? error.message : "not understood" } });
  }
  return reply(200, faults.current);
}

async function reset({ config, store, faults, endpoints, sender }: AdminParts): Promise<Reply> {
  await emptyEverything(store.reads);
  sender.forget();
  faults.reset();
  await endpoints.load();
  await endpoints.registerFromEnvironment(config.webhook, Date.now());
  return reply(200, { reset: true });
}

function textFilters(query: FormMap): Map<string, string> {
  const filters = new Map<string, string>();
  for (const [key, value] of query) if (typeof value === "string") filters.set(key, value);
  return filters;
}

/** Answers requests to `/_simulator/…`: faults, the ledger of effects, reset, health. */
export function adminRoutes(parts: AdminParts): (request: AdminRequest) => Promise<Reply> {
  return async ({ method, path, query, body }) => {
    switch (`${method} ${path.join("/")}`) {
      case "GET health":
        await parts.store.reads.query("select 1");
        return reply(200, { status: "ok" });
      case "GET faults":
        return reply(200, parts.faults.current);
      case "POST faults":
        return changeFaults(parts.faults, body);
      case "POST reset":
        return reset(parts);
      case "GET effects":
        return reply(200, await findEffects(parts.store.reads, textFilters(query)));
      case "GET effects/summary":
        return reply(200, await effectsSummary(parts.store.reads));
      default:
        return reply(404, { error: { message: "the simulator has no such admin route" } });
    }
  };
}
