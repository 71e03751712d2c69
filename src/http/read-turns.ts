/**
 * Limits how many reads begin in one turn of the event loop; the rest begin in the next ones. Otherwise Node
 * handles all requests that a socket delivers at once before anything else: with 100 connections of 100
 * pipelined reads each, a health check or a payment that came a moment later waited four seconds behind
 * 10,000 answers.
 */
export function createReadTurns(begun_per_turn_max: number): (begin: () => void) => void {
  const waiting: (() => void)[] = [];
  let begun = 0;

  const nextTurn = (): void => {
    const some = waiting.splice(0, begun_per_turn_max);
    begun = some.length;
    if (begun > 0) setImmediate(nextTurn);
    for (const begin of some) begin();
  };

  return (begin) => {
    if (begun >= begun_per_turn_max) {
      waiting.push(begin);
      return;
    }
    if (begun === 0) setImmediate(nextTurn);
    begun += 1;
    begin();
  };
}
