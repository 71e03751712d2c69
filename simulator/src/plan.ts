import type { Transport } from "./fault-names.ts";
import type { Answer, Writes } from "./records.ts";

/** What the request brings beside its parameters. */
export interface RequestFacts {
  request_id: string;
  idempotency_key: string | null;
  now_ms: number;
  /** Where the client reached the simulator; absent when no request of the API asked. */
  origin?: string;
}

/** What a request will do and answer; nothing has happened yet. */
export interface Plan {
  status: number;
  answer: Answer;
  writes: Writes;
  transport: Transport;
}
