/**
 * Installs the packages when they are missing or not those of package-lock.json. Runs before the commands of the
 * README, so that a fresh clone needs one command only. Plain JavaScript for whatever Node the machine has.
 */
import { execFileSync, spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const nodeOfProject = join(root, "node_modules/node/bin", process.platform === "win32" ? "node.exe" : "node");

if (!isInstalled()) install();

function isInstalled() {
  const installed = packagesIn("node_modules/.package-lock.json");
  const wanted = packagesIn("package-lock.json");
  if (installed === undefined || wanted === undefined) return false;
  const isComplete = Object.entries(wanted).every(
    ([path, { version, optional }]) =>
      // Packages for other platforms are optional. Paths outside node_modules are the workspaces themselves.
      !path.startsWith("node_modules/") ||
      (path in installed ? installed[path].version === version : optional === true),
  );
  return isComplete && hasNode(wanted["node_modules/node"].version);
}

/** npm writes its own list of what it installed as the last step, so an interrupted installation has none. */
function packagesIn(lockfile) {
  try {
    return JSON.parse(readFileSync(join(root, lockfile), "utf8")).packages;
  } catch {
    return undefined;
  }
}

/** The package `node` gets its program from an install script, which a setting of npm may have kept from running. */
function hasNode(version) {
  try {
    return execFileSync(nodeOfProject, ["--version"], { encoding: "utf8" }).trim() === `v${version}`;
  } catch {
    return false;
  }
}

function install() {
  process.stdout.write("Installing packages (npm ci), about a minute …\n");
  const options = ["ci", "--loglevel=error", "--no-audit", "--no-fund"];
  // The Node that runs npm, not the one below node_modules, which the installation replaces.
  const npm = process.env.npm_execpath;
  const result =
    npm === undefined
      ? spawnSync("npm", options, { cwd: root, stdio: "inherit", shell: process.platform === "win32" })
      : spawnSync(process.env.npm_node_execpath ?? process.execPath, [npm, ...options], {
          cwd: root,
          stdio: "inherit",
        });
  if (result.status !== 0) {
    fail(
      result.error === undefined
        ? `npm ci ended with code ${result.status ?? result.signal}`
        : `npm ci did not start (${result.error.message})`,
      [
        "What npm said stands above. Often it is one of these:",
        "- npm does not reach its registry: `npm ping` tells; behind a proxy set npm's `proxy` and `https-proxy`.",
        "- package-lock.json does not fit package.json: `git status` shows whether one of them was changed.",
        "- the disk is full, or node_modules belongs to another user.",
        "Then run the same command again.",
      ],
    );
  }
  if (!isInstalled()) {
    fail("npm ci went through, but Node 24 is not there", [
      "The install script of the package `node` brings it. It was probably kept from running:",
      "`npm config get ignore-scripts` must say false. Then run the same command again.",
    ]);
  }
}

function fail(what, advice) {
  process.stderr.write(`\n${what}.\n${advice.join("\n")}\n`);
  process.exit(1);
}
