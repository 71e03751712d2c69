/**
 * `npm run audit:signatures`: verifies the registry's signatures of the installed packages, and says so where
 * there are none to verify.
 */
import { spawnSync } from "node:child_process";

const { status, stdout, stderr, error } = spawnSync("npm", ["audit", "signatures"], {
  encoding: "utf8",
  shell: process.platform === "win32",
});
process.stdout.write(stdout);
process.stderr.write(stderr);
const verified = Number(
  /^(\d+) packages? (have|has) (a )?verified registry signatures?/m.exec(stdout)?.[1] ?? 0,
);
if (error !== undefined || verified === 0) {
  process.stderr.write(
    "Nothing was verified: npm did not run, or the registry that npm uses offers no signatures. Ask one that does: " +
      "npm audit signatures --registry <url>.\n",
  );
}
process.exitCode = error === undefined && verified > 0 ? (status ?? 1) : 1;
