/** What a client sends by mistake or on purpose, and what breaks parsers, databases, logs and pages. */
export const awkwardTexts: readonly [string, ...string[]] = [
  "", " ", ".", "..", "../../etc/passwd", "a/b", "a%2Fb", "%", "%00", "%ff", "?x=1", "#", "null", "undefined", "true", "NaN",
  "-1", "0", "00", "1e3", "1e400", "9".repeat(30), "0.1", "-0", "0x10", "１２３", "٣", "1,000.00", "1.2.3", "+5", "1 ",
  "\u0000", "a\u0000b", "\u0007", "\u001b[31m", "\u007f", "\n", "\r\nSet-Cookie: a=b", "\t", "\u2028", "\u2029", "\u200b", "\u202e",
  "\ufeff", "\ufffd", "\ud800", "a\udc00", "𝒳", "👩‍👩‍👧‍👦".repeat(12), "é".normalize("NFD"), "İ", "ß", "ﷺ", "שלום", "ü".repeat(255),
  "x".repeat(256), "x".repeat(10_000), "'", "''; drop table payment_orders; --", "\\", "$1", "${1}", "{{7*7}}", "%s%n",
  "<script>alert(1)</script>", "\"><img src=x>", "javascript:alert(1)", "file:///etc/passwd", "http://[::1", "https://a@b/",
  "__proto__", "constructor", "toString", "hasOwnProperty", "psp:stripe:clearing", "seller:seller_bob:pending",
  "2026-13-45T99:99:99Z", "2026-01-01", "0000-00-00T00:00:00Z", "9999-12-31T23:59:59.999999999Z", "2026-01-01T00:00:00+99:99",
  "usd", "USDX", "XXX", "BTC", "cursor", "eyJhIjoxfQ", "A".repeat(1_001),
];

/** In place of a JSON value of another kind. */
export const awkwardValues: readonly [unknown, ...unknown[]] = [
  null, true, false, 0, -1, 1.5, 1e21, [], {}, [[]], [null], [{}], { a: 1 }, { length: 1 }, "text", ["text"],
  Array.from({ length: 200 }, () => 1), { __proto__: null, constructor: 1 },
];

/** Bodies that are no JSON, or JSON that cannot be kept as it is. */
export const malformedBodies: readonly [string, ...string[]] = [
  "", " ", "{", "}", "[", "{}", "[]", "null", "1", "\"a\"", "{\"a\":}", "{'a':1}", "{\"a\":1,}", "{\"a\":1}}", "{\"a\":1e400}",
  "{\"a\":12345678901234567890}", "{\"a\":1,\"a\":2}", "{\"__proto__\":{\"x\":1}}", "{\"constructor\":{\"prototype\":{}}}",
  "\ufeff{}", "{\"a\":\"\\ud800\"}", "{\"a\":\"\\u0000\"}", "{\"\u2028\":1}", "NaN", "{\"a\":NaN}", "{\"a\":01}", "{\"a\":-0}",
  "[".repeat(100_000), "{\"a\":".repeat(5_000), `{"a":"${"x".repeat(1_100_000)}"}`, `{"a":[${"1,".repeat(100_000)}1]}`,
  "a=1&b=2", "<xml/>", "--boundary\r\n", "\u0000", "{\"a\":\"\n\"}", "// comment\n{}",
];

export const awkwardHeaders: readonly (readonly [string, string])[] = [
  ["content-type", "text/plain"], ["content-type", "application/json; charset=utf-16"], ["content-type", "application/jsonp"],
  ["content-type", ""], ["content-type", "multipart/form-data"], ["idempotency-key", ""], ["idempotency-key", "k".repeat(256)],
  ["idempotency-key", "\"quoted\""], ["idempotency-key", "ü"], ["accept", "text/html"], ["accept", "*/*;q=0"], ["accept-encoding", "br"],
  ["authorization", ""], ["authorization", "Bearer"], ["authorization", "Bearer  "], ["authorization", `Bearer ${"x".repeat(5_000)}`],
  ["authorization", "Basic Og=="], ["authorization", "Basic ???"], ["authorization", "Bearer sk_live_nothing"], ["host", "evil.example"],
  ["x-forwarded-for", "1.2.3.4, 5.6.7.8"], ["x-forwarded-host", "evil.example"], ["x-http-method-override", "DELETE"],
  ["content-encoding", "gzip"], ["prefer", "wait=99999"], ["prefer", "wait=-1"], ["if-none-match", "*"], ["range", "bytes=0-1"],
  ["origin", "https://evil.example"], ["cookie", "a=b"], ["stripe-signature", "t=1,v1=00"], ["webhook-id", "w".repeat(3_000)],
  ["webhook-timestamp", "NaN"], ["webhook-signature", "v1,"], ["x-long", "y".repeat(7_000)],
];
