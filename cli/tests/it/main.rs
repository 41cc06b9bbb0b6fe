//! The real binary with real processes, on ports that nobody uses.

mod agent;
mod basics;
mod conformance;
mod crash;
mod failures;
mod kubernetes;
mod language;
mod lsp;
mod operate;
mod output;
mod project;
mod review;
mod rollout;
mod secrets;
