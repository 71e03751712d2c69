import { Type, type Static, type TSchema } from "typebox";
import { DeadLetter } from "../../src/http/schemas/dead-letter.ts";
import { listOf } from "../../src/http/schemas/lists.ts";
import { PaymentOrderDetail } from "../../src/http/schemas/payment-order.ts";
import { UnresolvedOrder } from "../../src/http/schemas/unresolved-order.ts";
import { readJson } from "./checked.ts";
import type { TestStack } from "./stack.ts";

export type OrderDetail = Static<typeof PaymentOrderDetail>;
export type Letter = Static<typeof DeadLetter>;
export type Page = Static<typeof AnyList>;
export type Unresolved = Static<typeof UnresolvedOrder>;

const AnyList = listOf(Type.Record(Type.String(), Type.Unknown()));

/** The body of a GET that must succeed. */
async function get<Schema extends TSchema>(
  stack: TestStack,
  path: string,
  schema: Schema,
): Promise<Static<Schema>> {
  const { status, text } = await stack.call("GET", path);
  if (status !== 200) throw new Error(`GET ${path}: ${status} ${text}`);
  return readJson(text, schema);
}

/** A page of any list. */
export const pageOf = (stack: TestStack, path: string): Promise<Page> => get(stack, path, AnyList);

/** An order with its attempts, operations and history. */
export const orderOf = (stack: TestStack, paymentOrderId: string): Promise<OrderDetail> =>
  get(stack, `/payments/${encodeURIComponent(paymentOrderId)}`, PaymentOrderDetail);

export async function deadLetters(stack: TestStack, query = "limit=100&state=waiting"): Promise<Letter[]> {
  return (await get(stack, `/dead_letters?${query}`, listOf(DeadLetter))).data;
}

/** The dead letters about an order or a message that wait for a decision. */
export async function deadLettersAbout(stack: TestStack, subjectId: string): Promise<Letter[]> {
  return (await deadLetters(stack)).filter(({ subject_id }) => subject_id === subjectId);
}

export async function unresolvedOrders(stack: TestStack): Promise<Unresolved[]> {
  return (await get(stack, "/unresolved_orders?limit=100", listOf(UnresolvedOrder))).data;
}
