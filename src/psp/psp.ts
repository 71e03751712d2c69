/** The door of the PSP room. Adapters are wired by the composition root and imported by nobody else. */
export { PspRouter } from "./router.ts";
export type { RoutingFacts } from "./routing-rules.ts";
export { authorization_ended, changeSeenIn } from "./modification-state.ts";
export type {
  AttemptNews,
  CaptureMethod,
  ChargeRequest,
  ExternalReport,
  Failure,
  FailureClass,
  Inquiry,
  InquiryOutcome,
  NextAction,
  ModificationAnswer,
  ModificationOutcome,
  ModificationRequest,
  PageOutcome,
  PageRequest,
  Psp,
  PspOutcome,
  PspPages,
  Turn,
  VerifiedWebhook,
  WebhookHeaders,
  WebhookNews,
} from "./port.ts";
