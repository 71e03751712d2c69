import { connect, type Socket } from "node:net";

/**
 * A caller over kept connections that writes and reads the bytes of HTTP/1.1 by itself, as load
 * generators do: it shares two cores with what it measures, and node:http took as much as PostgreSQL's commits.
 */
export class Client {
  readonly #address: URL;
  readonly #idle: Connection[] = [];
  readonly #waiting: ((connection: Connection) => void)[] = [];
  #mayOpen: number;

  constructor(url: string, connections: number) {
    this.#address = new URL(url);
    this.#mayOpen = connections;
  }

  /** Posts a body and gives the status. */
  async post(path: string, body: string): Promise<number> {
    const connection = this.#idle.pop() ?? (await this.#open());
    const status = await connection.exchange(
      `POST ${path} HTTP/1.1\r\nhost: ${this.#address.host}\r\nauthorization: Bearer sk_dev\r\ncontent-type: application/json\r\n` +
        `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    );
    const next = this.#waiting.shift();
    if (next === undefined) this.#idle.push(connection);
    else next(connection);
    return status;
  }

  close(): void {
    for (const connection of this.#idle) connection.close();
  }

  #open(): Promise<Connection> | Connection {
    if (this.#mayOpen > 0) {
      this.#mayOpen -= 1;
      return new Connection(
        connect({ host: this.#address.hostname, port: Number(this.#address.port), noDelay: true }),
      );
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}

/** One connection, which carries one request at a time. */
class Connection {
  readonly #socket: Socket;
  #received = "";
  #onAnswer: (status: number) => void = () => undefined;
  #onError: (error: Error) => void = () => undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    socket.setEncoding("latin1");
    socket.on("data", (chunk) => this.#read(chunk.toString()));
    socket.on("error", (error) => this.#onError(error));
    socket.on("close", () => this.#onError(new Error("the service closed the connection")));
  }

  exchange(request: string): Promise<number> {
    return new Promise((resolve, reject) => {
      this.#onAnswer = resolve;
      this.#onError = reject;
      this.#socket.write(request);
    });
  }

  close(): void {
    this.#socket.destroy();
  }

  /** Every answer of the service has a content-length. */
  #read(chunk: string): void {
    this.#received += chunk;
    const headEnd = this.#received.indexOf("\r\n\r\n");
    if (headEnd < 0) return;
    const length = Number(/\r\ncontent-length: (\d+)/i.exec(this.#received)?.[1]);
    if (this.#received.length < headEnd + 4 + length) return;
    const status = Number(this.#received.slice(9, 12));
    this.#received = "";
    this.#onAnswer(status);
  }
}

/** Runs `work` with a number of callers at once until `isOver`. */
export async function closedLoop(
  callers: number,
  isOver: () => boolean,
  work: () => Promise<void>,
): Promise<void> {
  await Promise.all(
    Array.from({ length: callers }, async () => {
      while (!isOver()) await work();
    }),
  );
}
