//! The program here, held against the commit that is checked out.
//!
//! The texts are compared as the language reads them. What git says of a file does not count: rules
//! of line ends make it call files changed that nobody touched, and files unchanged that it was told
//! not to look at.

use crate::conditions::LARGEST_SIGNERS;
use crate::{Engine, EngineError, git};
use dax_project::Loaded;
use dax_store::audit::Commit;
use std::collections::BTreeMap;

/// Texts of a program by the name that messages have for them.
type Texts = BTreeMap<String, Option<String>>;

impl Engine {
    /// The commit that the program here is of; nothing where its texts are another one's, or none's.
    pub(crate) fn own_commit(&self) -> Option<Commit> {
        let (id, at_ms) = git::head(&self.root)?;
        let is_own = matches!(self.differs_from(&id), Ok(None));
        is_own.then(|| Commit { id: id.into(), at_ms })
    }

    /// The first file in which the program here is not that of the commit that is checked out, in
    /// words; nothing where it is.
    ///
    /// # Errors
    /// The project lies in no repository, or it cannot be loaded here.
    pub fn uncommitted(&self) -> Result<Option<String>, EngineError> {
        let found = crate::head_commit(&self.root)?;
        let head = found.ok_or_else(|| EngineError::MissingCommit { commit: "HEAD".to_owned() })?;
        let Some((path, why)) = self.differs_from(&head.id)? else { return Ok(None) };
        let digits = head.id.get(..10).unwrap_or(&head.id);
        Ok(Some(format!("`{path}` {why} commit {digits}, which is checked out")))
    }

    fn differs_from(&self, commit: &str) -> Result<Option<(String, &'static str)>, EngineError> {
        let loaded = dax_project::load(&crate::files::Disk::new(&self.root))?;
        // A file of signers that lacks here is said where it is read.
        let mut here = texts(&loaded);
        if let Some(path) = &loaded.manifest.signers {
            here.insert(path.to_string(), self.signers_of(&loaded.manifest)?);
        }
        let committed = self.committed(commit)?;
        let mut there = Texts::new();
        if let Some(found) = committed.load()? {
            there = texts(&found);
            if let Some(path) = &found.manifest.signers {
                // What cannot be read there is not what is read here.
                let read = committed.read(path, LARGEST_SIGNERS).ok().flatten();
                let text = read.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                there.insert(path.to_string(), text);
            }
        }
        Ok(difference(&here, &there))
    }
}

/// The texts that a program was read from, its manifest and data included.
fn texts(loaded: &Loaded) -> Texts {
    let sources = &loaded.sources;
    let own = sources.ids().filter(|file| !sources.name(*file).starts_with("std/"));
    own.map(|file| (sources.name(file).to_owned(), Some(sources.text(file).to_owned()))).collect()
}

/// The first file by which two programs differ, and how.
fn difference(here: &Texts, there: &Texts) -> Option<(String, &'static str)> {
    // No value depends on how a line ends.
    let plain = |text: &Option<String>| text.as_ref().map(|text| text.replace("\r\n", "\n"));
    here.keys().chain(there.keys()).find_map(|path| match (here.get(path), there.get(path)) {
        (Some(here), Some(there)) if plain(here) == plain(there) => None,
        (Some(_), Some(_)) => Some((path.clone(), "is not what it is in")),
        (Some(_), None) => Some((path.clone(), "is not in")),
        (None, _) => Some((path.clone(), "is not read here, but is part of the program in")),
    })
}
