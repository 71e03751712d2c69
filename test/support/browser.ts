import { execFile } from "node:child_process";
import { lstat, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir, userInfo } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium, type Browser } from "playwright-core";

const unpack = `
import chromium from "@sparticuz/chromium";
await chromium.executablePath();
`;

/**
 * Starts a real Chromium without a window. It comes out of an npm package and needs nothing from the system; it runs as
 * root and as an ordinary user. The caller closes it.
 */
export async function openBrowser(): Promise<Browser> {
  const home = await chromiumHome();
  return chromium.launch({
    executablePath: join(home, "chromium"),
    // The package's own list of arguments is not used: it switches the same-origin rules off.
    args: ["--no-sandbox"],
    env: { ...process.env, FONTCONFIG_FILE: join(home, "fonts.conf") },
  });
}

/**
 * The folder with the unpacked browser, made at first use. The package unpacks in place, so that who comes second finds
 * half a file: here each unpacks apart and the first one's folder is moved into place. One folder per user and version.
 */
async function chromiumHome(): Promise<string> {
  const home = join(tmpdir(), `pacioli-chromium-${await packageVersion()}-${userInfo().username}`);
  if (await isOurs(home)) return home;
  const fresh = await mkdtemp(`${home}-`);
  try {
    await promisify(execFile)(process.execPath, ["--input-type=module", "--eval", unpack], {
      cwd: import.meta.dirname,
      env: { ...process.env, TMPDIR: fresh },
    });
    await writeFontSettings(fresh, home);
    await rename(fresh, home);
  } catch (error) {
    if (!(await isOurs(home))) throw error;
  } finally {
    await rm(fresh, { recursive: true, force: true });
  }
  return home;
}

/** Whether the folder is there; one that another user put there would run his program as ours. */
async function isOurs(folder: string): Promise<boolean> {
  const found = await lstat(folder).catch(() => undefined);
  if (found === undefined) return false;
  if (found.isDirectory() && (process.getuid === undefined || found.uid === process.getuid())) return true;
  throw new Error(`${folder} belongs to another user: remove it`);
}

async function packageVersion(): Promise<string> {
  const manifest = new URL("../../package.json", import.meta.resolve("@sparticuz/chromium"));
  const { version } = JSON.parse(await readFile(manifest, "utf8")) as { version: string };
  return version;
}

/** The package's own font first, then the system's: a machine without any fonts still shows text. */
async function writeFontSettings(fresh: string, home: string): Promise<void> {
  await mkdir(join(fresh, "font-cache"));
  await writeFile(
    join(fresh, "fonts.conf"),
    `<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig>
  <dir>${join(home, "fonts")}</dir>
  <dir>/usr/share/fonts</dir>
  <cachedir>${join(home, "font-cache")}</cachedir>
</fontconfig>
`,
  );
}
