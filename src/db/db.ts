/** The door of the database room. */
export { Database, isInsideTransaction, isUnavailable, sqlStateOf } from "./database.ts";
export type { DatabaseOptions, Queryable, Timestamp, Transaction } from "./database.ts";
export { ReadDatabase } from "./read-database.ts";
export type { ReadLimits } from "./read-database.ts";
export { GroupCommit } from "./group-commit.ts";
export { numberArray, textArray, wordArray } from "./array-literal.ts";
export { migrate, checkSchema, explainLockTimeout } from "./migrate.ts";
export { beginEpochIfRestored } from "./epoch.ts";
export { checkLogin } from "./check-login.ts";
export { ensureServiceLogin } from "./service-login.ts";
export { findRoles } from "./roles.ts";
export { withClient } from "./client.ts";
export { connectionOf } from "./connection.ts";
