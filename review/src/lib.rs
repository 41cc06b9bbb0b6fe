//! Plans on change requests: what `dax ci` does in a pipeline.
//!
//! A pipeline plans what a change touches, says so where people review it, keeps the plans, and
//! after the merge applies just what was reviewed. [`place`] reads the CI context off the
//! environment; what a code host can do is behind [`dax_provider_api::review::SourceControl`]. Of
//! the words of code hosts only those for a change request are known here.

mod annotations;
mod applying;
mod approving;
mod backing;
pub mod comment;
mod deploying;
mod forge;
mod naming;
mod output;
mod parts;
mod pending;
mod place;
mod plans;
mod previews;
mod protecting;
mod publish;
mod saying;
mod scope;
mod showing;

pub use applying::{Applied, ApplyOptions, Carry, Ending, Unreviewed, Waiting, apply};
pub use approving::Lost;
pub use comment::{CommentInput, Content, Frame, Outcome as Deployment, comment as comment_text};
pub use dax_provider_api::review::{
    Annotation, Level, Remote, Sent, SourceControl, Trigger, Watch,
};
pub use forge::{Connect, Forge};
pub use output::Output;
pub use place::{Event, Place, Variable, place};
pub use plans::{Planned, Report, Rules, Verdict};
pub use publish::{Published, review};
pub use scope::{Options, flavour};

use dax_engine::{Engine, EngineError};
use dax_provider_api::ProviderError;
use std::path::Path;

/// Makes the engine for a project's folder.
pub type Open<'o> = &'o dyn Fn(&Path) -> Result<Engine, EngineError>;

/// Is told what happens, a sentence each.
pub type Say<'s> = &'s mut dyn FnMut(&str);

/// Reasons why a pipeline could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ReviewError {
    /// It does not say where it runs, or what for.
    #[error("{0}")]
    Place(String),
    /// The engine cannot do what was asked.
    #[error(transparent)]
    Engine(#[from] EngineError),
    /// The code host cannot be reached, or says no.
    #[error(transparent)]
    Forge(#[from] ProviderError),
    /// A run failed, and the check that says so could not be written.
    #[error("{0}; the check is left in progress: {1}")]
    Hanging(Box<Self>, ProviderError),
    /// A file cannot be written.
    #[error("{path}: {source}")]
    File {
        /// Its path.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
}
