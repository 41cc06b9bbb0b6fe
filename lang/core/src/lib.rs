//! The vocabulary that every part of dax shares: names, positions, values with units, and diagnostics.
//!
//! Kept small and dull on purpose, because every crate rebuilds when it changes. Nothing here
//! reads a file, a clock or the environment.

pub mod addr;
pub mod diagnostic;
pub mod people;
pub mod printable;
pub mod quantity;
pub mod revision;
pub mod source;
pub mod suggest;
pub mod value;

pub use addr::{ResourceAddr, keyed};
pub use diagnostic::{Code, Diagnostic, Fix, Related, Severity};
pub use quantity::{Quantity, Unit};
pub use revision::RevisionId;
pub use rust_decimal::Decimal;
pub use smol_str::SmolStr as Name;
pub use source::{FileId, Sources, Span};
pub use value::{SecretPart, SecretRef, Unknown, Value};
