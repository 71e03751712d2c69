/** How wide a network of TRUST_PROXY may be. */
import { BlockList, isIPv6 } from "node:net";

/** The widest private network, 10.0.0.0/8. */
const bits_min = 8;
/** The private addresses of IPv6: no stranger has one. */
const uniqueLocal = new BlockList();
uniqueLocal.addSubnet("fc00::", 7, "ipv6");

const mappedIpv4 = new BlockList();
mappedIpv4.addSubnet("::ffff:0:0", 96, "ipv6");

/**
 * Whether strangers have addresses in this network, like 0.0.0.0/0: each of them would be trusted to name any
 * address as their own.
 */
export function isTooWide(network: string): boolean {
  const [address = "", bits] = network.split("/");
  if (bits === undefined) return false;
  if (isIPv6(address) && uniqueLocal.check(address, "ipv6") && Number(bits) >= 7) return false;
  // Written as IPv6, the bits of an IPv4 address come last.
  const isMapped = isIPv6(address) && mappedIpv4.check(address, "ipv6");
  return Number(bits) - (isMapped ? 96 : 0) < bits_min;
}
