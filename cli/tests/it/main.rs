//! The real binary with real processes, on ports that nobody uses.

mod agent;
mod approvers;
mod basics;
mod clocks;
mod conditions;
mod conformance;
mod crash;
mod failures;
mod hostile;
mod kubernetes;
mod language;
mod lsp;
mod operate;
mod output;
mod plan_files;
mod project;
mod proxy;
mod review;
mod rollout;
mod secrets;
mod state;
