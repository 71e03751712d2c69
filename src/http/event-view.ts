import { eventIdOf, type EventRow } from "../events/events.ts";
import { formatAmount, toCurrencyCode } from "../money/money.ts";

export function eventView({ event_number, data, ...event }: EventRow) {
  return { object: "event" as const, event_id: eventIdOf(event_number), ...event, data: dataOf(data) };
}

const minor = "_minor";

/** Amounts as decimals of the currency beside them, so that a type that is new here is shown rightly too. */
function dataOf(data: EventRow["data"]): EventRow["data"] {
  const { currency } = data;
  if (typeof currency !== "string") return data;
  const shown = Object.entries(data).map(([name, value]) =>
    name.endsWith(minor) && typeof value === "string"
      ? [
          name === "amount_minor" ? "amount" : `${name.slice(0, -minor.length)}_amount`,
          formatAmount({ amount_minor: BigInt(value), currency: toCurrencyCode(currency) }),
        ]
      : [name, value],
  );
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- of the entries of one
  return Object.fromEntries(shown) as EventRow["data"];
}
