import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join, relative, resolve } from "node:path";
import { expect, test } from "vitest";

const root = join(import.meta.dirname, "../..");
const pages = globSync("{*,docs/**/*,simulator/*}.md", { cwd: root }).toSorted();
const textOf = (page: string): string => readFileSync(join(root, page), "utf8");

type Link = { readonly path: string; readonly anchor: string | null };

/** The links of a text to files of the repository; `path` is from its root. */
function linksIn(page: string, text: string): Link[] {
  return [...text.matchAll(/\]\(([^)\s]+)\)/g)].flatMap(([, target = ""]) => {
    if (/^[a-z]+:/.test(target)) return [];
    const [path = "", anchor = null] = target.split("#");
    const file = path === "" ? join(root, page) : resolve(root, dirname(page), path);
    return [{ path: relative(root, file), anchor }];
  });
}

/** The anchors that GitHub gives a page's headings. */
function anchorsOf(page: string): string[] {
  const headings = textOf(page).match(/^#+ .*$/gm) ?? [];
  return headings.map((heading) =>
    heading
      .replace(/^#+ /, "")
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

test.each(pages)("every link of %s leads to a file, and to a heading of it", (page) => {
  const broken = linksIn(page, textOf(page)).filter(({ path, anchor }) => {
    if (!existsSync(join(root, path))) return true;
    return anchor !== null && path.endsWith(".md") && !anchorsOf(path).includes(anchor);
  });
  expect(broken).toEqual([]);
});

test.each(pages)("code in %s that names its file is in that file", (page) => {
  const blocks = [...textOf(page).matchAll(/^```\w+\n\/\/ (\S+)\n(.*?)^```$/gms)];
  for (const [, file = "", code = ""] of blocks)
    expect(textOf(file), `${page} quotes ${file}`).toContain(code);
});

/** In backticks, and the name of something in code: no path, no value, no phrase. */
const namesIn = (text: string): string[] =>
  [...text.matchAll(/`(#?[A-Za-z_]\w+)`/g)].map(([, name]) => String(name));

test("every name in docs/reading-order.md is in the files that its line links", () => {
  const page = "docs/reading-order.md";
  const lines = textOf(page)
    .split("\n")
    .filter((line) => line.startsWith("|") && line.includes("]("));

  const missing = lines.flatMap((line) => {
    const files = linksIn(page, line).map(({ path }) => path);
    const code = files.map(textOf).join("\n");
    return namesIn(line).filter((name) => !new RegExp(`(?<!\\w)${name}(?!\\w)`).test(code));
  });
  expect(lines.length).toBeGreaterThan(35);
  expect(missing).toEqual([]);
});

/** They tell of what was, so they may name what is gone. */
const histories = ["CHANGELOG.md", "docs/learnings.md"];
const current = pages.filter((page) => !histories.includes(page) && !page.startsWith("docs/adr/"));

test.each(current)("every path in %s exists", (page) => {
  const path =
    /`((?:src|test|simulator|scripts|chaos|demo|console|bench|examples|migrations|docs)\/[^`\s*<>]+)`/g;
  const named = [...textOf(page).matchAll(path)].map(([, found]) => String(found));
  expect(named.filter((found) => !existsSync(join(root, found)))).toEqual([]);
});

const aboutCode = ["adding-a-psp", "adding-an-operation", "architecture", "glossary", "ledger"].map(
  (name) => `docs/${name}.md`,
);
const allCode = globSync("{src,simulator/src,chaos,demo,examples,test,migrations}/**/*.{ts,sql}", {
  cwd: root,
})
  .map(textOf)
  .join("\n");

test.each(aboutCode)("every function and type that %s names is in the code", (page) => {
  const named = [...textOf(page).matchAll(/`([A-Za-z]+[a-z][A-Z][A-Za-z]*)`/g)].map(([, name]) =>
    String(name),
  );
  expect(named.filter((name) => !new RegExp(`(?<!\\w)${name}(?!\\w)`).test(allCode))).toEqual([]);
});
