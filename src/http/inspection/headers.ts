import type { IncomingHttpHeaders } from "node:http";
import { AppError } from "../../errors.ts";
import { cardDataIn, isVerificationCodeName } from "./card-data.ts";

/** Headers that clients and proxies add by themselves: they may hold long numbers, and none is stored. */
const automatic = new RegExp(
  `^(${[
    "accept|authorization$|cache-|cf-|connection$|content-|cookie$|date$|dnt$|expect$|forwarded$|host$",
    "if-|keep-alive$|max-forwards$|origin$|pragma$|priority$|range$|referer$|sec-|te$|trace",
    "transfer-encoding$|upgrade|user-agent$|via$",
    "x-amzn-|x-b3-|x-cloud-trace|x-envoy-|x-forwarded-|x-real-ip$|x-request-id$",
  ].join("|")})`,
);

/**
 * Refuses card data in the headers that a client fills, such as `Idempotency-Key`. Errors:
 * `card_number_refused`.
 */
export function inspectHeaders(headers: IncomingHttpHeaders): void {
  for (const name in headers) {
    const value = headers[name];
    if (value === undefined || automatic.test(name)) continue;
    const param = name === "idempotency-key" ? "Idempotency-Key" : name.slice(0, 200);
    // Node gives the bytes of a header as Latin-1.
    const text = Buffer.from(String(value), "latin1").toString("utf8");
    const found = isVerificationCodeName(name)
      ? "a card's verification code"
      : (cardDataIn(name) ?? cardDataIn(text));
    if (found === undefined) continue;
    throw new AppError(
      "card_number_refused",
      `The header ${param} looks like ${found}; send the PSP's token instead.`,
      { param },
    );
  }
}
