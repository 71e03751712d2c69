/** The door of the commands' room, for the programs beside the service: chaos, the demo. */
export { openDatabase } from "./compose.ts";
export { startStack, type Stack } from "./stack.ts";
export { describeChecks, verifyBooks } from "./verify.ts";
