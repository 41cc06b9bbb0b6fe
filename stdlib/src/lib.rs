//! The standard library: modules written in dax and compiled into the binary.
//!
//! The types of services, strategies and of every provider's configuration live here once, and every function
//! that dax can express in itself; the checker, the docs and the provider's own code read the same text.

/// The modules whose types and functions are known everywhere without an import.
pub const PRELUDE: &[&str] = &[
    "std/service",
    "std/strategy",
    "std/environment",
    "std/types",
    "std/text",
    "std/list",
    "std/map",
    "std/math",
    "std/encoding",
    "std/regex",
    "std/version",
    "std/time",
    "std/policy",
];

/// Every module by its import path.
const MODULES: &[(&str, &str)] = &[
    ("std/service", include_str!("../std/service.dax")),
    ("std/environment", include_str!("../std/environment.dax")),
    ("std/strategy", include_str!("../std/strategy.dax")),
    ("std/types", include_str!("../std/types.dax")),
    ("std/text", include_str!("../std/text.dax")),
    ("std/list", include_str!("../std/list.dax")),
    ("std/map", include_str!("../std/map.dax")),
    ("std/math", include_str!("../std/math.dax")),
    ("std/encoding", include_str!("../std/encoding.dax")),
    ("std/regex", include_str!("../std/regex.dax")),
    ("std/version", include_str!("../std/version.dax")),
    ("std/time", include_str!("../std/time.dax")),
    ("std/policy", include_str!("../std/policy.dax")),
    ("std/local", include_str!("../std/local.dax")),
    ("std/memory", include_str!("../std/memory.dax")),
    ("std/kubernetes", include_str!("../std/kubernetes.dax")),
    ("std/prometheus", include_str!("../std/prometheus.dax")),
    ("std/vault", include_str!("../std/vault.dax")),
];

/// The text of a module.
pub fn module(path: &str) -> Option<&'static str> {
    MODULES.iter().find(|(name, _)| *name == path).map(|(_, text)| *text)
}

/// The import paths of all modules.
pub fn paths() -> impl Iterator<Item = &'static str> {
    MODULES.iter().map(|(name, _)| *name)
}
