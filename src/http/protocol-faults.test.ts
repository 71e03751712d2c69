import { createServer, type ServerResponse } from "node:http";
import { connect } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { ProtocolFaults } from "./protocol-faults.ts";

const requests = 30_000;

test("the time to remember requests that come at once on one connection grows with their number", async () => {
  const waiting: ServerResponse[] = [];
  const server = createServer();
  new ProtocolFaults().listen(server);
  const all = new Promise<void>((resolve) => {
    server.on("request", (_request, response: ServerResponse) => {
      if (waiting.push(response) === requests) resolve();
    });
  });
  const port = await new Promise<number>((resolve) => {
    server.listen(0, "127.0.0.1", () => {
      const address = server.address();
      resolve(typeof address === "object" && address !== null ? address.port : 0);
    });
  });
  const { user } = process.threadCpuUsage();
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => {
    socket.destroy();
    server.closeAllConnections();
    server.close();
  });
  socket.write("GET /x HTTP/1.1\r\nhost: x\r\n\r\n".repeat(requests));
  await all;
  // Looking at all earlier ones for each took 8 s.
  expect(process.threadCpuUsage().user - user).toBeLessThan(2_500_000);
});
