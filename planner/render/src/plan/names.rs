//! Names of services in a row.

use crate::shorten;
use dax_core::ResourceAddr;

/// Services that are named of many.
pub(super) const NAMES: usize = 10;

/// Names of services, so many of them.
pub(super) fn names(services: &[&ResourceAddr]) -> String {
    let named = services.iter().take(NAMES).map(|addr| shorten::name(addr.name()));
    let shown: Vec<String> = named.collect();
    let more = services.len().saturating_sub(NAMES);
    let more =
        if more > 0 { format!(" and {} more", shorten::grouped(more)) } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
