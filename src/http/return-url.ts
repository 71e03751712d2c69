import { AppError } from "../errors.ts";
import type { CheckoutDraft } from "../payments/payments.ts";

/** Origins that a return URL may have. */
type Origins = readonly string[] | "any";
type Field = "credit_card_info" | "hosted_page";

/**
 * Return URLs are limited: otherwise anybody with an API key could send buyers anywhere under the PSP's name.
 * What was checked is passed on, in the parser's own spelling: another parser may read odd spellings
 * (backslashes, line breaks) as another address.
 */
export function withCheckedReturnUrl(draft: CheckoutDraft, allowed: Origins): CheckoutDraft {
  const { payment_method } = draft;
  if ("hosted_page" in payment_method) {
    const return_url = readReturnUrl(payment_method.hosted_page.return_url, "hosted_page", allowed);
    return { ...draft, payment_method: { hosted_page: { return_url } } };
  }
  if (!("card" in payment_method) || payment_method.card.return_url === undefined) return draft;
  const return_url = readReturnUrl(payment_method.card.return_url, "credit_card_info", allowed);
  return { ...draft, payment_method: { card: { ...payment_method.card, return_url } } };
}

function readReturnUrl(text: string, field: Field, allowed: Origins): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !isSecure(url) || url.username !== "" || url.password !== "") {
    return refuse(field, "must be an https URL without a user or password.");
  }
  if (allowed !== "any" && !allowed.includes(url.origin)) {
    return refuse(
      field,
      "has an origin that is not allowed: the setting RETURN_URL_ORIGINS lists the allowed ones.",
    );
  }
  return url.href;
}

/** HTTPS, or HTTP on this machine. */
function isSecure({ protocol, hostname }: URL): boolean {
  return (
    protocol === "https:" || (protocol === "http:" && ["localhost", "127.0.0.1", "[::1]"].includes(hostname))
  );
}

function refuse(field: Field, message: string): never {
  throw new AppError("invalid_request", `${field}.return_url ${message}`, { param: `${field}[return_url]` });
}
