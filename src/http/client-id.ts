/**
 * The one alphabet of ids that clients choose: checkout_id, payment_order_id, capture_id, seller and buyer
 * accounts. `is_client_id` in migrations/0002 has the same rule, and a test compares the two. Ids are
 * compared byte by byte and never normalised, so invisible characters are refused: two ids that look alike
 * would be two sellers.
 */
export const client_id_bytes_max = 255;

export const client_id_rule =
  `must be 1 to ${client_id_bytes_max} bytes of UTF-8 ` +
  "without control, invisible or text-direction characters, " +
  'with no space but U+0020, none at either end, and not "." or ".."';

/** Control characters, spaces other than U+0020, soft hyphens, joiners, direction marks, fillers and tags. */
const refused =
  String.raw`\u0000-\u001f\u007f-\u00a0\u00ad\u034f\u061c\u115f\u1160\u1680\u180e\u2000-\u200f\u2028-\u202f` +
  String.raw`\u205f-\u206f\u3000\u3164\ufeff\uffa0\ufff0-\uffff\u{e0000}-\u{e0fff}\ud800-\udfff`;
const refusedText = new RegExp(`^ | $|^\\.{1,2}$|[${refused}]`, "u");

/** URLs drop the path segments "." and "..", so an object with such an id could not be read back. */
export function isClientId(text: string): boolean {
  // A UTF-16 unit is at least one byte: a text of a megabyte is not measured.
  if (text.length === 0 || text.length > client_id_bytes_max) return false;
  return Buffer.byteLength(text) <= client_id_bytes_max && !refusedText.test(text);
}
