//! Environments that a job asks for by name.
//!
//! A typo in a workflow would be green for ever and apply nothing: a name that no project has is an
//! error.

use crate::previews;
use crate::scope::Options;
use crate::{Open, ReviewError};
use std::collections::BTreeSet;

/// Makes sure that each environment that was asked for by name is one of a project, or was one at
/// `base`.
pub(crate) fn known(
    options: &Options,
    base: Option<&str>,
    open: Open<'_>,
) -> Result<(), ReviewError> {
    if options.environments.is_empty() {
        return Ok(());
    }
    let mut declared = BTreeSet::new();
    for (_, path) in dax_engine::projects(&options.folder)? {
        // What cannot be read is said by whoever plans it, and may have declared any.
        let Ok(found) = open(&path)?.declared_environments() else { return Ok(()) };
        declared.extend(found.into_keys());
    }
    let is_unknown = |name: &&String| {
        !declared.contains(name.as_str()) && !declared.contains(previews::template(name))
    };
    let unknown: Vec<&String> = options.environments.iter().filter(is_unknown).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    // One that the change removes is planned, too.
    let touched = match base {
        Some(base) => dax_engine::affected(&options.folder, base)?,
        None => Vec::new(),
    };
    let is_gone = |name: &str| touched.iter().any(|one| one.environment == *name);
    let Some(name) = unknown.into_iter().find(|name| !is_gone(name)) else { return Ok(()) };
    let there = match declared.is_empty() {
        true => "there are none".to_owned(),
        false => {
            let names: Vec<&str> = declared.iter().map(|name| &**name).collect();
            format!("there are {}", names.join(", "))
        }
    };
    Err(ReviewError::Place(format!("no project here has an environment `{name}`; {there}")))
}
