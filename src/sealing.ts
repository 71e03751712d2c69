import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from "node:crypto";

/** Encrypts short texts that the database keeps and only the right reader may see. */
export type Sealing = {
  seal(text: string): string;
  /** Undefined: sealed with another key, or changed since. */
  open(sealed: string): string | undefined;
};

const iv_bytes = 12;
const tag_bytes = 16;

/** AES-256-GCM with a key of its own for each purpose, derived from the service's secret (HKDF, RFC 5869). */
export function createSealing(secretKey: string, purpose: string): Sealing {
  const key = Buffer.from(hkdfSync("sha256", secretKey, "", `pacioli sealing: ${purpose}`, 32));
  return {
    seal(text) {
      const iv = randomBytes(iv_bytes);
      const cipher = createCipheriv("aes-256-gcm", key, iv);
      const encrypted = Buffer.concat([cipher.update(text, "utf8"), cipher.final()]);
      return Buffer.concat([iv, cipher.getAuthTag(), encrypted]).toString("base64");
    },
    open(sealed) {
      const bytes = Buffer.from(sealed, "base64");
      if (bytes.length < iv_bytes + tag_bytes) return undefined;
      const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(0, iv_bytes), {
        authTagLength: tag_bytes,
      });
      decipher.setAuthTag(bytes.subarray(iv_bytes, iv_bytes + tag_bytes));
      try {
        return Buffer.concat([
          decipher.update(bytes.subarray(iv_bytes + tag_bytes)),
          decipher.final(),
        ]).toString("utf8");
      } catch {
        // The tag does not match: a normal result, not a failure.
        return undefined;
      }
    },
  };
}
