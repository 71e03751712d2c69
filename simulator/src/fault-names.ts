/** Faults of any request that moves or releases money; for a capture or a cancel "charge" means just that. */
export const MODIFICATION_FAULT_NAMES = [
  "timeout_before_charge",
  "timeout_after_charge",
  "500_before",
  "500_after_charge",
  "500_rolled_forward",
  "disconnect_before_charge",
  "disconnect_after_charge",
  "429",
  "html",
  "truncated",
  "slow",
] as const;

/**
 * Faults that can be asked for by token (`tok_fault_<name>`) or for the next charges (`POST
 * /_simulator/faults`).
 */
export const FAULT_NAMES = [...MODIFICATION_FAULT_NAMES, "once_500", "once_processing_error"] as const;

/** Faults of the hosted page alone: only for the next charges, and only a charge on the page takes them. */
export const PAGE_FAULT_NAMES = ["no_redirect"] as const;

export type FaultName = (typeof FAULT_NAMES)[number] | (typeof PAGE_FAULT_NAMES)[number];

/** What happens to the answer on its way back, whatever it says. */
export type Transport = "normal" | "hang" | "disconnect" | "truncate" | "slow";

/** Which transport a fault uses once the charge is stored. */
export function transportOf(fault: FaultName | undefined): Transport {
  switch (fault) {
    case "timeout_before_charge":
    case "timeout_after_charge":
      return "hang";
    case "disconnect_before_charge":
    case "disconnect_after_charge":
      return "disconnect";
    case "truncated":
      return "truncate";
    case "slow":
      return "slow";
    case "500_before":
    case "500_after_charge":
    case "500_rolled_forward":
    case "429":
    case "html":
    case "once_500":
    case "once_processing_error":
    case "no_redirect":
    case undefined:
      return "normal";
  }
}

/**
 * Whether the fault strikes before the request begins to execute: nothing is charged and nothing is stored.
 */
export function strikesFirst(fault: FaultName): boolean {
  return (
    fault === "timeout_before_charge" ||
    fault === "disconnect_before_charge" ||
    fault === "429" ||
    fault === "html"
  );
}
