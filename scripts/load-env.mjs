/** Reads .env where there is one, for `node --import`; what is set already stays. Node's own flag warns where there is none. */
import { existsSync } from "node:fs";
import { join } from "node:path";

const file = join(import.meta.dirname, "../.env");
if (existsSync(file)) process.loadEnvFile(file);
