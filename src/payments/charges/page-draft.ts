import type { Clock } from "../../clock.ts";
import { toCurrencyCode } from "../../money/money.ts";
import type { PageRequest } from "../../psp/psp.ts";
import type { AttemptRow, HostedPage } from "../model/model.ts";

type Line = {
  readonly payment_order_id: string;
  readonly seller_account: string;
  readonly amount_minor: bigint;
  readonly currency: string;
};

/**
 * What the page of a checkout shows and until when: always the same for an attempt, because its key at the
 * PSP asks for that.
 */
export function pageOf(
  page: HostedPage,
  orders: readonly Line[],
  { attempt_id, page_expires_at }: Pick<AttemptRow, "attempt_id" | "page_expires_at">,
  { ahead_ms }: Pick<Clock, "ahead_ms">,
): Pick<PageRequest, "lines" | "return_url" | "expires_at"> {
  if (page_expires_at === null) throw new Error(`the page of ${attempt_id} has no end`);
  return {
    return_url: page.return_url,
    // The PSP's clock shows real time.
    expires_at: new Date(Date.parse(page_expires_at) - ahead_ms),
    lines: orders.map(({ payment_order_id, seller_account, amount_minor, currency }) => ({
      payment_order_id,
      seller_account,
      money: { amount_minor, currency: toCurrencyCode(currency) },
    })),
  };
}
