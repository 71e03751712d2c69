/**
 * Where SQL may read the database's clock: these columns are real time. Everything else is business time, which SQL gets
 * as a parameter ("Two clocks" in docs/architecture.md).
 */
const time = String.raw`(now|clock_timestamp)\(\)`;
const timeIn = (before: string): RegExp => new RegExp(String.raw`\b${before}${time}`, "g");

export const realTimes: readonly RegExp[] = [
  // When a row was written, as its history says. The checkouts' own created_at is given by the function that stores them.
  timeIn(
    "(created|updated|received|found|occurred|sent|due|started|removed)_at timestamptz not null default ",
  ),
  timeIn("(updated|processed|last_retry|(status_link_)?revoked)_at = (case [^;]*?)?"),
  // A person's decision about a dead letter.
  timeIn("decided_by = \\$[345], decision_note = \\$[456], decided_at = "),
  // What is booked without a time of its own takes effect in real time, so no later period may be closed.
  timeIn("timestamptz <= "),
  // When entries left.
  timeIn("set detached_at = "),
  // When a snapshot was taken.
  timeIn("v_taken_at := greatest\\("),
  // The ledger's time of recording, taken under the locks.
  timeIn("v_now := "),
  // Leases, queues and back-off wait for processes and PSPs, which nobody can move ahead.
  timeIn("(leased_until|(resolution_)?due_at|next_retry_at) [=<>]+ (greatest\\()?"),
  // What was sent to a PSP when: it forgets keys, and ends requests, in its own time.
  timeIn("(p_)?(key_)?sent_at [=<>]+ (case [^;]*?then )?"),
  // How long ago the books were verified.
  /clock_timestamp\(\) - created_at/g,
  // Work that nobody touched for so long.
  timeIn("updated_at < "),
  // How long an order really is in its state, by its history.
  /\bnow\(\) - t\.occurred_at\b|\bt\.occurred_at < now\(\)|'-infinity'\) < now\(\)/g,
  // From one clock to the other.
  /\bpage_expires_at\) \+ \(now\(\) - \$4::timestamptz\)|\bthen now\(\) else \$5::timestamptz end as until\b/g,
];
