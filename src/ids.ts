import { randomBytes } from "node:crypto";
import { now } from "./clock.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Ids given by the client, kept as they are. */
export type CheckoutId = Branded<"checkout">;
export type PaymentOrderId = Branded<"payment_order">;
/** Ids of ours: a prefix and a UUIDv7 in 26 base-32 characters (https://github.com/jetify-com/typeid). */
export type AttemptId = Branded<"att">;
export type RequestId = Branded<"req">;
export type ApiKeyId = Branded<"key">;
export type DeadLetterId = Branded<"dead">;
export type WebhookMessageId = Branded<"inwh">;

/** Every prefix we make ids with. */
export const idPrefixes = ["att", "req", "key", "dead", "inwh"] as const;
type Prefix = (typeof idPrefixes)[number];

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/** A UUIDv7 (RFC 9562, section 5.7) as 16 bytes: 48 bits of milliseconds, then 74 random ones. */
function uuidV7(): Buffer {
  const bytes = randomBytes(16);
  bytes.writeUIntBE(now().getTime(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes;
}

function toBase32(bytes: Buffer): string {
  let rest = BigInt(`0x${bytes.toString("hex")}`);
  let text = "";
  for (let i = 0; i < 26; i++) {
    text = alphabet.charAt(Number(rest & 31n)) + text;
    rest >>= 5n;
  }
  return text;
}

/** A new id, in the order of time. */
export function newId<Name extends Prefix>(prefix: Name): Branded<Name> {
  return `${prefix}_${toBase32(uuidV7())}` as Branded<Name>;
}

/** Takes a text from outside as an id of the given kind, after the schema has checked its form. */
export const checkoutId = (text: string): CheckoutId => text as CheckoutId;
export const paymentOrderId = (text: string): PaymentOrderId => text as PaymentOrderId;
export const attemptId = (text: string): AttemptId => text as AttemptId;
