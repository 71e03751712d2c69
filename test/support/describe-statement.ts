import type pg from "pg";
import type { Column } from "./row-claims.ts";

/** Has PostgreSQL parse a statement and tell its columns, without running it. Errors: the database's. */
export function describeStatement(client: pg.Client, text: string): Promise<readonly Column[]> {
  return new Promise((resolve, reject) => {
    let columns: readonly Column[] = [];
    client.query({
      submit(connection: pg.Connection) {
        connection.parse({ name: "", text, types: [] }, true);
        connection.describe({ type: "S", name: "" }, true);
        connection.sync();
      },
      handleRowDescription({ fields }: { fields: readonly pg.FieldDef[] }) {
        columns = fields.map(({ name, dataTypeID }) => ({ name, type_oid: dataTypeID }));
      },
      handleReadyForQuery() {
        resolve(columns);
      },
      handleError: reject,
    });
  });
}
