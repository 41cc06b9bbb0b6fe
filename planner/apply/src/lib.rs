//! The applier: carries a plan out, or back.
//!
//! A sans-IO [`machine`] decides what happens next; a [`driver`] does it, and a [`simulate`]d one shows what would
//! happen. An intent is durable before its call is made, an outcome is durable before its dependents start, and
//! every write carries the lease's epoch, so that an old holder's late write is refused.

pub mod approvals;
pub mod driver;
pub mod journal;
pub mod machine;
pub mod operations;
pub mod simulate;
pub mod store;
pub mod world;

pub use driver::{Clock, Driver, Progress};
pub use journal::{Entry, How, Outcome};
pub use machine::Machine;
pub use store::{Holder, Lease, Run, Snapshot, Store, StoreError};
pub use world::{Providers, SecretReader};
