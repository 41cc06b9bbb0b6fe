//! Services as processes on this machine: the embedded default.
//!
//! An agent outlives the command that started it. It supervises replicas, probes their health, restarts
//! them, divides traffic among revisions with an HTTP proxy, and measures it. This crate holds both ends:
//! [`Local`], the platform that the applier sees, and [`agent`], which does the work.

pub mod agent;
mod client;
pub mod demo;
mod protocol;

pub use client::Local;
