//! Environments of which there is one for each change request: `environment preview keyed pr`.

use crate::place::{Event, Place};
use dax_engine::Name;
use std::collections::BTreeMap;

/// The declaration that an environment's name belongs to: `preview` for `preview[12]`.
pub(crate) fn template(name: &str) -> &str {
    dax_engine::keyed(name).0
}

/// The change request that a preview belongs to: 12 for `preview[12]`.
pub(crate) fn key(name: &str) -> Option<u64> {
    dax_engine::keyed(name).1?.parse().ok()
}

/// Puts the preview of this change request where its declaration stands, or nothing where there is none.
pub(crate) fn choose(
    environments: &mut BTreeMap<Name, &'static str>,
    declared: &BTreeMap<Name, bool>,
    place: Option<&Place>,
) {
    let keyed: Vec<&Name> =
        declared.iter().filter(|(_, keyed)| **keyed).map(|(name, _)| name).collect();
    for name in keyed {
        let Some(how) = environments.remove(name) else { continue };
        if let Some(Place {
            event: Event::Change { number, fork: false, .. } | Event::Button { number, .. },
            ..
        }) = place
        {
            environments.insert(Name::from(format!("{name}[{number}]")), how);
        }
    }
}
