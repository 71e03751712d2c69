/** The PSPs' accounts: PSP_ACCOUNTS, or the account of variables of its own. */
import {
  accountOfVariables,
  adapterOf,
  adapters,
  readCardAccount,
  takesCards,
  timeoutBounds,
  type Adapter,
  type CallLimits,
  type CardAccount,
  type ExternalAccount,
  type PspAccount,
} from "../psp/adapters.ts";
import type { Fields, SettingsReader } from "./settings-reader.ts";

export type PspAccounts = {
  /** The first takes the orders for which there is no rule. */
  readonly accounts: readonly [CardAccount, ...CardAccount[]];
  readonly external_accounts: readonly ExternalAccount[];
};

/** Fields of PSP_ACCOUNTS that more than one adapter reads. */
const commonFields = [
  "name",
  "kind",
  "secret_key_env",
  "webhook_secrets_env",
  "api_base",
  "timeout_seconds",
  "calls_at_once_max",
];

/** The accounts of PSP_ACCOUNTS. If none of them takes cards, the account of variables is added. */
export function pspAccounts(
  read: SettingsReader,
  psp_concurrency: number,
  all: readonly Adapter[] = adapters,
): PspAccounts {
  const limits = {
    timeout_seconds: read.number("PSP_TIMEOUT_SECONDS", 10, timeoutBounds),
    // Room for the worker's calls and for the pages that requests register at the same time.
    calls_at_once_max: Math.ceil(psp_concurrency * 1.25),
  };
  const ownFields = all.flatMap(({ own_fields }) => own_fields);
  const objects = read.objects("PSP_ACCOUNTS", [...commonFields, ...ownFields]) ?? [];
  const ofVariables = accountOfVariables.read(read, limits);
  const listed = objects.map((fields) => ({ fields, account: accountOf(fields, limits, all) }));
  const given = listed.map(({ account }) => account);
  const [first = ofVariables, ...others] = given.filter(takesCards);
  refuseSilentRemoval(read, ofVariables, [first, ...others]);
  for (const [index, { fields, account }] of listed.entries()) {
    const earlier = given.slice(0, index);
    const isTaken = [...earlier, ...(first === ofVariables ? [ofVariables] : [])].some(
      ({ name }) => name === account.name,
    );
    if (isTaken) fields.fault("name", "is another account's too");
  }
  for (const { fields, account } of listed) {
    const isShared = given.some((other) => other !== account && shareSecret(account, other, all));
    if (isShared) fields.fault("webhook_secrets_env", "has a secret of another account");
  }
  return {
    accounts: [first, ...others],
    external_accounts: given.flatMap((account) => (takesCards(account) ? [] : [account])),
  };
}

/**
 * With accounts that take cards in PSP_ACCOUNTS the account of variables is out of use: its orders would find
 * no account, and nobody would have said so.
 */
function refuseSilentRemoval(
  read: SettingsReader,
  { secret_key }: CardAccount,
  accounts: readonly CardAccount[],
): void {
  const { name, psp, variables, development_keys } = accountOfVariables;
  if (secret_key === "" || development_keys.includes(secret_key)) return;
  if (accounts.some((account) => account.name === name)) return;
  read.faults.push(
    `${variables.secret_key}: is not used while PSP_ACCOUNTS has an account that takes cards, ` +
      `so orders at ${psp} would lose their account: move it into PSP_ACCOUNTS under the name ${name}, ` +
      "or unset it if nothing was ever charged there",
  );
}

/** Whether two accounts share a secret, if the secret alone shows which account sent a webhook. */
function shareSecret(one: PspAccount, other: PspAccount, all: readonly Adapter[]): boolean {
  const secretAsKey = one.kind === other.kind ? adapterOf(one.kind, all)?.secretAsKey : undefined;
  if (secretAsKey === undefined) return false;
  const theirs = new Set(other.webhook_secrets.map(secretAsKey));
  return one.webhook_secrets.some((secret) => theirs.has(secretAsKey(secret)));
}

/** Names that appear in ledger account codes and URLs; the name of the other webhook route is reserved. */
const isAccountName = (text: string): boolean =>
  /^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(text) && text.length <= 32 && text !== "payment-status";

function accountOf(fields: Fields, limits: CallLimits, all: readonly Adapter[]): PspAccount {
  const name = fields.text(
    "name",
    isAccountName,
    "of lower-case letters, digits and single dashes, at most 32, and not payment-status",
  );
  const kinds = all.map(({ kind }) => kind);
  const kind = fields.text(
    "kind",
    (text) => kinds.includes(text),
    `${kinds.slice(0, -1).join(", ")} or ${kinds.at(-1)}`,
  );
  const adapter = adapterOf(kind, all);
  // Its other faults are reported all the same.
  if (adapter === undefined) return { ...readCardAccount(fields, name, limits), kind };
  for (const other of all.filter((candidate) => candidate !== adapter)) {
    const fault = adapter.others_fields_are ?? other.own_fields_are;
    for (const field of other.own_fields) if (fields.has(field)) fields.fault(field, fault);
  }
  return adapter.read(fields, name, limits);
}
