import { randomFillSync } from "node:crypto";

const ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
const pool = Buffer.alloc(8_192);
let poolAt = pool.length;
let lastMs = 0;
let sequence = 0;

/** Random letters and digits; fit for secrets. */
export function randomText(length: number): string {
  let text = "";
  while (text.length < length) {
    if (poolAt === pool.length) {
      randomFillSync(pool);
      poolAt = 0;
    }
    const value = (pool[poolAt] ?? 0) & 63;
    poolAt += 1;
    if (value < 62) text += ALPHABET.charAt(value);
  }
  return text;
}

function base62(value: number, length: number): string {
  let text = "";
  let rest = value;
  for (let index = 0; index < length; index += 1) {
    text = ALPHABET.charAt(rest % 62) + text;
    rest = Math.floor(rest / 62);
  }
  return text;
}

/** The first characters of every id made in that millisecond: ids sort by the time they were made. */
export function timePrefix(milliseconds: number): string {
  return `3${base62(milliseconds, 7)}`;
}

/**
 * The 23 characters an intent shares with its charges and that make ids sort by time (byte order). The caller
 * adds a last character, so that the charges of an intent are found by their id alone.
 */
export function newStem(nowMs: number): string {
  if (nowMs > lastMs) {
    lastMs = nowMs;
    sequence = 0;
  } else {
    sequence += 1;
  }
  return timePrefix(nowMs) + base62(sequence, 3) + randomText(12);
}

/** A new id such as `evt_3…`, as long as Stripe's. */
export function newId(prefix: string, nowMs: number): string {
  return `${prefix}_${newStem(nowMs)}0`;
}

/** The id of the n-th charge of an intent. */
export function chargeId(intentId: string, attempt: number): string {
  return `ch_${intentId.slice(3, 26)}${ALPHABET.charAt(attempt % 62)}`;
}

/** What all charge ids of an intent start with. */
export function chargeStem(intentId: string): string {
  return `ch_${intentId.slice(3, 26)}`;
}

/** The intent a charge belongs to. */
export function intentIdOfCharge(id: string): string {
  return `pi_${id.slice(3, 26)}0`;
}
