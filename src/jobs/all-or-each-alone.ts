import { AppError } from "../errors.ts";

/**
 * Does the work for all items at once. If that fails, does it for each alone, so that one bad item does not
 * block the others; `onCulprit` gets those that fail again. Gives all results. Errors: `unavailable`.
 */
export async function allOrEachAlone<Item, Result>(
  items: readonly Item[],
  work: (items: readonly Item[]) => Promise<readonly Result[]>,
  onCulprit: (item: Item, error: unknown) => Promise<void>,
): Promise<readonly Result[]> {
  try {
    return await work(items);
  } catch (error) {
    if (error instanceof AppError && error.code === "unavailable") throw error;
  }
  const results: Result[] = [];
  for (const item of items) {
    try {
      results.push(...(await work([item])));
    } catch (error) {
      if (error instanceof AppError && error.code === "unavailable") throw error;
      await onCulprit(item, error);
    }
  }
  return results;
}
