//! What other tools describe, as programs of dax.
//!
//! What comes out is formatted, meant to be read and kept; what dax has no words for is named in a
//! comment beside what it belongs to, never left out in silence. Invariant: a program is made of
//! typed pieces ([`dax_syntax::write`]) and is read again before it is handed out, so no text of a
//! manifest becomes a word, a field or an item of it.

mod amounts;
mod argo;
mod flagger;
mod json;
mod kubernetes;
mod manifests;
mod metrics;
mod objects;
mod strategy;
mod ways;
mod workload;

pub use kubernetes::{Imported, Request, import};
pub use manifests::Manifests;
