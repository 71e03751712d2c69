import { SocketAddress, isIP, isIPv6 } from "node:net";
import type { FastifyRequest } from "fastify";

/**
 * The client's address, for limits and the log. `request.ip` is whatever a trusted proxy passed on in
 * X-Forwarded-For: some write a port behind the address, which would make each connection another client, and
 * it may be no address at all. Then it is the address that the connection comes from.
 */
export function clientAddress({ ip, socket }: Pick<FastifyRequest, "ip" | "socket">): string {
  return addressIn(ip) ?? addressIn(socket.remoteAddress) ?? "unknown";
}

/** Undefined as well for a connection that has ended: it has no address any more. */
export function addressIn(text: string | undefined): string | undefined {
  if (text === undefined) return undefined;
  const [, inBrackets, withPort] = /^(?:\[([^\]]*)\](?::\d+)?|([\d.]+):\d+)$/.exec(text) ?? [];
  // A zone is free text to isIP.
  const [address = ""] = (inBrackets ?? withPort ?? text).split("%");
  if (isIP(address) === 0) return undefined;
  // Each address has one spelling; IPv6 has many.
  return isIPv6(address) ? new SocketAddress({ address, family: "ipv6" }).address : address;
}
