/**
 * An entry's public id is a UUID that holds its key: account id and account version. So the id
 * needs no column and no index (36 bytes a row). Layout of RFC 9562, version 8: 60 bits of account
 * id around the version nibble, 2 variant bits, 62 bits of account version.
 */
export type EntryKey = { readonly account_id: bigint; readonly account_version: bigint };

const form = /^([0-9a-f]{8})-([0-9a-f]{4})-8([0-9a-f]{3})-([89ab][0-9a-f]{3})-([0-9a-f]{12})$/;

export function entryIdOf(key: EntryKey): string {
  const high = key.account_id.toString(16).padStart(15, "0");
  const low = ((2n << 62n) | key.account_version).toString(16).padStart(16, "0");
  return `${high.slice(0, 8)}-${high.slice(8, 12)}-8${high.slice(12)}-${low.slice(0, 4)}-${low.slice(4)}`;
}

/** The key inside an entry id, or undefined when the text is not one of ours. */
export function entryKeyOf(entryId: string): EntryKey | undefined {
  const parts = form.exec(entryId.toLowerCase());
  if (parts === null) return undefined;
  const [, first = "", second = "", third = "", fourth = "", fifth = ""] = parts;
  const key = {
    account_id: BigInt(`0x${first}${second}${third}`),
    account_version: BigInt(`0x${fourth}${fifth}`) & ((1n << 62n) - 1n),
  };
  return key.account_version < 1n << 62n && key.account_id < 1n << 60n ? key : undefined;
}
