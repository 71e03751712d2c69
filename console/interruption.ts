/**
 * Aborted by Ctrl-C, a closed terminal or a closed pipe; the second signal of a kind ends the process the hard way.
 * `onSignal` hears of each first one.
 */
export function interruption(onSignal: () => void = () => undefined): AbortSignal {
  const controller = new AbortController();
  process.stdout.on("error", () => controller.abort());
  for (const name of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.once(name, () => {
      onSignal();
      controller.abort();
    });
  }
  return controller.signal;
}
