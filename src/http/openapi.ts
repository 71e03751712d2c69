import type { FastifyDynamicSwaggerOptions } from "@fastify/swagger";

/**
 * Documents the right that a route states: for a scheme other than OAuth it is part of the security
 * requirement.
 */
export const withStatedScope: NonNullable<FastifyDynamicSwaggerOptions["transform"]> = ({
  schema,
  url,
  route,
}) => {
  const scope = route.config?.scope;
  return {
    url,
    schema:
      scope === undefined
        ? schema
        : { ...schema, security: [{ apiKey: [scope] }, { apiKeyAsUser: [scope] }] },
  };
};

/** The head of openapi.json; the rest comes from the routes. */
export const openApiInfo: NonNullable<FastifyDynamicSwaggerOptions["openapi"]> = {
  openapi: "3.1.0",
  info: {
    title: "Pacioli",
    version: "1",
    description:
      "Pay-ins, ledger and sellers' wallets for marketplaces. Answers may gain new fields and values at " +
      "any time.",
    license: { name: "Apache-2.0", identifier: "Apache-2.0" },
  },
  components: {
    securitySchemes: {
      apiKey: { type: "http", scheme: "bearer", description: "An API key." },
      apiKeyAsUser: {
        type: "http",
        scheme: "basic",
        description: "An API key as the user, with an empty password.",
      },
    },
  },
  security: [{ apiKey: [] }, { apiKeyAsUser: [] }],
};
