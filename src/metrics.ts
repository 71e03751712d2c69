import { Counter, Gauge, Histogram, Registry, collectDefaultMetrics } from "prom-client";

export const metricsRegistry = new Registry();
collectDefaultMetrics({ register: metricsRegistry });

const registers = [metricsRegistry];

export const httpRequestSeconds = new Histogram({
  name: "pacioli_http_request_seconds",
  help: "Duration of HTTP requests.",
  labelNames: ["route", "method", "status"],
  buckets: [0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
  registers,
});
export const ordersFinal = new Counter({
  name: "pacioli_payment_orders_total",
  help: "Payment orders by the state they moved to.",
  labelNames: ["status"],
  registers,
});
export const ordersOverdue = new Counter({
  name: "pacioli_payment_orders_overdue_total",
  help: "Orders found in one state for too long.",
  labelNames: ["status"],
  registers,
});
export const pspCallSeconds = new Histogram({
  name: "pacioli_psp_call_seconds",
  help: "Duration of PSP calls by outcome.",
  labelNames: ["psp", "outcome"],
  buckets: [0.005, 0.025, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
  registers,
});
export const breakerOpen = new Gauge({
  name: "pacioli_psp_breaker_open",
  help: "1 while calls to the PSP are held back.",
  labelNames: ["psp"],
  registers,
});
export const groupCommitItems = new Histogram({
  name: "pacioli_group_commit_items",
  help: "Items in one shared transaction.",
  labelNames: ["group"],
  buckets: [1, 2, 5, 10, 25, 50, 100, 250, 500, 1000],
  registers,
});
export const webhooksReceived = new Counter({
  name: "pacioli_webhooks_received_total",
  help: "Webhooks from PSPs by result: stored, duplicate or refused.",
  labelNames: ["psp", "result"],
  registers,
});
export const webhookBodiesCutOff = new Counter({
  name: "pacioli_webhook_bodies_cut_off_total",
  help: "Bodies of webhooks cut off before their end, to make room for others.",
  registers,
});
export const requestBodiesCutOff = new Counter({
  name: "pacioli_request_bodies_cut_off_total",
  help: "Bodies of requests with an API key cut off before their end, to make room for others.",
  registers,
});
export const accessRefused = new Counter({
  name: "pacioli_access_refused_total",
  help: "Failures of authentication, scope and webhook signature.",
  labelNames: ["kind", "route"],
  registers,
});
export const deadLetters = new Counter({
  name: "pacioli_dead_letters_total",
  help: "Dead letters that wait for a person.",
  labelNames: ["queue"],
  registers,
});

export const ledgerVerifiedRatio = new Gauge({
  name: "pacioli_ledger_verified_ratio",
  help: "Share of all debits of the ledger that the last faultless verification covered.",
  labelNames: ["currency"],
  registers,
});
export const ledgerVerifiedAge = new Gauge({
  name: "pacioli_ledger_verified_age_seconds",
  help: "Time since the last faultless verification.",
  registers,
});

export type InFlight = { readonly status: string; readonly count: number; readonly oldest_seconds: number };

/**
 * Adds the gauges that are read from the database when `/metrics` is asked for, and gives back a function
 * that removes them: `read` is not called after it.
 */
export function observeInFlight(read: () => Promise<readonly InFlight[]>): () => void {
  const names = {
    oldest: "pacioli_payment_orders_oldest_seconds",
    in_flight: "pacioli_payment_orders_in_flight",
  };
  const oldest = new Gauge({
    name: names.oldest,
    help: "Age of the oldest order that is not final, by state.",
    labelNames: ["status"],
    registers,
  });
  new Gauge({
    name: names.in_flight,
    help: "Orders that are not final, by state.",
    labelNames: ["status"],
    registers,
    async collect() {
      this.reset();
      oldest.reset();
      for (const row of await read()) {
        this.set({ status: row.status }, row.count);
        oldest.set({ status: row.status }, row.oldest_seconds);
      }
    },
  });
  return () => {
    for (const name of Object.values(names)) metricsRegistry.removeSingleMetric(name);
  };
}
