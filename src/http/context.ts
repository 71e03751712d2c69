import type { IncomingMessage, Server, ServerResponse } from "node:http";
import type { TypeBoxTypeProvider } from "@fastify/type-provider-typebox";
import type { FastifyBaseLogger, FastifyInstance } from "fastify";
import type { Clock } from "../clock.ts";
import type { Database, ReadDatabase } from "../db/db.ts";
import type { Jobs } from "../jobs/jobs.ts";
import type { Logger } from "../log.ts";
import type { Actions, Intake } from "../payments/payments.ts";
import type { PspRouter } from "../psp/psp.ts";
import type { Inbox } from "../webhooks/webhooks.ts";

/** A scope with the schemas' types. */
export type App = FastifyInstance<
  Server,
  IncomingMessage,
  ServerResponse,
  FastifyBaseLogger,
  TypeBoxTypeProvider
>;

/** What the routes work with; made by the composition root. */
export type HttpContext = {
  /** For writes; GET routes read from `reads`. */
  readonly database: Database;
  readonly reads: ReadDatabase;
  /** Throws if the database does not answer. */
  readonly checkDatabase: () => Promise<void>;
  readonly jobs: Jobs;
  readonly log: Logger;
  readonly clock: Clock;
  readonly intake: Intake;
  readonly actions: Actions;
  readonly router: PspRouter;
  readonly inbox: Inbox;
  readonly settings: {
    readonly secret_key: string;
    readonly allowed_hosts: readonly string[];
    /** Proxies whose X-Forwarded-For is trusted as the client's address. */
    readonly trusted_proxies: readonly string[];
    /** Where buyers may be sent back to; `any`: every web site. */
    readonly return_url_origins: readonly string[] | "any";
    readonly status_link_seconds: number;
    readonly rate_limit_per_second: number;
    readonly calls_at_once_max: number;
    readonly request_timeout_seconds: number;
    readonly idempotency_hours: number;
    /** A key with every scope, in development only. */
    readonly development_key: string | undefined;
  };
  /** Turns true when the process is about to stop, so that load balancers look elsewhere. */
  readonly isDraining: () => boolean;
};
