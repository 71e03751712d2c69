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

/**
 * The database cluster that this process works for, 0 to 4095. There is one today; the ids that we make carry
 * its number all the same, so that another can be added (docs/adr/0018-several-clusters.md).
 */
export const shard = 0;

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

/**
 * A UUIDv7 as 16 bytes: 48 bits of milliseconds, 12 of the shard and 62 random ones. The shard takes the
 * place of `rand_a` (RFC 9562, section 5.7); section 6.4 allows a node's number among the random bits.
 */
function uuidV7(ofShard: number): Buffer {
  const bytes = drawRandom();
  bytes.writeUIntBE(now().getTime(), 0, 6);
  bytes.writeUInt16BE(0x7000 | ofShard, 6);
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

/** A new id, in the order of time whatever the shard. */
export function newId<Name extends Prefix>(prefix: Name, ofShard: number = shard): Branded<Name> {
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- here a text becomes an id of this kind
  return `${prefix}_${toBase32(uuidV7(ofShard))}` as Branded<Name>;
}

const form = new RegExp(`^(?:${idPrefixes.join("|")})_[0-7][${alphabet}]{25}$`);

/** The shard whose process made an id, or undefined when the text is not an id of ours. */
export function shardOf(text: string): number | undefined {
  if (!form.test(text)) return undefined;
  // Of the 26 characters, numbers 10 to 13 hold bits 48 to 67: the version, the shard, and four more.
  const first = text.indexOf("_") + 1 + 10;
  let bits = 0;
  for (const character of text.slice(first, first + 4)) bits = (bits << 5) | alphabet.indexOf(character);
  return (bits >> 4) & 0xfff;
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
