/** The door of the webhooks room: PSPs' messages are verified, stored once, answered, and applied later. */
import { GroupCommit, type Database } from "../db/db.ts";
import { newId } from "../ids.ts";
import type { Jobs } from "../jobs/jobs.ts";
import { webhooksReceived } from "../metrics.ts";
import { insertMessages, type NewMessage } from "./queries.ts";

export {
  decideMessages,
  markMessages,
  reopenMessages,
  selectMessagesAbout,
  selectOpenMessages,
} from "./queries.ts";
export type { MessageDecision, MessageState, MessageSummary, OpenMessage } from "./queries.ts";

/** A message whose signature was verified over its bytes. */
export type InboxMessage = Omit<NewMessage, "message_id">;

export type Inbox = {
  /** Resolves once the message is stored, now or before; only then may it be answered 2xx. */
  store(message: InboxMessage): Promise<"stored" | "duplicate">;
  close(): Promise<void>;
};

/** An inbox whose messages share commits, with one job for each commit. */
export function openInbox(database: Database, jobs: Jobs): Inbox {
  const group = new GroupCommit<NewMessage, "stored" | "duplicate">({
    name: "webhook_inbox",
    database,
    batch_items_max: 500,
    async flush(tx, messages) {
      const stored = await insertMessages(tx, messages);
      if (stored.size > 0) await jobs.enqueue(tx, "webhook_apply", [{ data: { message_ids: [...stored] } }]);
      return messages.map((message) => (stored.has(message.message_id) ? "stored" : "duplicate"));
    },
  });
  return {
    async store(message) {
      const result = await group.submit({ ...message, message_id: newId("inwh") });
      webhooksReceived.inc({ psp: message.psp, result });
      if (result === "stored") jobs.wake("webhook_apply");
      return result;
    },
    close: () => group.close(),
  };
}
