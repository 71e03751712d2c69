import type { Transport } from "./fault-names.ts";
import type { Answer, Writes } from "./records.ts";

/** What the request brings beside its parameters. */
export interface RequestFacts {
  request_id: string;
  idempotency_key: string | null;
  now_ms: number;
  /** The address that the client used for the simulator; absent if no API request was involved. */
  origin?: string;
}

/** What a request will do and answer; nothing has happened yet. */
export interface Plan {
  status: number;
  answer: Answer;
  writes: Writes;
  transport: Transport;
}
