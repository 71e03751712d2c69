/**
 * The door of the PSP room. The door to its adapters is `adapters.ts`, for the settings and the composition
 * root.
 */
export { PspRouter } from "./router.ts";
export type { RoutingFacts } from "./routing-rules.ts";
export { authorization_ended, changeSeenIn } from "./operation-state.ts";
export type {
  Failure,
  FailureClass,
  InquiryOutcome,
  NextAction,
  OperationAnswer,
  OperationOutcome,
  PageOutcome,
  PspOutcome,
  PspReference,
  PspReferenceType,
} from "./port-outcomes.ts";
export type {
  AttemptReport,
  ExternalReport,
  VerifiedWebhook,
  WebhookHeaders,
  WebhookReport,
} from "./port-webhooks.ts";
export type {
  CaptureMethod,
  ChargeRequest,
  Inquiry,
  OperationRequest,
  PageRequest,
  Psp,
  PspPages,
  Turn,
} from "./port.ts";
