//! The applier: carries a plan out, or back.
//!
//! A sans-IO [`machine`] decides what happens next; a [`driver`] does it. An intent is durable before its
//! call is made, an outcome is durable before its dependents start, and every write carries the lease's
//! epoch, so that an old holder's late write is refused.

pub mod driver;
pub mod journal;
pub mod machine;
mod operations;
pub mod store;

pub use driver::{Clock, Driver, Progress, Providers, stale};
pub use journal::{Entry, Outcome};
pub use machine::Machine;
pub use operations::operation;
pub use store::{Holder, Lease, Run, Snapshot, Store, StoreError};
