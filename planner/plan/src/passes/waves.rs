//! Waves: the instances of one service change one after another, so that a bad revision meets only some of them.
//!
//! An instance of a later wave begins when all of the wave before are done; when one fails, the next wave never begins.

use crate::analysis::hundredths;
use crate::desired::Desired;
use crate::model::Mode;
use crate::passes::order::Waves;
use crate::work::Work;
use dax_core::{ResourceAddr, Value};
use dax_model::WHOLE;
use std::collections::BTreeMap;

/// For each instance that has to wait: those of the wave before its own.
pub(crate) fn waves(
    work: &BTreeMap<ResourceAddr, Work>,
    desired: &Desired<'_>,
    mode: Mode,
) -> Waves {
    let mut groups: BTreeMap<&str, Vec<&ResourceAddr>> = BTreeMap::new();
    if mode == Mode::Apply {
        // What is removed goes at once: no revision is tried out by that.
        for addr in work.keys().filter(|addr| desired.services.contains_key(*addr)) {
            groups.entry(addr.base()).or_default().push(addr);
        }
    }
    let mut all = BTreeMap::new();
    for group in groups.into_values().filter(|group| group.len() > 1) {
        let config = desired.services.get(group[0]).map(|service| &service.strategy.2);
        let size = config
            .and_then(|config| config.get("waves"))
            .and_then(|waves| size(waves, group.len()));
        let waves: Vec<&[&ResourceAddr]> =
            size.map_or_else(Vec::new, |size| group.chunks(size).collect());
        for pair in waves.windows(2) {
            let before: Vec<ResourceAddr> = pair[0].iter().map(|addr| (*addr).clone()).collect();
            all.extend(pair[1].iter().map(|addr| ((*addr).clone(), before.clone())));
        }
    }
    all
}

/// How many instances change at one time; nothing where all do.
fn size(waves: &Value, instances: usize) -> Option<usize> {
    match waves.as_str() {
        Some("one_by_one") => Some(1),
        Some(_) => None,
        None => {
            let share = usize::try_from(hundredths(waves)?).ok()?;
            let whole = usize::try_from(WHOLE).ok()?;
            Some((instances * share).div_ceil(whole).max(1))
        }
    }
}
