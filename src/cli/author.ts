import { userInfo } from "node:os";
import type { Author } from "../audit/audit.ts";
import { messageOf } from "../errors.ts";

/** Names the person if several share a user of the operating system. */
export const as_option = [
  "--as <name>",
  "name in the audit log (default: your operating system user)",
] as const;

/** The person who runs a command: `--as`, or the user of the operating system. */
export function cliAuthor(as: string | undefined): Author {
  const name = as ?? operatingSystemUser();
  if (!/^[\w.@-]{1,100}$/.test(name))
    throw new Error(`--as must be up to 100 letters, digits and . _ @ -, but is "${name}".`);
  return { actor: `cli:${name}`, request_id: null };
}

/** A container may run as a user without a name. */
function operatingSystemUser(): string {
  try {
    return userInfo().username;
  } catch (error) {
    throw new Error(
      `Your operating system user has no name (${messageOf(error)}): pass your name with --as <name>.`,
      { cause: error },
    );
  }
}
