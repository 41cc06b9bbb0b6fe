//! What other tools describe, as programs of dax.
//!
//! What comes out is formatted, meant to be read and kept; what dax has no words for is named in a comment beside what
//! it belongs to, never left out in silence.

mod argo;
mod flagger;
mod kubernetes;
mod metrics;
mod objects;
mod strategy;
mod write;

pub use kubernetes::{Imported, Request, import};
