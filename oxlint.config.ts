import { defineConfig } from "oxlint";
import { programFolders, roomOverrides } from "./scripts/rooms.ts";

const time = ["Date.now", "performance.now", "process.hrtime", "process.uptime"].map((name) => {
  const [object = "", property = ""] = name.split(".");
  return {
    object,
    property,
    message:
      'House rule "time": only src/clock.ts reads the time; use now() or monotonicMilliseconds() from there.',
  };
});
const environment = {
  object: "process",
  property: "env",
  message: 'House rule "environment": only src/config/config.ts reads the environment; add a setting there.',
};
const globalObject = {
  name: "globalThis",
  message: 'House rules "time" and "environment": name the global itself.',
};
const parseFloatGlobal = {
  name: "parseFloat",
  message: 'House rule "money": no binary fractions; money is bigint minor units.',
};

/** The service and the programs beside it. */
const strict = ["src", ...programFolders].map((folder) => `${folder}/**`);

export default defineConfig({
  options: { typeAware: true, denyWarnings: true, reportUnusedDisableDirectives: "error" },
  plugins: ["eslint", "typescript", "unicorn", "oxc", "import", "node", "vitest"],
  ignorePatterns: ["node_modules/**", ".pacioli/**", "coverage/**"],
  categories: { correctness: "error", suspicious: "error" },
  rules: {
    // Types that tell the truth.
    "typescript/ban-ts-comment": "error",
    "typescript/consistent-type-imports": ["error", { disallowTypeAnnotations: true }],
    "typescript/no-deprecated": "error",
    "typescript/no-dynamic-delete": "error",
    "typescript/no-explicit-any": "error",
    "typescript/no-import-type-side-effects": "error",
    "typescript/no-misused-promises": "error",
    "typescript/no-namespace": "error",
    "typescript/no-non-null-assertion": "error",
    "typescript/no-require-imports": "error",
    "typescript/no-unsafe-argument": "error",
    "typescript/no-unsafe-assignment": "error",
    "typescript/no-unsafe-call": "error",
    "typescript/no-unsafe-function-type": "error",
    "typescript/no-unsafe-member-access": "error",
    "typescript/no-unsafe-return": "error",
    "typescript/only-throw-error": "error",
    "typescript/prefer-nullish-coalescing": "error",
    "typescript/prefer-promise-reject-errors": "error",
    "typescript/require-array-sort-compare": ["error", { ignoreStringArrays: true }],
    "typescript/restrict-plus-operands": "error",
    "typescript/return-await": ["error", "error-handling-correctness-only"],
    "typescript/strict-boolean-expressions": ["error", { allowNullableBoolean: true }],
    "typescript/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
    "typescript/use-unknown-in-catch-callback-variable": "error",

    // Code that says what it does.
    "eslint/default-case-last": "error",
    "eslint/eqeqeq": "error",
    "eslint/no-console": "error",
    "eslint/no-eval": "error",
    "eslint/no-implicit-coercion": "error",
    "eslint/no-new-func": "error",
    "eslint/no-param-reassign": "error",
    "eslint/no-throw-literal": "error",
    "eslint/no-var": "error",
    "eslint/prefer-const": "error",
    "eslint/radix": "error",
    "import/first": "error",
    "import/no-cycle": ["error", { ignoreTypes: false }],
    "import/no-duplicates": "error",
    "import/no-mutable-exports": "error",
    "import/no-default-export": "error",
    "import/no-absolute-path": "error",
    "node/no-exports-assign": "error",
    "unicorn/error-message": "error",
    "unicorn/filename-case": ["error", { case: "kebabCase" }],
    "unicorn/no-abusive-eslint-disable": "error",
    "unicorn/prefer-node-protocol": "error",
    "unicorn/throw-new-error": "error",
    "vitest/no-disabled-tests": "error",
    "vitest/no-focused-tests": "error",
    "vitest/no-identical-title": "error",
    "vitest/valid-expect": ["error", { maxArgs: 2 }],

    // Rules that do not fit: one await after the other is meant; loops end by what a closure changes; a gauge
    // registers itself when it is made; the drivers' default exports are their documented form; handlers of Fastify are async; the compiler checks exhaustive
    // switches without a default; tests assert in functions with names of their own.
    "eslint/no-await-in-loop": "off",
    "eslint/no-new": "off",
    "eslint/no-unmodified-loop-condition": "off",
    "import/no-named-as-default": "off",
    "import/no-named-as-default-member": "off",
    "import/no-unassigned-import": "off",
    "oxc/no-async-endpoint-handlers": "off",
    "typescript/consistent-return": "off",
    "unicorn/consistent-function-scoping": "off",
    "unicorn/no-useless-spread": "off",
    "vitest/expect-expect": "off",
    "vitest/no-conditional-expect": "off",
    "vitest/no-standalone-expect": "off",
    "vitest/require-mock-type-parameters": "off",
  },
  overrides: [
    {
      files: [...strict, "simulator/src/**"],
      rules: { "eslint/max-lines": ["error", { max: 350 }], "typescript/no-unsafe-type-assertion": "error" },
    },
    {
      files: strict,
      rules: {
        "eslint/no-restricted-properties": [
          "error",
          ...time,
          environment,
          { object: "Number", property: "parseFloat", message: parseFloatGlobal.message },
        ],
        "eslint/no-restricted-globals": ["error", globalObject, parseFloatGlobal],
      },
    },
    { files: ["src/clock.ts"], rules: { "eslint/no-restricted-properties": ["error", environment] } },
    { files: ["src/config/config.ts"], rules: { "eslint/no-restricted-properties": ["error", ...time] } },
    // Waiting for processes to start and to end is no business time.
    {
      files: ["src/db/embedded/**"],
      rules: {
        "eslint/no-restricted-properties": [
          "error",
          ...time.filter(({ object }) => object !== "performance"),
          environment,
        ],
      },
    },
    {
      files: ["simulator/src/**"],
      rules: {
        "eslint/no-restricted-properties": [
          "error",
          {
            ...environment,
            message: 'House rule "environment": only simulator/src/main.ts reads the environment.',
          },
        ],
      },
    },
    { files: ["simulator/src/main.ts"], rules: { "eslint/no-restricted-properties": "off" } },
    ...roomOverrides(),
    {
      files: ["**/*.test.ts", "test/**", "simulator/src/testing*.ts", "bench/**", "scripts/**"],
      rules: {
        "eslint/no-restricted-properties": "off",
        "eslint/no-restricted-globals": "off",
        "typescript/no-base-to-string": "off",
        "typescript/no-misused-spread": "off",
        "typescript/prefer-promise-reject-errors": "off",
        "unicorn/no-array-sort": "off",
        "typescript/require-array-sort-compare": "off",
        // Answers of the server under test are JSON of any shape; a wrong guess fails the test.
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-return": "off",
        "typescript/no-unsafe-type-assertion": "off",
      },
    },
    // Plain JavaScript has no types to hold it to.
    {
      files: ["**/*.mjs"],
      rules: {
        "typescript/no-unsafe-argument": "off",
        "typescript/no-unsafe-assignment": "off",
        "typescript/no-unsafe-call": "off",
        "typescript/no-unsafe-member-access": "off",
        "typescript/no-unsafe-return": "off",
        "typescript/strict-boolean-expressions": "off",
      },
    },
    { files: ["simulator/src/testing*.ts"], rules: { "eslint/no-restricted-imports": "off" } },
    { files: ["*.config.ts", "test/support/global-setup.ts"], rules: { "import/no-default-export": "off" } },
  ],
});
