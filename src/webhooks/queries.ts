import { textArray, type Queryable, type Timestamp } from "../db/db.ts";

export type MessageState =
  | "received"
  | "applied"
  | "ignored"
  | "unmatched"
  | "unsupported"
  | "rejected"
  | "failed";

export type NewMessage = {
  readonly message_id: string;
  readonly psp: string;
  readonly psp_event_id: string;
  readonly type: string;
  readonly attempt_id: string | null;
  readonly payment_order_id: string | null;
  readonly body: string;
};

export type OpenMessage = Omit<NewMessage, "type" | "payment_order_id">;

/** Stores messages once per PSP event; gives the ids of those that are new. */
export async function insertMessages(tx: Queryable, messages: readonly NewMessage[]): Promise<Set<string>> {
  const rows = await tx.query<{ message_id: string }>(
    `insert into webhook_inbox (message_id, psp, psp_event_id, type, attempt_id, payment_order_id, body)
     select message_id, psp, psp_event_id, type, attempt_id, payment_order_id, body
       from json_to_recordset($1::json)
            as m (message_id text, psp text, psp_event_id text, type text, attempt_id text,
                  payment_order_id text, body text)
      order by psp, psp_event_id
     on conflict (psp, psp_event_id) where state <> 'failed' do nothing
     returning message_id`,
    [JSON.stringify(messages)],
  );
  return new Set(rows.map((row) => row.message_id));
}

/** The messages of a job that are still to be applied. */
export function selectOpenMessages(tx: Queryable, messageIds: readonly string[]): Promise<OpenMessage[]> {
  return tx.query<OpenMessage>(
    `select message_id, psp, psp_event_id, attempt_id, body
       from webhook_inbox
      where message_id = any ($1::text[]) and state in ('received', 'unmatched')
      order by message_id`,
    [textArray(messageIds)],
  );
}

export type MessageSummary = Pick<NewMessage, "message_id" | "psp" | "psp_event_id" | "type"> & {
  readonly state: MessageState;
  readonly note: string | null;
  readonly received_at: Timestamp;
  readonly processed_at: Timestamp | null;
};

/** What PSPs told of an order, or these messages, oldest first; without what they said. */
export function selectMessagesAbout(
  db: Queryable,
  about: { readonly payment_order_id: string | null; readonly message_ids: readonly string[] },
): Promise<MessageSummary[]> {
  return db.query<MessageSummary>(
    `select message_id, psp, psp_event_id, type, state, note, received_at, processed_at
       from webhook_inbox
      where payment_order_id = $1 or message_id = any ($2::text[])
      order by received_at, message_id
      limit 100`,
    [about.payment_order_id, textArray(about.message_ids)],
  );
}

export type MessageDecision = Pick<MessageSummary, "message_id" | "state" | "note">;

/** As `markMessages`, each with its own state and note; `received` and `unmatched` ones stay open. */
export async function decideMessages(tx: Queryable, decisions: readonly MessageDecision[]): Promise<void> {
  if (decisions.length === 0) return;
  await tx.query(
    `update webhook_inbox m
        set state = d.state, note = left(d.note, 500),
            processed_at = case when d.state in ('received', 'unmatched') then null else now() end
       from json_to_recordset($1::json) as d (message_id text, state text, note text)
      where m.message_id = d.message_id and m.state in ('received', 'unmatched')`,
    [JSON.stringify(decisions)],
  );
}

/** Reopens messages that failed or were rejected, unless the same event has arrived again since. */
export async function reopenMessages(tx: Queryable, messageIds: readonly string[]): Promise<void> {
  await tx.query(
    `update webhook_inbox m set state = 'received', processed_at = null
      where m.message_id = any ($1::text[]) and m.state in ('failed', 'rejected')
        and not exists (
          select from webhook_inbox other
           where other.psp = m.psp and other.psp_event_id = m.psp_event_id
             and other.message_id <> m.message_id and other.state <> 'failed'
        )`,
    [textArray(messageIds)],
  );
}

/** Stores the result of messages; those that were already decided are left alone. */
export async function markMessages(
  tx: Queryable,
  messageIds: readonly string[],
  state: MessageState,
  note: string | null,
): Promise<void> {
  if (messageIds.length === 0) return;
  await tx.query(
    `update webhook_inbox
        set state = $2, note = left($3, 500),
            processed_at = case when $2 = 'unmatched' then null else now() end
      where message_id = any ($1::text[]) and state in ('received', 'unmatched')`,
    [textArray(messageIds), state, note],
  );
}
