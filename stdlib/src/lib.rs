//! The standard library: modules written in dax and compiled into the binary.
//!
//! The types of services, strategies and of every provider's configuration live here once; the checker,
//! the docs and the provider's own code read the same text.

/// The modules whose types are known everywhere without an import.
pub const PRELUDE: &[&str] = &["std/service", "std/strategy"];

/// Every module by its import path.
const MODULES: &[(&str, &str)] = &[
    ("std/service", include_str!("../std/service.dax")),
    ("std/strategy", include_str!("../std/strategy.dax")),
    ("std/local", include_str!("../std/local.dax")),
    ("std/memory", include_str!("../std/memory.dax")),
];

/// The text of a module.
pub fn module(path: &str) -> Option<&'static str> {
    MODULES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The import paths of all modules.
pub fn paths() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}
