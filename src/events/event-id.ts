/**
 * An event's public id: its number with a prefix. Numbers of one subject grow; over all they are in no
 * order.
 */
export const eventIdOf = (event_number: bigint): string => `evt_${event_number}`;

/** The number that an id stands for; undefined: no event can have this id. */
export function eventNumberOf(event_id: string): bigint | undefined {
  const [, digits] = /^evt_([1-9]\d{0,17})$/.exec(event_id) ?? [];
  return digits === undefined ? undefined : BigInt(digits);
}
