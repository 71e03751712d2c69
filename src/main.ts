import { Command } from "commander";
import { as_option } from "./cli/author.ts";
import type { ResolveOptions } from "./cli/resolve-attempt.ts";
import { messageOf } from "./errors.ts";

const program = new Command("pacioli").description("A payments backend for marketplaces.");

program
  .command("dev")
  .description("PostgreSQL, PSP simulator and service in one process tree")
  .action(async () => (await import("./cli/dev.ts")).dev());
program
  .command("run")
  .description("one development process that serves and works; `dev` starts it")
  .action(async () =>
    (await import("./cli/service-process.ts")).runService({ serves: true, works: true }, "development"),
  );
program
  .command("serve")
  .description("answer HTTP (production)")
  .option("--work", "process payments in the same process too")
  .action(async (options: { work?: true }) =>
    (await import("./cli/service-process.ts")).runService(
      { serves: true, works: options.work === true },
      "production",
    ),
  );
program
  .command("work")
  .description("process payments (production)")
  .action(async () =>
    (await import("./cli/service-process.ts")).runService({ serves: false, works: true }, "production"),
  );
program
  .command("migrate")
  .description("migrate the database to this version's schema")
  .action(async () => (await import("./cli/migrate-command.ts")).migrateCommand());
program
  .command("verify")
  .description("recompute the books since the last faultless run; exit 1 on any difference")
  .option("--full", "recompute everything")
  .action(async (options: { full?: true }) => (await import("./cli/verify.ts")).verify(options));
program
  .command("close-period")
  .requiredOption("--until <time>", "what is booked later takes effect then at the earliest")
  .option(...as_option)
  .description("make balances as of times before it final")
  .action(async (options: { until: string; as?: string }) =>
    (await import("./cli/close-period.ts")).closePeriodCommand(options),
  );
program
  .command("detach-entries")
  .requiredOption("--before <time>", "only entries that were all written before it")
  .description("take old, verified entries out of the ledger's table")
  .action(async (options: { before: string }) =>
    (await import("./cli/detach-entries.ts")).detachEntries(options),
  );
program
  .command("shell")
  .description("open a console with the services loaded")
  .action(async () => (await import("./cli/shell.ts")).shell());

const keys = program.command("keys").description("create, list and revoke API keys");
keys
  .command("create")
  .argument("<name>")
  .option("--scopes <list>", "separated by commas: read, write, admin", "read,write")
  .option(...as_option)
  .description("create a key and show it once")
  .action(async (name: string, options: { scopes: string; as?: string }) =>
    (await import("./cli/keys.ts")).createKey(name, options),
  );
keys
  .command("list")
  .description("list all keys, without their secrets")
  .action(async () => (await import("./cli/keys.ts")).listKeys());
keys
  .command("revoke")
  .argument("<key_id>")
  .option(...as_option)
  .description("revoke a key")
  .action(async (keyId: string, options: { as?: string }) =>
    (await import("./cli/keys.ts")).revokeKey(keyId, options),
  );

const letters = program.command("dead-letters").description("list, show, redrive and discard dead letters");
letters
  .command("list")
  .option("--state <state>", "waiting, redriven or discarded", "waiting")
  .action(async (options: { state: string }) =>
    (await import("./cli/dead-letters.ts")).listDeadLetters(options.state),
  );
letters
  .command("show")
  .argument("<id>")
  .action(async (id: string) => (await import("./cli/dead-letters.ts")).showDeadLetter(id));
letters
  .command("redrive")
  .argument("<id>")
  .option("--note <text>")
  .option(...as_option)
  .description("try the work again")
  .action(async (id: string, options: { note?: string; as?: string }) =>
    (await import("./cli/dead-letters.ts")).redriveDeadLetter(id, options),
  );
letters
  .command("discard")
  .argument("<id>")
  .requiredOption("--note <text>", "why")
  .option(...as_option)
  .description("close it without trying the work again")
  .action(async (id: string, options: { note: string; as?: string }) =>
    (await import("./cli/dead-letters.ts")).discardDeadLetter(id, options),
  );

program
  .command("resolve-attempt")
  .argument("<attempt_id>")
  .description(
    "propose the outcome of an undecided attempt that you saw at the PSP; an API key must approve it",
  )
  .requiredOption("--outcome <outcome>", "succeeded, authorized or failed")
  .requiredOption("--note <text>", "how you know the outcome")
  .option("--reference <id>", "the PSP's id of the charge")
  .option("--amount <decimal>", "the amount that the PSP shows")
  .option("--currency <code>", "the currency of the amount")
  .option("--read-letters <id...>", "the dead letters about the attempt that you have read")
  .option(...as_option)
  .action(async (id: string, options: ResolveOptions) =>
    (await import("./cli/resolve-attempt.ts")).resolveAttempt(id, options),
  );

try {
  await program.parseAsync();
} catch (error) {
  process.stderr.write(`${messageOf(error)}\n`);
  process.exitCode = 1;
}
