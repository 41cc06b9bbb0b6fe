//! Where the state is kept, and how it is opened.

use crate::{Engine, EngineError, files};
use dax_apply::Store;
use dax_apply::store::{Anchor, Key, Sealed, Sqlite, StoreError, blobs::Blobs};
use dax_provider_api::BoxFuture;
use std::path::PathBuf;
use std::sync::Arc;

/// Opens a place by its address and the project's name; nothing comes back where no such kind of place is built in.
pub type OpenPlace = Box<
    dyn for<'a> Fn(&'a str, &'a str) -> Option<BoxFuture<'a, Result<Arc<dyn Blobs>, StoreError>>>,
>;

/// Where the state is kept.
pub struct StateSource {
    /// Its address; what `dax.mod` says, or a file of the project's own folder, without.
    pub url: Option<String>,
    /// The text of the key that it is sealed with.
    pub key: Option<String>,
    /// Opens places beside the file.
    pub open: OpenPlace,
}

impl StateSource {
    /// A file of the project's own folder, not sealed.
    pub fn local() -> Self {
        Self { url: None, key: None, open: Box::new(|_, _| None) }
    }
}

impl Engine {
    /// The file that remembers how new the state was when it was last seen from here.
    pub(crate) fn anchor_path(&self) -> PathBuf {
        self.folder().join("anchor.json")
    }

    /// Opens the state, making it when it is not there.
    pub(crate) fn store(&self) -> Result<Store, EngineError> {
        let folder = self.folder();
        files::private_folder(&folder)
            .map_err(|source| EngineError::File { path: folder.display().to_string(), source })?;
        let manifest = dax_project::read_manifest(&files::Disk { root: self.root.clone() })?;
        let url =
            self.state.url.clone().or_else(|| manifest.state.as_ref().map(ToString::to_string));
        let blobs: Arc<dyn Blobs> = match url.as_deref() {
            None => Arc::new(Sqlite::open(&folder.join("state.db"))?),
            Some(url) => match url.strip_prefix("file:") {
                Some(path) => Arc::new(Sqlite::open(&self.root.join(path))?),
                None => {
                    let opening = (self.state.open)(url, &manifest.project);
                    let opening =
                        opening.ok_or_else(|| EngineError::NoPlace { url: hide_password(url) })?;
                    self.runtime.block_on(opening)?
                }
            },
        };
        let place = blobs.place();
        let blobs = match &self.state.key {
            None => blobs,
            Some(text) => {
                let key =
                    Key::parse(text).map_err(|message| StoreError::Sealed { place, message })?;
                Arc::new(Sealed::new(blobs, &key))
            }
        };
        Ok(self.runtime.block_on(Store::open(blobs, Some(Anchor::at(self.anchor_path()))))?)
    }
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
