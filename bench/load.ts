import { Agent, request } from "node:http";

/** A caller over keep-alive connections; plain node:http, because the load shares two cores with what it measures. */
export class Client {
  readonly #agent: Agent;
  readonly #url: URL;

  constructor(url: string, connections: number) {
    this.#url = new URL(url);
    this.#agent = new Agent({ keepAlive: true, maxSockets: connections });
  }

  /** Posts a body and gives the status. */
  post(path: string, body: string): Promise<number> {
    return new Promise((resolve, reject) => {
      const sent = request({
        agent: this.#agent, host: this.#url.hostname, port: this.#url.port, path, method: "POST",
        headers: { authorization: "Bearer sk_dev", "content-type": "application/json", "content-length": Buffer.byteLength(body) },
      }, (response) => {
        response.resume();
        response.on("end", () => resolve(response.statusCode ?? 0));
        response.on("error", reject);
      });
      sent.on("error", reject);
      sent.end(body);
    });
  }

  close(): void {
    this.#agent.destroy();
  }
}

/** Runs `work` with a number of callers at once until `isOver`. */
export async function closedLoop(callers: number, isOver: () => boolean, work: () => Promise<void>): Promise<void> {
  await Promise.all(Array.from({ length: callers }, async () => {
    while (!isOver()) await work();
  }));
}
