import pg from "pg";

/**
 * Fills a migrated database with the rows and the sequences of another one, as restoring a dump does. Both
 * must have the same migrations.
 */
export async function copyDatabase(fromUrl: string, toUrl: string): Promise<void> {
  const from = new pg.Client({ connectionString: fromUrl });
  const to = new pg.Client({ connectionString: toUrl });
  await Promise.all([from.connect(), to.connect()]);
  try {
    await from.query("begin isolation level repeatable read read only");
    await to.query("begin");
    // Neither triggers nor foreign keys.
    await to.query("set local session_replication_role = replica");
    for (const table of await namesOf(from, "relkind = 'r'")) await copyRows(from, to, table);
    for (const sequence of await namesOf(from, "relkind = 'S'")) {
      const { rows } = await from.query<{ last_value: string; is_called: boolean }>(
        `select last_value, is_called from ${sequence}`,
      );
      const [at] = rows;
      await to.query("select setval($1::regclass, $2, $3)", [sequence, at?.last_value, at?.is_called]);
    }
    await to.query("commit");
  } finally {
    await Promise.all([from.end(), to.end()]);
  }
}

async function namesOf(client: pg.Client, condition: string): Promise<string[]> {
  const { rows } = await client.query<{ name: string }>(
    `select quote_ident(relname) as name from pg_class
      where relnamespace = 'public'::regnamespace and relname <> 'schema_migrations' and ${condition}`,
  );
  return rows.map(({ name }) => name);
}

/** Without those that are computed. As JSON: its types are those of the table that it goes to. */
async function copyRows(from: pg.Client, to: pg.Client, table: string): Promise<void> {
  const { rows: columns } = await from.query<{ names: string }>(
    `select string_agg(quote_ident(attname), ', ') as names from pg_attribute
      where attrelid = $1::regclass and attnum > 0 and not attisdropped and attgenerated = ''`,
    [table],
  );
  const names = columns[0]?.names ?? "";
  const { rows } = await from.query<{ rows: string | null }>(
    `select json_agg(to_jsonb(t))::text as rows from only ${table} t`,
  );
  await to.query(`delete from ${table}`);
  await to.query(
    `insert into ${table} (${names}) overriding system value
     select ${names} from json_populate_recordset(null::${table}, $1::json)`,
    [rows[0]?.rows ?? "[]"],
  );
}
