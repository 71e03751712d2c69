import { connect } from "node:net";

export type RawAnswer = {
  /** 0: the connection ended, or the time was over, without a whole answer. */
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly text: string;
  readonly milliseconds: number;
  readonly is_closed: boolean;
};

/**
 * Writes these bytes to a port and gives the first answer to them, also when more of the request was
 * announced than is sent: what no HTTP client would do.
 */
export function exchangeRaw(
  url: string,
  bytes: string,
  options: { wait_ms?: number; later?: { when: () => Promise<unknown>; bytes: string } } = {},
): Promise<RawAnswer> {
  const { hostname, port } = new URL(url);
  const started = performance.now();
  return new Promise((resolve) => {
    const socket = connect(Number(port), hostname, () => socket.write(bytes));
    let text = "";
    let isClosed = false;
    const finish = (): void => {
      clearTimeout(timer);
      socket.destroy();
      resolve({ ...parsed(text), text, milliseconds: performance.now() - started, is_closed: isClosed });
    };
    const timer = setTimeout(finish, options.wait_ms ?? 5_000);
    void options.later?.when().then(() => socket.write(options.later?.bytes ?? ""));
    socket.on("data", (chunk) => {
      text += chunk.toString("utf8");
      // What says that it ends with the connection is read to that end.
      if (parsed(text).status !== 0 && !/^connection: close\r$/im.test(text)) finish();
    });
    socket.on("close", () => {
      isClosed = true;
      finish();
    });
    socket.on("error", () => undefined);
  });
}

function parsed(text: string): { status: number; headers: Record<string, string>; body: string } {
  const end = text.indexOf("\r\n\r\n");
  const [line = "", ...lines] = text.slice(0, Math.max(end, 0)).split("\r\n");
  const headers = Object.fromEntries(
    lines.map((header) => {
      const colon = header.indexOf(":");
      return [header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim()];
    }),
  );
  const body = end < 0 ? "" : text.slice(end + 4);
  const isWhole = end >= 0 && Buffer.byteLength(body) >= Number(headers["content-length"] ?? 0);
  return { status: isWhole ? Number(/^HTTP\/1\.1 (\d{3})/.exec(line)?.[1] ?? 0) : 0, headers, body };
}
