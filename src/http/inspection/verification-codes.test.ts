import { expect, test } from "vitest";
import { verdictOf } from "../../../test/support/refusals.ts";
import { cardDataIn, isVerificationCodeName } from "./card-data.ts";
import { inspect } from "./inspect.ts";

test.each([
  "cvv 123",
  "CVV: 1234",
  "CVC2=999",
  "the card security code is".slice(0, 22) + " 123",
  "my cvc - 042",
  "CVV2 is 123",
  "the cvc code is: 1234",
  "cvv no. 123",
])("a verification code is found in %j", (text) => {
  expect(cardDataIn(text)).toBe("a card's verification code");
});

test.each([
  "cvv",
  "CVV",
  "cvv2",
  "cvc",
  "card_cvc",
  "card-verification-value",
  "cardVerificationCode",
  "security_code",
  "ｃｖｖ",
  "c.v.v",
  "csc",
  "pin_block",
])("a field named %s is refused by its name, wherever it stands and whatever it holds", (name) => {
  expect(isVerificationCodeName(name)).toBe(true);
  expect(verdictOf(() => inspect({ seller_info: [{ [name]: null }] }))).toBe(
    `card_number_refused seller_info[0][${name}]`,
  );
});

test.each([
  "id",
  "client_id",
  "pinned",
  "code",
  "verification",
  "cvs",
  "last4",
  "checkout_id",
  "currency",
  "account_id",
])("a field named %s is not", (name) => {
  expect(isVerificationCodeName(name)).toBe(false);
});
