import { createServer } from "node:net";

/** A port of 127.0.0.1 that nobody listens on at this moment. */
export async function chooseFreePort(): Promise<number> {
  const port = await tryToListen(0);
  if (port === undefined) throw new Error("the system gave no free port on 127.0.0.1");
  return port;
}

/** Whether nobody listens on this port of 127.0.0.1 at this moment. */
export async function isPortFree(port: number): Promise<boolean> {
  return (await tryToListen(port)) !== undefined;
}

async function tryToListen(port: number): Promise<number | undefined> {
  const server = createServer();
  return new Promise((resolve) => {
    server.once("error", () => resolve(undefined));
    server.listen({ host: "127.0.0.1", port, exclusive: true }, () => {
      const address = server.address();
      server.close(() => resolve(typeof address === "object" && address !== null ? address.port : undefined));
    });
  });
}
