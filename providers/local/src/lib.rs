//! Services as processes on this machine: the embedded default.
//!
//! An agent outlives the command that started it. It supervises replicas, probes their health,
//! restarts them, divides traffic among revisions with an HTTP proxy, and measures it. This crate
//! holds both ends: [`Local`], the platform that the applier sees, and [`agent`], which does the
//! work.

pub mod agent;
mod channel;
mod client;
pub mod demo;
mod end;
mod home;
mod look;
mod marks;
mod process_id;
mod protocol;
mod record;

pub use client::Local;
pub use end::{Ended, end_everything};
#[doc(hidden)]
pub use protocol::any_request;
#[doc(hidden)]
pub use record::any_bytes as any_record;
