import { recordAudit, type Author } from "../../audit/audit.ts";
import type { Timestamp, Transaction } from "../../db/db.ts";
import { AppError } from "../../errors.ts";
import { revokeStatusLinks, selectCheckout } from "../store/queries.ts";

/**
 * Revokes every link to a checkout's status page, including those the buyer has. Revoking again changes
 * nothing. Errors: `not_found`.
 */
export async function revokeStatusLink(tx: Transaction, checkoutId: string, by: Author): Promise<Timestamp> {
  const revoked_at = await revokeStatusLinks(tx, checkoutId);
  if (revoked_at !== undefined) {
    await recordAudit(tx, {
      ...by,
      action: "status_link.revoke",
      subject_type: "checkout",
      subject_id: checkoutId,
      before: { status_link_revoked_at: null },
      after: { status_link_revoked_at: revoked_at },
      reason: null,
    });
    return revoked_at;
  }
  const event = await selectCheckout(tx, checkoutId);
  if (event === undefined || event.status_link_revoked_at === null) {
    throw new AppError("not_found", `There is no checkout ${checkoutId}.`, { param: "checkout_id" });
  }
  return event.status_link_revoked_at;
}
