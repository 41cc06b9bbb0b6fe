//! The providers that are built in; the only crate that names them all.

use dax_core::Name;
use dax_provider_api::Platform;
use std::path::PathBuf;
use std::sync::Arc;

#[cfg(feature = "local")]
pub use dax_provider_local as local;

/// What a provider may need to know of the project.
#[derive(Clone, Debug)]
pub struct Context {
    /// The project's folder.
    pub root: PathBuf,
    /// Where dax keeps its own files: `.dax`.
    pub folder: PathBuf,
    /// This program.
    pub program: PathBuf,
}

/// The platform of a provider instance such as `local.machine`, or nothing when it is not built in.
pub fn platform(instance: &Name, context: &Context) -> Option<Arc<dyn Platform>> {
    match instance.as_str() {
        "memory.world" => Some(Arc::new(dax_provider_testkit::Memory::at(context.folder.join("memory.json")))),
        other if other.starts_with("memory.") => {
            Some(Arc::new(dax_provider_testkit::Memory::at(context.folder.join(format!("{other}.json")))))
        }
        #[cfg(feature = "local")]
        "local.machine" => Some(Arc::new(local::Local {
            folder: context.folder.join("local"),
            root: context.root.clone(),
            agent: (context.program.clone(), vec!["agent".to_owned()]),
        })),
        _ => None,
    }
}
