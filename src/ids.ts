import { randomBytes } from "node:crypto";
import { now } from "./clock.ts";

declare const brand: unique symbol;
type Branded<Name extends string> = string & { readonly [brand]: Name };

/** Ids given by the client, kept as they are. */
export type CheckoutId = Branded<"checkout">;
export type PaymentOrderId = Branded<"payment_order">;
/** Ids of ours: a prefix and a UUIDv7 in 26 base-32 characters (https://github.com/jetify-com/typeid). */
export type AttemptId = Branded<"att">;
export type OperationId = Branded<"op">;
export type RequestId = Branded<"req">;
export type ApiKeyId = Branded<"key">;
export type ApprovalId = Branded<"appr">;
export type DeadLetterId = Branded<"dead">;
export type WebhookMessageId = Branded<"inwh">;

/** Every prefix we make ids with. */
export const idPrefixes = ["att", "op", "req", "key", "appr", "dead", "inwh"] as const;
type Prefix = (typeof idPrefixes)[number];

const alphabet = "0123456789abcdefghjkmnpqrstvwxyz";

/**
 * Random bytes are drawn for 256 ids at a time: a call to the system for each one took longer than all the
 * rest.
 */
let pool = Buffer.alloc(0);

function drawRandom(): Buffer {
  if (pool.length === 0) pool = randomBytes(256 * 16);
  const bytes = pool.subarray(0, 16);
  pool = pool.subarray(16);
  return bytes;
}

/** A UUIDv7 (RFC 9562, section 5.7) as 16 bytes: 48 bits of milliseconds, then 74 random ones. */
function uuidV7(): Buffer {
  const bytes = drawRandom();
  bytes.writeUIntBE(now().getTime(), 0, 6);
  bytes.writeUInt8((bytes.readUInt8(6) & 0x0f) | 0x70, 6);
  bytes.writeUInt8((bytes.readUInt8(8) & 0x3f) | 0x80, 8);
  return bytes;
}

function toBase32(bytes: Buffer): string {
  let text = "";
  let value = 0;
  // 128 bits in 26 characters of 5: the first holds the upper 3.
  let bits = 2;
  for (const byte of bytes) {
    value = ((value << 8) | byte) & 0xfff;
    bits += 8;
    while (bits >= 5) {
      bits -= 5;
      text += alphabet.charAt((value >> bits) & 31);
    }
  }
  return text;
}

/** A new id, in the order of time. */
export function newId<Name extends Prefix>(prefix: Name): Branded<Name> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here a text becomes an id of this kind
  return `${prefix}_${toBase32(uuidV7())}` as Branded<Name>;
}

/** Whether a text from outside can be an id of ours, judged by its prefix, without a look-up. */
export const hasPrefix = (prefix: Prefix, text: string): boolean => text.startsWith(`${prefix}_`);

/** Takes a text from outside as an id of the given kind, after the schema has checked its form. */
/* oxlint-disable typescript/no-unsafe-type-assertion -- here a text becomes an id of this kind */
export const checkoutId = (text: string): CheckoutId => text as CheckoutId;
export const paymentOrderId = (text: string): PaymentOrderId => text as PaymentOrderId;
export const attemptId = (text: string): AttemptId => text as AttemptId;
export const operationId = (text: string): OperationId => text as OperationId;
/* oxlint-enable typescript/no-unsafe-type-assertion */
