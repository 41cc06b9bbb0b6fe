//! The applier: carries a plan out, or back.
//!
//! A sans-IO machine decides what happens next; a [`driver`] does it. An intent is durable before its call is made,
//! an outcome is durable before its dependents start, and every write carries the lease's epoch, so that an old
//! holder's late write is refused.

pub mod approvals;
pub mod driver;
pub mod operations;
pub mod world;

pub use driver::{Clock, Driver, Progress};
pub use world::{Providers, SecretReader};
