import type { DecisionInput } from "./decision.ts";
import type { OrderNews } from "./news.ts";
import type { OpenRow } from "./settlement-queries.ts";

export function factsOf(row: OpenRow): Pick<DecisionInput, "order" | "attempt" | "modification"> {
  const { failure_class, failure_code, failure_message } = row;
  return {
    order: row,
    attempt: {
      ...row,
      status: row.attempt_status,
      amount_minor: row.attempt_amount_minor,
      failure:
        failure_class === null || failure_code === null
          ? null
          : { class: failure_class, code: failure_code, message: failure_message ?? failure_code },
    },
    modification:
      row.modification_id === null
        ? null
        : {
            ...row,
            kind: row.modification_kind,
            status: row.modification_status,
            amount_minor: row.modification_amount_minor,
            inquiry_count: row.modification_inquiry_count,
            psp_reference: row.modification_psp_reference,
            failure_code: row.modification_failure_code,
          },
  };
}

/**
 * "Not sent" proves something only for a first send in the current epoch, while nobody else has taken the
 * work up.
 */
export function factsOfNews(
  {
    outcome,
    is_first_send,
    epoch,
    is_resolution = false,
    is_answer_to_modification,
    sent_key_number = null,
    message_id,
    modification_id,
  }: OrderNews,
  row: OpenRow,
): Pick<
  DecisionInput,
  | "outcome"
  | "is_first_send"
  | "is_resolution"
  | "is_answer_to_modification"
  | "sent_key_number"
  | "is_webhook"
> {
  const current =
    modification_id === null ? row.epoch : row.modification_id === null ? null : row.modification_epoch;
  return {
    outcome,
    is_first_send: is_first_send && epoch === current,
    is_resolution,
    is_answer_to_modification,
    sent_key_number,
    is_webhook: message_id !== null,
  };
}
