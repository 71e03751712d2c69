/**
 * All that the service's role may do in its database. A new table or right is stated here: the
 * start compares the login with it, and a test compares the role.
 */

/** Besides reading. `*` for whole rows; otherwise columns. */
export type TableRights = { readonly insert?: string; readonly update?: string; readonly delete?: true };

const jobs: TableRights = { insert: "*", update: "*", delete: true };

export const written_tables: Readonly<Record<string, TableRights>> = {
  approvals: {
    insert:
      "approval_id kind subject_id content content_hash proposed_by proposer_key_id created_at expires_at",
    update: "state decided_by approver_key_id decision_note decided_at",
  },
  audit_log: { insert: "actor action subject_type subject_id before after reason request_id" },
  events: { insert: "*" },
  commissions: { insert: "*" },
  event_followers: { insert: "*", update: "after_tick until_tick event_number updated_at" },
  dead_letters: { insert: "*", update: "state decided_by decision_note decided_at" },
  idempotency_keys: { insert: "*", delete: true },
  overdue_orders: { insert: "*" },
  payment_attempts: {
    insert: "*",
    update:
      "psp_reference status inquiry_count epoch sent_at has_stored_failure psp_call_ms failure_class " +
      "failure_code failure_message page_token page_url authorization_expires_at authorization_ended_as " +
      "resolved_as resolution_reference resolution_note resolved_by resolution_due_at next_action " +
      "next_action_expires_at updated_at",
  },
  payment_events: {
    insert: "*",
    update: "is_payment_done unfinished_order_count status_link_revoked_at updated_at",
  },
  operations: {
    insert: "*",
    update:
      "void_cause status key_number epoch key_sent_at sent_at has_stored_failure psp_reference " +
      "inquiry_count failure_class failure_code failure_message leased_until due_at resolved_as " +
      "resolved_by resolution_note updated_at",
  },
  payment_orders: {
    insert: "*",
    update:
      "captured_minor capturing_minor failed_capture_count status status_cause status_actor attempt_id " +
      "card_token psp_token psp_nonce wallet_updated ledger_updated retry_count last_retry_at " +
      "next_retry_at error_code error_message updated_at",
  },
  psp_references: { insert: "*" },
  risk_block_list: { insert: "*", delete: true },
  risk_buyer_days: { insert: "*", update: "*" },
  verify_runs: { insert: "mode from_closing_id to_closing_id digest checks fault_count debits took_ms" },
  webhook_inbox: { insert: "*", update: "state note processed_at" },
  "pgboss.job": jobs,
  "pgboss.job_common": jobs,
  "pgboss.job_dependency": jobs,
  "pgboss.queue_stats": jobs,
  "pgboss.warning": jobs,
  "pgboss.queue": {
    update:
      "deferred_count queued_count ready_count active_count failed_count total_count created_delta " +
      "completed_delta failed_delta delta_on delta_seconds ready_history singletons_active " +
      "monitor_claim_on monitor_on maintain_on",
  },
  "pgboss.version": { update: "cron_on bam_on flow_on reindex_on monitor_backoff_on" },
};

/** Functions that run with their owner's rights. Others give no right that their caller lacks. */
export const definer_functions: readonly string[] = [
  "begin_xid_epoch_if_restored",
  "events_add_partitions",
  "events_drop_partitions",
  "ledger_add_closing",
  "ledger_post",
  "ledger_post_ordered",
  "prune_ticks",
  "take_tick",
];

/** Numbers that are drawn from a sequence by name; identity columns need no right. */
export const sequences: readonly RegExp[] = [/^event_numbers$/, /^pgboss\./];

export const schemas: readonly string[] = ["public", "pgboss"];
