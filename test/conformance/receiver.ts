import { createServer, type IncomingHttpHeaders } from "node:http";

export type Received = {
  readonly path: string;
  readonly body: Buffer;
  readonly headers: IncomingHttpHeaders;
};

export type Receiver = {
  readonly url: URL;
  /** What came, oldest first. */
  readonly received: readonly Received[];
  close(): Promise<void>;
};

/** An HTTP server that keeps what it gets and answers every request alike. */
export async function openReceiver(status = 200, answer = "ok"): Promise<Receiver> {
  const received: Received[] = [];
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on("data", (chunk: Buffer) => chunks.push(chunk));
    request.on("end", () => {
      received.push({ path: request.url ?? "", body: Buffer.concat(chunks), headers: request.headers });
      response.writeHead(status, { "content-type": "application/json" }).end(answer);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("a TCP server without a port");
  return {
    url: new URL(`http://127.0.0.1:${address.port}/`),
    received,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}
