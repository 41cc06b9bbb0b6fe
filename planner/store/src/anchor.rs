//! What this machine remembers of a state: which one it is and how new it was, so that an old copy, another state
//! or none at all in its place is noticed.

use super::head::Head;
use super::{Result, StoreError};
use dax_core::Name;
use dax_files::Private;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind};
use std::sync::{Mutex, MutexGuard, PoisonError};

const LOCK: &str = "anchor.lock";
/// More than any machine remembers.
const LONGEST: u64 = 64 << 20;
/// The format that this version writes; the first had neither a number nor places.
const FORMAT: u32 = 2;

/// The memory of a machine, asked about the state at one place.
pub struct Anchor {
    folder: Private,
    place: String,
    memory: Mutex<Memory>,
}

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Memory {
    format_version: u32,
    /// The lineage of the state at each place.
    places: BTreeMap<String, Name>,
    /// The newest head that was seen, by lineage and environment.
    seen: BTreeMap<String, Seen>,
}

/// The highest numbers of a head that were seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Seen {
    pub(super) counter: u64,
    serial: u64,
    /// Whether nothing was left of it: then its loss loses no service.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    empty: bool,
}

/// The file in both of its formats.
#[derive(Deserialize)]
#[serde(untagged)]
enum Kept {
    Memory(Memory),
    First(BTreeMap<String, Seen>),
}

fn name(lineage: &str, environment: &str) -> String {
    format!("{lineage}/{environment}")
}

impl Memory {
    /// The memory of a folder; an empty one where there is no file.
    fn read(folder: &Private) -> std::io::Result<Self> {
        let Some(bytes) = folder.read(Anchor::FILE, LONGEST)? else { return Ok(Self::default()) };
        match serde_json::from_slice(&bytes) {
            Ok(Kept::Memory(memory)) if memory.format_version <= FORMAT => Ok(memory),
            Ok(Kept::Memory(memory)) => Err(Error::new(
                ErrorKind::InvalidData,
                format!("it has the format {} of a newer dax", memory.format_version),
            )),
            Ok(Kept::First(seen)) => Ok(Self { seen, ..Self::default() }),
            Err(_) => Err(Error::new(ErrorKind::InvalidData, "it is cut or was changed")),
        }
    }

    /// Changes the memory of a folder; of two who do it at once neither loses anything.
    fn update(folder: &Private, change: impl FnOnce(&mut Self)) -> std::io::Result<Self> {
        let lock = folder.lock_file(LOCK)?;
        lock.lock()?;
        let mut memory = Self::read(folder)?;
        change(&mut memory);
        memory.write(folder)
    }

    fn write(mut self, folder: &Private) -> std::io::Result<Self> {
        self.format_version = FORMAT;
        let text = serde_json::to_vec(&self).map_err(Error::other)?;
        folder.replace(Anchor::FILE, &text)?;
        Ok(self)
    }

    /// The lineages of which it is not known where they are: the first format did not say.
    fn homeless(&self) -> BTreeSet<&str> {
        let lineages = self.seen.keys().filter_map(|key| Some(key.split_once('/')?.0));
        lineages.filter(|lineage| self.places.values().all(|known| known != lineage)).collect()
    }

    /// The lineage that is expected at a place where this one was found, or none.
    fn expected(&self, place: &str, found: Option<&str>) -> Option<Name> {
        if let Some(known) = self.places.get(place) {
            return Some(known.clone());
        }
        let homeless = self.homeless();
        match found {
            Some(found) if homeless.contains(found) => None,
            _ => homeless.first().map(|lineage| Name::from(*lineage)),
        }
    }

    /// Whether a state of this lineage held anything when it was last seen.
    fn matters(&self, lineage: &str) -> bool {
        let mut all = self
            .seen
            .iter()
            .filter(|(key, _)| key.split_once('/').is_some_and(|(of, _)| of == lineage));
        all.any(|(_, seen)| !seen.empty)
    }

    fn environments(&self, lineage: &str) -> Vec<Name> {
        let all = self.seen.keys().filter_map(|key| key.split_once('/'));
        all.filter(|(of, _)| *of == lineage).map(|(_, name)| Name::from(name)).collect()
    }

    fn note(&mut self, place: &str, head: &Head) {
        self.places.insert(place.to_owned(), head.lineage.clone());
        let now = Seen { counter: head.counter, serial: head.serial, empty: false };
        let seen = self.seen.entry(name(&head.lineage, &head.environment)).or_insert(now.clone());
        seen.counter = seen.counter.max(now.counter);
        seen.serial = seen.serial.max(now.serial);
    }
}

fn unusable(folder: &Private, error: &Error) -> StoreError {
    StoreError::Anchor {
        path: folder.path().join(Anchor::FILE).display().to_string(),
        message: error.to_string(),
    }
}

impl Anchor {
    /// The name of the file.
    pub const FILE: &str = "anchor.json";

    /// The memory that a folder keeps, for the state at a place: its address without credentials.
    ///
    /// # Errors
    /// [`StoreError::Anchor`] where it cannot be read: that is not to remember nothing.
    pub fn open(folder: Private, place: &str) -> Result<Self> {
        let memory = Memory::read(&folder).map_err(|error| unusable(&folder, &error))?;
        Ok(Self { folder, place: place.to_owned(), memory: Mutex::new(memory) })
    }

    fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Holds the lineage that was found at the place against the one that is remembered.
    pub(super) fn check_lineage(&self, found: Option<&Name>, place: &str) -> Result<()> {
        let memory = self.memory();
        match memory.expected(&self.place, found.map(Name::as_str)) {
            Some(expected) if found != Some(&expected) && memory.matters(&expected) => {
                Err(StoreError::Lost {
                    place: place.to_owned(),
                    found: found.cloned(),
                    environments: memory.environments(&expected),
                    expected,
                })
            }
            _ => Ok(()),
        }
    }

    /// The environments of a lineage that were seen.
    pub(super) fn environments(&self, lineage: &Name) -> Vec<Name> {
        self.memory().environments(lineage)
    }

    pub(super) fn seen(&self, lineage: &Name, environment: &str) -> Option<Seen> {
        self.memory().seen.get(&name(lineage, environment)).cloned()
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
        let mut memory = self.memory();
        let before = memory.seen.get(&name(&head.lineage, &head.environment)).cloned();
        let placed = memory.places.get(&self.place) == Some(&head.lineage);
        memory.note(&self.place, head);
        let same = before.is_some_and(|before| before.serial == head.serial);
        if placed && same && head.holder.is_some() {
            return Ok(());
        }
        let written = Memory::update(&self.folder, |memory| memory.note(&self.place, head));
        *memory = written.map_err(|error| unusable(&self.folder, &error))?;
        Ok(())
    }

    /// Remembers whether anything is left of an environment.
    pub(super) fn note_contents(&self, head: &Head, empty: bool) -> Result<()> {
        let key = name(&head.lineage, &head.environment);
        let mut memory = self.memory();
        if memory.seen.get(&key).is_none_or(|seen| seen.empty == empty) {
            return Ok(());
        }
        let change = |memory: &mut Memory| {
            memory.seen.entry(key).and_modify(|seen| seen.empty = empty);
        };
        let written = Memory::update(&self.folder, change);
        *memory = written.map_err(|error| unusable(&self.folder, &error))?;
        Ok(())
    }

    /// Forgets what it saw of an environment, or of the whole state at a place, because a person says that what is
    /// there now is right. A memory that cannot be read begins anew.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn forget(folder: &Private, place: &str, environment: Option<&str>) -> std::io::Result<()> {
        let lock = folder.lock_file(LOCK)?;
        lock.lock()?;
        let mut memory = Memory::read(folder).or_else(|error| match error.kind() {
            ErrorKind::InvalidData => Ok(Memory::default()),
            _ => Err(error),
        })?;
        match environment {
            Some(environment) => memory
                .seen
                .retain(|key, _| key.split_once('/').is_none_or(|(_, of)| of != environment)),
            None => {
                let mut gone: BTreeSet<String> =
                    memory.homeless().into_iter().map(str::to_owned).collect();
                gone.extend(memory.places.remove(place).map(|lineage| lineage.to_string()));
                memory
                    .seen
                    .retain(|key, _| key.split_once('/').is_some_and(|(of, _)| !gone.contains(of)));
            }
        }
        memory.write(folder).map(drop)
    }
}
