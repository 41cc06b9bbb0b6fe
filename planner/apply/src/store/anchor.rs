//! How new a state was when it was last seen from here, so that an old copy put back is noticed.

use super::head::Head;
use super::{Result, StoreError};
use dax_core::Name;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

/// A file that remembers, by lineage and environment, the highest counter of a head.
pub struct Anchor {
    path: PathBuf,
    seen: Mutex<BTreeMap<String, Seen>>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) counter: u64,
    serial: u64,
}

fn name(lineage: &str, environment: &str) -> String {
    format!("{lineage}/{environment}")
}

impl Anchor {
    /// The anchor of a file; one that is not there or cannot be read has seen nothing.
    pub fn at(path: PathBuf) -> Self {
        let seen = std::fs::read(&path)
            .ok()
            .and_then(|text| serde_json::from_slice(&text).ok())
            .unwrap_or_default();
        Self { path, seen: Mutex::new(seen) }
    }

    pub(super) fn seen(&self, lineage: &Name, environment: &str) -> Option<Seen> {
        self.seen
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&name(lineage, environment))
            .cloned()
    }

    pub(super) fn check(&self, head: &Head, place: &str) -> Result<()> {
        match self.seen(&head.lineage, &head.environment) {
            Some(seen) if head.counter < seen.counter || head.serial < seen.serial => {
                Err(StoreError::Older {
                    place: place.to_owned(),
                    environment: head.environment.to_string(),
                    found: head.counter,
                })
            }
            _ => Ok(()),
        }
    }

    /// Remembers a head. Only states are worth a write: signs of life come often and mean little.
    pub(super) fn note(&self, head: &Head) -> Result<()> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Seen { counter: head.counter, serial: head.serial };
        let before = seen.insert(name(&head.lineage, &head.environment), now);
        if before.is_some_and(|before| before.serial == head.serial) && head.holder.is_some() {
            return Ok(());
        }
        let text = super::json(&*seen);
        let fresh = self.path.with_extension("new");
        let written =
            std::fs::write(&fresh, text).and_then(|()| std::fs::rename(&fresh, &self.path));
        written.map_err(|error| StoreError::Io {
            place: self.path.display().to_string(),
            message: error.to_string(),
        })
    }

    /// Forgets what it saw of an environment.
    pub fn forget(path: &std::path::Path, environment: &str) -> std::io::Result<()> {
        let anchor = Self::at(path.to_owned());
        let mut seen = anchor.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.retain(|name, _| name.split_once('/').is_none_or(|(_, of)| of != environment));
        std::fs::write(path, super::json(&*seen))
    }
}
