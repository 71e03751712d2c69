import http from "node:http";
import https from "node:https";
import type { EndpointRecord } from "./records.ts";
import { signatureHeader } from "./webhook-signature.ts";

const ANSWER_TIMEOUT_MS = 20_000;

export interface Agents {
  http: http.Agent;
  https: https.Agent;
}

/** Sends one signed event; true when the endpoint answered 2xx in time. Redirects are not followed. */
export function postEvent(agents: Agents, endpoint: EndpointRecord, body: string): Promise<boolean> {
  const url = new URL(endpoint.url);
  const secure = url.protocol === "https:";
  const headers = {
    "Content-Type": "application/json; charset=utf-8",
    "Content-Length": Buffer.byteLength(body),
    "User-Agent": "Stripe/1.0 (simulator)",
    "Stripe-Signature": signatureHeader(body, endpoint.secret, Math.floor(Date.now() / 1_000)),
  };
  const options = {
    method: "POST",
    headers,
    agent: secure ? agents.https : agents.http,
    timeout: ANSWER_TIMEOUT_MS,
  };
  return new Promise((resolve) => {
    const request = (secure ? https : http).request(url, options, (response) => {
      const { statusCode = 0 } = response;
      response.resume();
      response.on("end", () => resolve(statusCode >= 200 && statusCode < 300));
      response.on("error", () => resolve(false));
    });
    request.on("timeout", () => request.destroy());
    request.on("error", () => resolve(false));
    request.on("close", () => resolve(false));
    request.end(body);
  });
}
