import { randomBytes } from "node:crypto";
import { crc32 } from "node:zlib";

/**
 * An API key is `sk_`, 24 random bytes and a CRC-32 of both, each in base64url. The checksum lets a guess or
 * a mistyped key be refused without asking the database, and secret scanners tell real keys from look-alikes.
 */
const form = /^(sk_[\w-]{32})([\w-]{6})$/;

/** A new secret key. */
export function newApiKey(): string {
  const body = `sk_${randomBytes(24).toString("base64url")}`;
  return body + checksumOf(body);
}

/** Whether `newApiKey` may have made this text; says nothing about whether the key is active. */
export function hasApiKeyForm(token: string): boolean {
  const [, body, checksum] = form.exec(token) ?? [];
  return body !== undefined && checksumOf(body) === checksum;
}

function checksumOf(body: string): string {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32BE(crc32(body));
  return bytes.toString("base64url");
}
