//! Where the state is kept, and how it is opened.
//!
//! A person may name any place. What only the program names gets no credentials of the surroundings, and no file
//! outside of the project, until a person has said so on this machine.

use crate::{Engine, EngineError, files, git};
use dax_core::Name;
use dax_files::{Private, machine};
use dax_provider_api::BoxFuture;
use dax_store::Store;
use dax_store::blobs::{Blobs, Credentials};
use dax_store::{Anchor, Key, Sealed, Sqlite, StoreError};
use std::io::ErrorKind::{PermissionDenied, ReadOnlyFilesystem};
use std::path::{Component, Path};
use std::sync::Arc;

/// Opens a place by its address and the project's name, with some credentials or others; nothing comes back where no
/// such kind of place is built in.
pub type OpenPlace = Box<
    dyn for<'a> Fn(
        &'a str,
        &'a str,
        Credentials,
    ) -> Option<BoxFuture<'a, Result<Arc<dyn Blobs>, StoreError>>>,
>;

/// Where the state is kept.
pub struct StateSource {
    /// Its address, as a person gives it; what `dax.mod` says, or a file of the project's own folder, without.
    pub url: Option<String>,
    /// The text of the key that it is sealed with.
    pub key: Option<String>,
    /// Opens places beside the file.
    pub open: OpenPlace,
    /// Whether the program may be a stranger's, as that of a pull request from a fork is: what was allowed once for
    /// this project does not hold for it.
    pub stranger: bool,
    /// Whether a pipeline runs: the program, which is a change request's, names no place but a file of its own project.
    pub pipeline: bool,
}

impl StateSource {
    /// A file of the project's own folder, not sealed.
    pub fn local() -> Self {
        Self {
            url: None,
            key: None,
            open: Box::new(|_, _, _| None),
            stranger: false,
            pipeline: false,
        }
    }
}

/// The file of the project's own folder.
const OWN: &str = "state.db";
/// The purpose of marks that allow the address of a program.
const ALLOWED: &str = "dax state address";

/// An address with whoever gave it.
struct Address {
    url: Option<String>,
    by_person: bool,
    project: Name,
}

impl Engine {
    fn address(&self) -> Result<Address, EngineError> {
        let manifest = dax_project::read_manifest(&files::Disk::new(&self.root))?;
        let said = manifest.state.as_ref().map(ToString::to_string);
        let (url, by_person) = match self.state.url.clone() {
            Some(url) => (Some(url), true),
            None => (said, false),
        };
        Ok(Address { url, by_person, project: manifest.project })
    }

    /// Opens the state, making it when it is not there.
    pub(crate) fn store(&self) -> Result<Store, EngineError> {
        let own = self.own_folder_if_possible()?;
        let (blobs, place) = self.place(own.as_ref())?;
        let blobs = match &self.state.key {
            None => blobs,
            Some(text) => {
                let key = Key::parse(text).map_err(|message| EngineError::NoKey { message })?;
                Arc::new(Sealed::new(blobs, &key)?)
            }
        };
        let anchor = self.memory(own.as_ref())?.map(|memory| Anchor::open(memory, &place));
        let anchor = anchor.transpose()?;
        Ok(self.runtime.block_on(Store::open(blobs, anchor))?)
    }

    /// What this machine remembers of the project's states, outside of the project: what lies beside a state goes with it.
    /// Nothing where it is not there and cannot be made.
    fn memory(&self, own: Option<&Private>) -> Result<Option<Private>, EngineError> {
        let memory = match machine::of_project(&self.root) {
            Err(error) if matches!(error.kind(), PermissionDenied | ReadOnlyFilesystem) => {
                return Ok(None);
            }
            made => made.map_err(memory_error)?,
        };
        // Earlier versions kept it in the project's own folder.
        if let Some(own) = own {
            let move_here = || -> std::io::Result<()> {
                let Some(kept) = own.read(Anchor::FILE, 64 << 20)? else { return Ok(()) };
                if memory.read(Anchor::FILE, 64 << 20)?.is_none() {
                    memory.replace(Anchor::FILE, &kept)?;
                }
                own.remove(Anchor::FILE)
            };
            move_here().map_err(memory_error)?;
        }
        Ok(Some(memory))
    }

    /// The place of the state, and its name in the memory of this machine.
    fn place(&self, own: Option<&Private>) -> Result<(Arc<dyn Blobs>, String), EngineError> {
        let Address { url, by_person, project } = self.address()?;
        let Some(url) = url else {
            let folder = own.map_or_else(|| self.folder(), |own| own.path().to_owned());
            return Ok((Arc::new(Sqlite::open(&folder.join(OWN))?), format!("file:.dax/{OWN}")));
        };
        if self.state.pipeline && !by_person && !url.starts_with("file:") {
            return Err(StoreError::OfProgram { place: hide_password(&url) }.into());
        }
        let allowed = by_person || self.is_allowed(&url);
        if let Some(path) = url.strip_prefix("file:") {
            if !allowed {
                self.refuse_file(path)?;
            }
            return Ok((Arc::new(Sqlite::open(&self.root.join(path))?), url));
        }
        let credentials = if allowed { Credentials::Ambient } else { Credentials::Bound };
        let opening = (self.state.open)(&url, &project, credentials);
        let opening = opening.ok_or_else(|| EngineError::NoPlace { url: hide_password(&url) })?;
        let blobs = self.runtime.block_on(opening)?;
        let place = format!("{} of {project}", blobs.place());
        Ok((blobs, place))
    }

    /// The project's own folder; nothing where it is not there and cannot be made.
    fn own_folder_if_possible(&self) -> Result<Option<Private>, EngineError> {
        if let Some(own) = self.own_folder()? {
            return Ok(Some(own));
        }
        match self.make_own_folder() {
            Err(EngineError::File { source, .. })
                if matches!(source.kind(), PermissionDenied | ReadOnlyFilesystem) =>
            {
                Ok(None)
            }
            made => made.map(Some),
        }
    }

    /// Says no to a file that a program names where only a person may: outside of the project, in a folder that is
    /// no program's, or one that came with it.
    fn refuse_file(&self, path: &str) -> Result<(), EngineError> {
        let unbound = |what: String| {
            Err(EngineError::from(StoreError::Unbound { place: format!("file:{path}"), what }))
        };
        let path = Path::new(path);
        let beneath = path.components().all(|part| matches!(part, Component::Normal(_)));
        if !beneath || dax_files::content(path).is_err() {
            return unbound("that is no place for a program to name".to_owned());
        }
        let folder = self.root.join(path).parent().and_then(|folder| folder.canonicalize().ok());
        if folder.is_some_and(|folder| !folder.starts_with(&self.root)) {
            return unbound("a link leads out of the project there".to_owned());
        }
        let name = path.to_string_lossy();
        match git::tracked(&self.root, &name) {
            Ok(listed) if listed.is_empty() => Ok(()),
            Ok(_) => unbound("the file came with it: git tracks it".to_owned()),
            Err(error) => {
                unbound(format!("whether git tracks the file cannot be found out: {error}"))
            }
        }
    }

    /// The mark that allows the address of this project's program.
    fn mark(&self, url: &str) -> std::io::Result<String> {
        let root = self.root.as_os_str().as_encoded_bytes();
        let mac = machine::mac(ALLOWED, &[root, url.as_bytes()])?;
        Ok(blake3::Hash::from_bytes(mac).to_hex().to_string())
    }

    /// Whether a person has allowed the address that the program names, for this project on this machine.
    fn is_allowed(&self, url: &str) -> bool {
        let found = || -> std::io::Result<bool> {
            let name = self.mark(url)?;
            let Some(folder) = machine::folder()?.sub("states")? else { return Ok(false) };
            Ok(folder.read(&name, 16 * 1024)?.is_some())
        };
        !self.state.stranger && !self.state.pipeline && found().unwrap_or(false)
    }

    /// Allows the address that the program names for the state to get the credentials of this machine, because a
    /// person says so. Gives the address; nothing where the program names none.
    ///
    /// # Errors
    /// The program cannot be read, or this machine's memory not be written.
    pub fn allow_state_address(&self) -> Result<Option<String>, EngineError> {
        let manifest = dax_project::read_manifest(&files::Disk::new(&self.root))?;
        let Some(url) = manifest.state.as_ref().map(ToString::to_string) else { return Ok(None) };
        let keep = || -> std::io::Result<()> {
            let folder = machine::folder()?.create_sub("states")?;
            let text = format!("{}\n{}\n", self.root.display(), hide_password(&url));
            folder.replace(&self.mark(&url)?, text.as_bytes())
        };
        keep().map_err(memory_error)?;
        Ok(Some(hide_password(&url)))
    }

    /// Forgets what this machine remembers of the state, or of one of its environments, because a person says that
    /// what is there now is right.
    pub(crate) fn accept_state(&self, environment: Option<&str>) -> Result<(), EngineError> {
        let own = self.make_own_folder()?;
        let (_, place) = self.place(Some(&own))?;
        let memory = machine::of_project(&self.root).map_err(memory_error)?;
        Anchor::forget(&memory, &place, environment).map_err(memory_error)
    }
}

fn memory_error(source: std::io::Error) -> EngineError {
    EngineError::File { path: "the memory of this machine".to_owned(), source }
}

/// An address without what stands between `:` and `@`.
fn hide_password(url: &str) -> String {
    match (url.find("://"), url.rfind('@')) {
        (Some(scheme), Some(at)) if at > scheme => {
            format!("{}***{}", &url[..scheme + 3], &url[at..])
        }
        _ => url.to_owned(),
    }
}
