import { StripeError } from "./stripe-error.ts";

/** Checks bearer and basic credentials against the one secret key; throws Stripe's 401. */
export function keyCheck(secretKey: string): (header: string | undefined) => void {
  const bearer = `Bearer ${secretKey}`;
  const basic = `Basic ${Buffer.from(`${secretKey}:`).toString("base64")}`;
  return (header) => {
    if (header === bearer || header === basic) return;
    if (header === undefined) {
      throw new StripeError(
        401,
        "invalid_request_error",
        "You did not provide an API key. You need to provide your API key in the Authorization header, " +
          "using Bearer auth (e.g. 'Authorization: Bearer YOUR_SECRET_KEY').",
      );
    }
    throw new StripeError(401, "invalid_request_error", `Invalid API Key provided: ${masked(header)}`);
  };
}

function masked(header: string): string {
  const [scheme = "", value = ""] = header.split(" ");
  const key = scheme === "Basic" ? Buffer.from(value, "base64").toString("utf8").replace(/:.*$/, "") : value;
  return key.length <= 12
    ? "*".repeat(key.length)
    : `${key.slice(0, 8)}${"*".repeat(key.length - 12)}${key.slice(-4)}`;
}
