/**
 * The queues of pg-boss. The domain row is the record of what must happen; a job only wakes it, so
 * losing or repeating a job does no harm. Jobs are handed out again when their worker dies: after
 * the lease, and at most `crash_retries_max` times, then they move to `dead_letter`.
 */
export const queueNames = ["payment_execute", "operation_execute", "webhook_apply", "dead_letter"] as const;
export type QueueName = (typeof queueNames)[number];

export const queueSettings = {
  payment_execute: {
    retryLimit: 20,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 60,
    deadLetter: "dead_letter",
  },
  operation_execute: {
    retryLimit: 20,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 60,
    deadLetter: "dead_letter",
  },
  webhook_apply: {
    retryLimit: 20,
    retryDelay: 1,
    retryBackoff: true,
    retryDelayMax: 60,
    deadLetter: "dead_letter",
  },
  dead_letter: { retryLimit: 1_000, retryDelay: 5 },
} as const satisfies Record<QueueName, object>;

/** Whether a claimed job goes to `dead_letter` when it fails once more. */
export const isLastTry = (queue: QueueName, job: { readonly retry_count: number }): boolean =>
  job.retry_count >= queueSettings[queue].retryLimit;

/** What a job of each queue carries: the ids of the rows to look at, nothing else. */
export type JobPayloads = {
  payment_execute: { readonly payment_order_id: string };
  operation_execute: { readonly operation_id: string };
  webhook_apply: { readonly message_ids: readonly string[] };
  /** What the queue it came from carries. */
  dead_letter: object;
};

const isRecord = (data: unknown): data is Record<string, unknown> =>
  typeof data === "object" && data !== null && !Array.isArray(data);
const isId = (value: unknown): value is string =>
  typeof value === "string" && value !== "" && value.length <= 255;

const payloadChecks: { readonly [Name in QueueName]: (data: unknown) => data is JobPayloads[Name] } = {
  payment_execute: (data): data is JobPayloads["payment_execute"] =>
    isRecord(data) && isId(data["payment_order_id"]),
  operation_execute: (data): data is JobPayloads["operation_execute"] =>
    isRecord(data) && isId(data["operation_id"]),
  webhook_apply: (data): data is JobPayloads["webhook_apply"] =>
    isRecord(data) && Array.isArray(data["message_ids"]) && data["message_ids"].every(isId),
  dead_letter: isRecord,
};

/** Whether the data of a job fits its queue. */
export function isPayloadOf<Name extends QueueName>(queue: Name, data: unknown): data is JobPayloads[Name] {
  return payloadChecks[queue](data);
}

/** The subject of a job: the order, the operation, or the job itself if its data name neither. */
export function subjectOf(
  queue: QueueName,
  { id, data }: { readonly id: string; readonly data: unknown },
): string {
  if (queue === "payment_execute" && isPayloadOf(queue, data)) return data.payment_order_id;
  if (queue === "operation_execute" && isPayloadOf(queue, data)) return data.operation_id;
  return id;
}
