/** Rules of the house that the linter cannot express: `node scripts/house-rules.ts [folder]`, exit code 1 on any breach. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import { realTimes } from "./real-times.ts";
import { codeFolders, layers, programFolders } from "./rooms.ts";

type TextRule = {
  readonly name: string;
  /** Which files, by their path from the root with `/`. */
  readonly files: RegExp;
  readonly except?: RegExp;
  /** Looked for line by line. */
  readonly pattern: RegExp;
  /** What may stand there all the same. */
  readonly allowed?: readonly RegExp[];
  /** Whether comments are looked at too. */
  readonly reads_comments?: true;
  readonly advice: string;
};

const code = new RegExp(`^(${codeFolders.join("|")})/.*\\.m?[jt]s$`);
/** The service, and the programs beside it that deal with its money. */
const service = new RegExp(`^(${["src", ...programFolders].join("|")})/.*\\.ts$`);
const statements = [
  String.raw`select\s`,
  String.raw`insert\s+into\s`,
  String.raw`update\s+\S+\s+set\s`,
  String.raw`delete\s+from\s`,
  String.raw`with\s+\w+\s*(\(|as\s)`,
  String.raw`(create|alter|drop)\s+(or\s+replace\s+)?(database|extension|function|index|role|schema|table|temp|type|unlogged|user|view)`,
  String.raw`truncate\s`,
  String.raw`set\s+(local|role|session|transaction)\s`,
  String.raw`(grant|revoke)\s.*\son\s`,
  String.raw`(lock|copy)\s+\S+\s`,
  String.raw`(listen|notify)\s+\w`,
  String.raw`(begin|commit|rollback)["'${"`"}]`,
];

const moneyWord = "([Aa]mount|[Mm]inor|[Bb]alance|[Pp]rice|[Gg]ross|[Cc]ommission|\\b[Ff]ee)";

export const textRules: readonly TextRule[] = [
  {
    name: "time",
    files: service,
    except: /^src\/clock\.ts$|\.test\.ts$/,
    pattern: /\bnew Date\(\s*\)|(?<![\w.])(?<!new )Date\(\)/,
    advice: "only src/clock.ts reads the time: use now() from there",
  },
  {
    name: "business-time",
    files: /^src\/.*\.ts$/,
    except: /^src\/(clock|ids)\.ts$|^src\/psp\/|\.test\.ts$/,
    pattern: /^import \{[^}]*\bnow\b[^}]*\} from "[./]+(src\/)?clock\.ts"/,
    advice:
      "now() is real time, for ids and signatures: take business time from the Clock that is passed down",
  },
  {
    name: "business-time",
    files: /^migrations\/.*\.sql$|^src\/.*queries\.ts$|^src\/db\/.*\.ts$|^src\/jobs\/install\.ts$/,
    except: /\.test\.ts$/,
    pattern:
      /(?<![\w.])(now|(clock|statement|transaction)_timestamp)\(\)|\b(current_(date|time|timestamp)|localtime(stamp)?|timeofday)\b/i,
    allowed: realTimes,
    advice:
      "SQL gets business time as a parameter; what is real time is listed with its reason in scripts/real-times.ts",
  },
  {
    name: "sql",
    files: service,
    except: /queries\.ts$|^src\/db\/|^src\/jobs\/install\.ts$|\.test\.ts$/,
    pattern: new RegExp(`["'\`]\\s*(${statements.join("|")})`, "i"),
    advice:
      "SQL stands only in files named *queries.ts, in src/db/ and in src/jobs/install.ts: move it there and call it",
  },
  {
    name: "money",
    files: service,
    except: /^src\/psp\/[^/]+\/amounts\.ts$|\.test\.ts$/,
    pattern: new RegExp(
      `\\b(Number|parseFloat|parseInt|Math\\.\\w+)\\([^)]*${moneyWord}|${moneyWord}\\w*[)\\]]*\\.(toFixed|toPrecision)\\(`,
    ),
    advice:
      "money is bigint minor units: use the doors of src/money/; only a PSP's amounts.ts may convert, after checking that it is exact",
  },
  {
    name: "psp-names",
    files: /^src\/.*\.ts$/,
    // The addresses of pages are removed from clients' texts whichever PSPs are configured.
    except: /^src\/psp\/(stripe|adyen|adapters\.ts)|^src\/http\/secrets-in-text\.ts$|\.test\.ts$/,
    // A card's magnetic stripe is nobody's, and `use_stripe_sdk` is a value that the API documents.
    pattern: /(?<!magnetic |use_)stripe|adyen/i,
    advice:
      "a PSP is named only in its adapter's folder and in src/psp/adapters.ts: give Adapter what you need to know of it",
  },
  {
    name: "disabled-rule",
    files: code,
    reads_comments: true,
    pattern:
      /(oxlint|eslint)-disable(?!.*\s--\s+\S)|(oxlint|eslint)-disable.*(no-restricted|no-cycle|no-console|no-explicit-any|max-lines)/,
    advice: "say why after ` -- `; house rules cannot be switched off",
  },
  {
    name: "file-name",
    files: /(^|\/)(utils?|helpers?|common|misc|index)\.[jt]s$/,
    pattern: /^/,
    advice: "name the file after what it does; a room's door has the room's name",
  },
  {
    name: "unfinished",
    files: /\.(m?[jt]s|sql|md|ya?ml|json|toml)$|(^|\/)(Makefile|Dockerfile)$/,
    except: /^package-lock\.json$/,
    reads_comments: true,
    pattern: /\b(TO[D]O|FIX[M]E|HAC[K])\b/,
    advice: "finish it, or leave it out",
  },
  {
    name: "comment-width",
    // What is said to the linter must stand in one line.
    files: /^(src|simulator\/src)\/.*\.ts$/,
    reads_comments: true,
    pattern: /^(?=\s*(\/\*\*|\/\/|\*) (?!oxlint-)).{111}/,
    advice: "fold the comment: it has 110 columns at the most, like the code",
  },
  {
    name: "sql-width",
    files: /\.sql$|queries\.ts$/,
    reads_comments: true,
    // The formatter breaks code, and leaves what is between backquotes.
    pattern: /^(?!\s*\/\/ oxlint-).{111}/,
    advice: "fold the statement: a line has 110 columns at the most, like the code",
  },
  {
    name: "machine-path",
    files: /./,
    reads_comments: true,
    pattern: /(?<![\w.:/-])\/(home|Users|work)\/[\w.-]|[A-Z]:\\Users/,
    advice: "no path of one machine: build it from import.meta.dirname or a setting",
  },
  {
    name: "registry-host",
    files: /./,
    reads_comments: true,
    pattern: /registry\.(npmjs|yarnpkg)\.(org|com)|"resolved": "https?:|^\s*registry\s*=/,
    advice: "the registry is the installing machine's choice: keep it out of the repository",
  },
];

export type Breach = {
  readonly file: string;
  readonly line: number;
  readonly rule: string;
  readonly advice: string;
};

const ignoredNames = new Set([".git", ".pacioli", "node_modules", "coverage", ".env", "dist"]);
/** The tests of the rules break them on purpose. */
const rulesTests = "test/lint/";
const bytes_max = 2_000_000;

/** All breaches below a folder. */
export function findBreaches(root: string): Breach[] {
  const files = filesBelow(root).map((path) => relative(root, path).split(sep).join("/"));
  return [
    ...roomBreaches(files),
    ...files.filter((file) => !file.startsWith(rulesTests)).flatMap((file) => textBreaches(root, file)),
  ];
}

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (ignoredNames.has(entry.name) || entry.name.endsWith(".log")) return [];
    if (entry.isDirectory()) return filesBelow(path);
    return entry.isFile() && statSync(path).size <= bytes_max ? [path] : [];
  });
}

function textBreaches(root: string, file: string): Breach[] {
  const rules = textRules.filter((rule) => rule.files.test(file) && rule.except?.test(file) !== true);
  if (rules.length === 0) return [];
  const text = readFileSync(join(root, file), "utf8");
  if (text.includes("\0")) return [];
  const plain = withoutComments(file, text).split("\n");
  return text
    .split("\n")
    .flatMap((line, index) =>
      rules
        .filter(
          (rule) =>
            (rule.name !== "file-name" || index === 0) &&
            rule.pattern.test(
              withoutAllowed(rule, rule.reads_comments === true ? line : (plain[index] ?? "")),
            ),
        )
        .map((rule) => ({ file, line: index + 1, rule: rule.name, advice: rule.advice })),
    );
}

const withoutAllowed = ({ allowed = [] }: TextRule, line: string): string =>
  allowed.reduce((rest, pattern) => rest.replaceAll(pattern, ""), line);

/** Blanks comments that begin a line, and those behind code; line numbers stay. */
function withoutComments(file: string, text: string): string {
  if (file.endsWith(".sql")) return text.replaceAll(/--.*$/gm, "");
  return text
    .replaceAll(/^\s*-- .*$/gm, "")
    .replaceAll(/^[ \t]*\/\*[\s\S]*?\*\//gm, (comment) => comment.replaceAll(/[^\n]/g, ""))
    .replaceAll(/(^|\s)\/\/.*$/gm, "");
}

/** Every folder of code is in the plan, and every room of `src/` has its door. */
function roomBreaches(files: readonly string[]): Breach[] {
  const breach = (file: string, advice: string): Breach => ({ file, line: 1, rule: "rooms", advice });
  const named = (pattern: RegExp): string[] => [
    ...new Set(files.flatMap((file) => pattern.exec(file)?.[1] ?? [])),
  ];
  return [
    ...named(/^([^/]+)\/.*\.m?[jt]s$/)
      .filter((folder) => !codeFolders.includes(folder))
      .map((folder) => breach(folder, "give the new folder a place in scripts/rooms.ts and tsconfig.json")),
    ...named(/^src\/([^/]+)\//).flatMap((room): Breach[] => {
      if (!layers.flat().includes(room))
        return [breach(`src/${room}`, "give the new room a place in scripts/rooms.ts")];
      if (!files.includes(`src/${room}/${room}.ts`))
        return [breach(`src/${room}`, `a room has a door: src/${room}/${room}.ts`)];
      return [];
    }),
  ];
}

if (import.meta.main) {
  const breaches = findBreaches(resolve(process.argv[2] ?? join(import.meta.dirname, "..")));
  for (const { file, line, rule, advice } of breaches)
    process.stdout.write(`${file}:${line}  house rule "${rule}": ${advice}\n`);
  process.stdout.write(
    breaches.length === 0
      ? `${new Set(textRules.map(({ name }) => name)).size + 1} house rules kept.\n`
      : `${breaches.length} breaches of house rules.\n`,
  );
  process.exitCode = breaches.length === 0 ? 0 : 1;
}
