//! The model of what dax manages, shared by plan, machine, journal and providers.
//!
//! Invariant: data only. What a platform is, how it is reached and what a program says stand elsewhere.

pub mod image;
pub mod live;
pub mod operation;
pub mod strategy;

pub use live::{Edit, LiveRevision, LiveService, Route, Traits, WHOLE};
pub use operation::{HookTime, Operation};
pub use strategy::StrategyKind;
