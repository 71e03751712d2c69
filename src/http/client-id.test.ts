import { expect, test } from "vitest";
import { isClientId } from "./client-id.ts";

test.for([
  "x",
  "order-1",
  "a/b c?d#e%f",
  "psp:stripe:clearing",
  "...",
  "١٢٣",
  "é".normalize("NFD"),
  "Ａ",
  "';--",
  "null",
  "\\x\\'",
  "❤️",
  "😀",
  "x".repeat(255),
  "中".repeat(85),
  `${"😀".repeat(63)}abc`,
])("%j is an id", (text) => {
  expect(isClientId(text)).toBe(true);
});

test.for([
  ["an empty text", ""],
  ["256 bytes in one-byte characters", "x".repeat(256)],
  ["256 bytes in two-byte characters", "é".repeat(128)],
  ["258 bytes in three-byte characters", "中".repeat(86)],
  ["256 bytes in four-byte characters", "😀".repeat(64)],
  ["a space at the start", " x"],
  ["a space at the end", "x "],
  ["nothing but a space", " "],
  ["a path segment that URLs drop", "."],
  ["a path segment that goes up", ".."],
  ["NUL", "a\u0000b"],
  ["a line feed", "a\nb"],
  ["DEL", "a\u007f"],
  ["a control character of the second block", "a\u0085b"],
  ["a no-break space", "a\u00a0b"],
  ["a soft hyphen", "a\u00adb"],
  ["an ideographic space", "a\u3000b"],
  ["a line separator", "a\u2028b"],
  ["a zero-width space", "a\u200bb"],
  ["a joiner", "a\u200db"],
  ["a direction mark", "\u202ertl\u202c"],
  ["a byte-order mark", "\ufeffa"],
  ["a replacement character", "a\ufffdb"],
  ["a tag character", "a\u{e0041}b"],
  ["a lone surrogate", "a\ud800"],
  ["a reversed pair", "\udc00\ud800"],
] as const)("%s is no id", ([, text]) => {
  expect(isClientId(text)).toBe(false);
});
