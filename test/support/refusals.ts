import { AppError } from "../../src/errors.ts";

/** Code and field of the refusal, or "taken". */
export function verdictOf(run: () => unknown): string {
  try {
    run();
    return "taken";
  } catch (error) {
    if (error instanceof AppError) return `${error.code} ${error.param ?? ""}`;
    throw error;
  }
}
