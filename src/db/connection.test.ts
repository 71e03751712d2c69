import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { TLSSocket } from "node:tls";
import pg from "pg";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { loadConfig } from "../config/config.ts";
import { production } from "../../test/support/settings.ts";
import { withClient } from "./client.ts";
import { connectionOf } from "./connection.ts";
import { Database } from "./database.ts";

/** AuthenticationCleartextPassword */
const ask_password = Buffer.from([0x52, 0, 0, 0, 8, 0, 0, 0, 3]);
const folder = mkdtempSync(join(tmpdir(), "pacioli-tls-"));
const certificate = join(folder, "certificate.pem");
const key = join(folder, "key.pem");
beforeAll(() => {
  execFileSync(
    "openssl",
    ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", key, "-out", certificate].concat(
      "-days 2 -subj /CN=localhost -addext subjectAltName=DNS:localhost".split(" "),
    ),
    { stdio: "ignore" },
  );
});
afterAll(() => rmSync(folder, { recursive: true }));

/**
 * Plays a database with a self-signed certificate, or without TLS, and keeps the passwords that it is told.
 */
async function playDatabase(hasTls: boolean): Promise<{ url: string; told: string[] }> {
  const told: string[] = [];
  const sockets = new Set<Socket>();
  const listen = (socket: Socket): void => {
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(ask_password);
      socket.once("data", (password: Buffer) => {
        told.push(password.toString("latin1"));
        socket.destroy();
      });
    });
  };
  const server: Server = createServer((socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.once("data", () => {
      socket.write(hasTls ? "S" : "N");
      if (hasTls)
        listen(
          new TLSSocket(socket, { isServer: true, key: readFileSync(key), cert: readFileSync(certificate) }),
        );
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const address = server.address();
  const port = typeof address === "object" ? address?.port : undefined;
  return { url: `postgres://app:hunter2@localhost:${port}/pacioli?sslmode=verify-full`, told };
}

describe("a database that is reached over TLS", () => {
  test("is not told the password without its certificate verified, whatever NODE_TLS_REJECT_UNAUTHORIZED says", async () => {
    const { url, told } = await playDatabase(true);
    vi.stubEnv("NODE_TLS_REJECT_UNAUTHORIZED", "0");
    onTestFinished(() => void vi.unstubAllEnvs());
    await expect(withClient(url, async () => undefined)).rejects.toThrow("refused TLS (self-signed");
    const database = new Database({ url, application_name: "test", connections_max: 1 });
    await expect(database.query("select 1")).rejects.toThrow("self-signed");
    await database.close();
    expect(told).toEqual([]);
  });

  test("is told it once its CA is named in the URL", async () => {
    const { url, told } = await playDatabase(true);
    await expect(withClient(`${url}&sslrootcert=${certificate}`, async () => undefined)).rejects.toThrow(
      "Connection terminated",
    );
    expect(told.join()).toContain("hunter2");
  });

  test("and does not have it, or has a certificate of its own, is told apart from one that does not answer", async () => {
    for (const hasTls of [true, false]) {
      const { url } = await playDatabase(hasTls);
      await expect(withClient(url, async () => undefined)).rejects.toThrow(
        /^PostgreSQL at localhost:\d+ refused TLS \(.+\)\. Name its CA in NODE_EXTRA_CA_CERTS or sslrootcert=, or set DATABASE_TLS=off/,
      );
    }
    await expect(withClient("postgres://u@127.0.0.1:9/x", async () => undefined)).rejects.toThrow(
      "does not answer at 127.0.0.1:9",
    );
  });
});

test("the driver gets the same address, login and options as from the URL that the settings make", () => {
  const DATABASE_URL = "postgres://pacioli_app:p%40ss%2Fw%3Ard@db.example:5433/pacioli?sslnegotiation=direct";
  const url = loadConfig("production", { ...production, DATABASE_URL }).database_url ?? "";
  expect(new pg.Client(connectionOf(url))).toMatchObject({
    user: "pacioli_app",
    password: "p@ss/w:rd",
    host: "db.example",
    port: 5_433,
    database: "pacioli",
    ssl: { rejectUnauthorized: true },
  });
});

test("an address without TLS reaches the driver as it is", () => {
  const url = "postgres://u:p@127.0.0.1/pacioli?sslmode=disable";
  expect(connectionOf(url)).toEqual({ connectionString: url });
});
