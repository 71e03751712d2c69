import pg from "pg";

const functionCall = /^select\s(?:\*|[\w,\s]+)\sfrom\s+(\w+)\([$\d,\s]*\)$|^select (\w+)\([$\d,\s]*\)$/;

/**
 * A call of one function is parsed and planned once per connection: what it does is planned inside of it, so
 * this plan cannot grow old with the tables. Six such calls are most of a payment's statements; without this
 * a lone payment took 9 % longer.
 */
export function preparedIfCall(statement: pg.QueryConfig): pg.QueryConfig {
  const [, source, called] = functionCall.exec(statement.text) ?? [];
  const name = source ?? called;
  return name === undefined ? statement : { ...statement, name };
}

/**
 * A migration changed the columns of a function that this connection has prepared. Another connection
 * prepares the new form.
 */
export function isOutdatedPlan(thrown: unknown): boolean {
  return thrown instanceof pg.DatabaseError && thrown.routine === "RevalidateCachedQuery";
}
