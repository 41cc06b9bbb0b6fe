//! dax's own folder of a project, `.dax`: believed only where it was made on this machine for this place.
//!
//! It holds the state and the agent's record, so whoever can put files there decides what runs. A
//! checkout can: a commit may hold a `.dax`, and git overwrites ignored files without a word. So the folder
//! is bound to this machine by a mark that no repository can make, and nothing in it may be tracked.

use crate::{Engine, EngineError, git};
use dax_core::printable::Line;
use dax_files::Private;
use dax_files::machine::{self, Binding};
use std::io::{
    self,
    ErrorKind::{PermissionDenied, ReadOnlyFilesystem},
};
use std::path::Path;

/// The folder's name.
const NAME: &str = ".dax";
/// The key of secrets' fingerprints, where older versions kept it.
const OLD_KEY: &str = "fingerprint.key";
/// The file that keeps it out of git.
const IGNORE: &str = ".gitignore";

impl Engine {
    /// The project's own folder, if there is one.
    ///
    /// # Errors
    /// [`EngineError::ForeignFolder`] where it came with the repository or from elsewhere.
    pub(crate) fn own_folder(&self) -> Result<Option<Private>, EngineError> {
        if let Some(known) = self.own.get() {
            return Ok(Some(known.clone()));
        }
        let Some(folder) = Private::open(&self.root, NAME).map_err(|e| self.own_error(e))? else {
            return Ok(None);
        };
        self.refuse_tracked()?;
        let doubt = match machine::binding(&folder).map_err(|e| self.own_error(e))? {
            Binding::Here => None,
            Binding::Unbound if self.is_new(&folder)? => {
                folder.replace(IGNORE, b"*\n").map_err(|e| self.own_error(e))?;
                machine::bind(&folder).map_err(|e| self.own_error(e))?;
                None
            }
            Binding::Unbound => Some("nothing says that it was made on this machine".to_owned()),
            Binding::Elsewhere(place) if Path::new(&place) == self.folder() => {
                Some("it bears the mark of another machine, user or home folder".to_owned())
            }
            Binding::Elsewhere(place) => {
                Some(format!("it was made for `{}`, on this machine or another", Line::new(&place)))
            }
        };
        if let Some(why) = doubt {
            return Err(EngineError::ForeignFolder { path: self.folder(), why });
        }
        Ok(Some(self.own.get_or_init(|| folder).clone()))
    }

    /// The project's own folder, made where it lacks: of mode 0700, and kept out of git.
    ///
    /// # Errors
    /// As [`Engine::own_folder`], or it cannot be made.
    pub(crate) fn make_own_folder(&self) -> Result<Private, EngineError> {
        if let Some(folder) = self.own_folder()? {
            return Ok(folder);
        }
        // Asked first, so that no folder is left without its mark. Whatever keeps the key away is no matter of the project.
        machine::key().map_err(|error| self.own_error(io::Error::other(error.to_string())))?;
        let make = || -> io::Result<Private> {
            let folder = Private::create(&self.root, NAME)?;
            folder.replace(IGNORE, b"*\n")?;
            machine::bind(&folder)?;
            Ok(folder)
        };
        let folder = make().map_err(|error| self.own_error(error))?;
        Ok(self.own.get_or_init(|| folder).clone())
    }

    /// The key of secrets' fingerprints, which belongs to the state: every clone has the same. One that an older
    /// version made for this clone alone moves into a state that has none, so that nothing looks changed.
    ///
    /// # Errors
    /// The state has none and cannot be written, or it or the older key cannot be read.
    pub(crate) fn fingerprint_key(&self) -> Result<[u8; 32], EngineError> {
        let own = self.own_folder()?;
        let read = |folder: &Private| folder.read(OLD_KEY, 1024);
        let old = own.as_ref().map(read).transpose().map_err(|error| self.own_error(error))?;
        let old = match old.flatten() {
            None => None,
            Some(bytes) => Some(<[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
                let message = format!("`{OLD_KEY}` in it is not 32 bytes: remove it");
                self.own_error(io::Error::new(io::ErrorKind::InvalidData, message))
            })?),
        };
        let store = self.store()?;
        let key = self.runtime.block_on(store.fingerprint_key(old))?;
        if let (Some(own), Some(_)) = (own, old)
            && self.runtime.block_on(store.has_fingerprint_key())?
        {
            match own.remove(OLD_KEY) {
                Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {}
                removed => removed.map_err(|error| self.own_error(error))?,
            }
        }
        Ok(key)
    }

    /// Binds the project's own folder to this machine and place, because a person vouches for it.
    /// Nothing where there is no such folder.
    ///
    /// # Errors
    /// Git tracks something in it, or it cannot be written.
    pub fn trust_own_folder(&self) -> Result<Option<Vec<String>>, EngineError> {
        let Some(folder) = Private::open(&self.root, NAME).map_err(|e| self.own_error(e))? else {
            return Ok(None);
        };
        self.refuse_tracked()?;
        machine::bind(&folder).map_err(|error| self.own_error(error))?;
        folder.names().map(Some).map_err(|error| self.own_error(error))
    }

    fn is_new(&self, folder: &Private) -> Result<bool, EngineError> {
        let names = folder.names().map_err(|error| self.own_error(error))?;
        // Also what an interrupted making left behind.
        Ok(names.iter().all(|name| name == IGNORE || name.ends_with(".next")))
    }

    /// Says no where git would bring or overwrite what is in the folder, or does not say whether it would.
    fn refuse_tracked(&self) -> Result<(), EngineError> {
        let foreign = |why: String| EngineError::ForeignFolder { path: self.folder(), why };
        let listed = git::tracked(&self.root, NAME).map_err(|error| {
            foreign(format!("whether git tracks anything in it cannot be found out: {error}"))
        })?;
        match listed.first() {
            None => Ok(()),
            Some(name) => Err(foreign(format!(
                "git tracks `{}`: `git rm -r --cached {NAME}` takes it out of the repository",
                Line::new(name)
            ))),
        }
    }

    fn own_error(&self, source: io::Error) -> EngineError {
        EngineError::File { path: self.folder().display().to_string(), source }
    }
}
