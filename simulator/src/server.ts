import http from "node:http";
import type { AddressInfo } from "node:net";
import { adminRoutes } from "./admin.ts";
import { AdyenPsp } from "./adyen/adyen.ts";
import { keyCheck } from "./auth.ts";
import { expiringAuthorizations } from "./authorization-expiry.ts";
import { expiringSessions } from "./checkout-expiry.ts";
import { pageRoutes } from "./checkout-page.ts";
import type { SimulatorConfig } from "./config.ts";
import { ExpiryClock } from "./expiry-clock.ts";
import { Faults } from "./faults.ts";
import { requestListener } from "./http-listener.ts";
import { Idempotency } from "./idempotency.ts";
import { rolledForward } from "./rolled-forward.ts";
import { stripeRoutes } from "./routes.ts";
import { openStore } from "./store.ts";
import { WebhookEndpoints } from "./webhook-endpoints.ts";
import { WebhookSender } from "./webhook-sender.ts";

export interface Simulator {
  url: string;
  /** Finishes what is being written, then stops. Requests that hang on purpose are cut off. */
  close(): Promise<void>;
}

async function listen(server: http.Server, port: number, host: string): Promise<string> {
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => {
      const advice = "Stop what listens there, or set SIMULATOR_PORT to a free port.";
      reject(
        error.code === "EADDRINUSE" ? new Error(`${error.message}. ${advice}`, { cause: error }) : error,
      );
    });
    server.listen(port, host, resolve);
  });
  const address: AddressInfo | string | null = server.address();
  const bound = typeof address === "object" && address !== null ? address.port : port;
  return `http://${host.includes(":") ? `[${host}]` : host}:${bound}`;
}

/** Starts the simulated PSP on its database. */
export async function startSimulator(config: SimulatorConfig): Promise<Simulator> {
  const store = await openStore(config.database_url);
  const faults = new Faults(config);
  const endpoints = new WebhookEndpoints(store);
  const sender = new WebhookSender(store, endpoints, faults);
  const idempotency = new Idempotency(
    store,
    (type) => endpoints.wanting(type),
    (deliveries) => sender.enqueue(deliveries),
  );
  const adyen = new AdyenPsp(store, faults, config.adyen);
  const clocks = {
    sessions: new ExpiryClock(expiringSessions({ store, idempotency })),
    authorizations: new ExpiryClock(expiringAuthorizations({ store, idempotency })),
    rolled_forward: new ExpiryClock(rolledForward({ store, idempotency })),
  };
  const parts = { config, store, faults, endpoints, sender, idempotency, clocks };
  const server = http.createServer(
    { keepAliveTimeout: 75_000, requestTimeout: 60_000 },
    requestListener({
      checkKey: keyCheck(config.secret_key),
      stripe: stripeRoutes(parts),
      faults,
      adyen: (request) => adyen.answer(request),
      page: pageRoutes(parts),
      admin: adyen.withReset(adminRoutes(parts)),
    }),
  );
  const rest = {
    async close(): Promise<void> {
      await Promise.all([
        clocks.sessions.close(),
        clocks.authorizations.close(),
        clocks.rolled_forward.close(),
      ]);
      await adyen.close();
      await store.close();
    },
  };
  try {
    await adyen.start();
    await endpoints.load();
    await endpoints.registerFromEnvironment(config.webhook, Date.now());
    // Requests that came due while no simulator ran are carried out before it answers the first one.
    await clocks.rolled_forward.catchUp();
    const url = await listen(server, config.port, config.host);
    sender.start();
    clocks.sessions.start();
    clocks.authorizations.start();
    clocks.rolled_forward.start();
    let closing: Promise<void> | undefined;
    return { url, close: () => (closing ??= close(server, sender, rest)) };
  } catch (error) {
    await sender.close();
    await rest.close();
    throw error;
  }
}

async function close(
  server: http.Server,
  sender: WebhookSender,
  rest: { close(): Promise<void> },
): Promise<void> {
  const closed = new Promise((resolve) => server.close(resolve));
  server.closeIdleConnections();
  await sender.close();
  const grace = new Promise((resolve) => setTimeout(resolve, 500).unref());
  await Promise.race([closed, grace]);
  server.closeAllConnections();
  await closed;
  await rest.close();
}
