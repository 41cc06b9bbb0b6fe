//! Exit codes, and which error has which.

use dax_engine::{EngineError, Outcome, StoreError};

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    Done,
    Error,
    /// Of `plan --detailed-exitcode`, and of `drift`.
    Changes,
    Denied,
    Stale,
    RolledBack,
    NotRolledBack,
    Usage,
    Interrupted,
    /// The reader of the output went away before its end, as SIGPIPE would tell.
    Closed,
}

impl Exit {
    pub(crate) const fn code(self) -> i32 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Changes => 2,
            Self::Denied => 3,
            Self::Stale => 4,
            Self::RolledBack => 5,
            Self::NotRolledBack => 6,
            Self::Usage => 64,
            Self::Interrupted => 130,
            Self::Closed => 141,
        }
    }

    pub(crate) const fn of(outcome: &Outcome) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Done,
            Outcome::RolledBack { .. } => Self::RolledBack,
            Outcome::Stuck { .. }
            | Outcome::Held { .. }
            | Outcome::Diverged { .. }
            | Outcome::Abandoned { .. } => Self::NotRolledBack,
            Outcome::Interrupted => Self::Interrupted,
        }
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) enum CliError {
    Engine(EngineError),
    /// Words of the command line that do not fit.
    Usage(String),
    /// Anything else of the world.
    World(String),
}

impl CliError {
    pub(crate) const fn exit(&self) -> Exit {
        match self {
            Self::Usage(_)
            | Self::Engine(
                EngineError::UnknownEnvironment { .. }
                | EngineError::NeedsKey { .. }
                | EngineError::UnknownParam { .. },
            ) => Exit::Usage,
            Self::Engine(EngineError::Stale { .. } | EngineError::OtherDigest { .. }) => {
                Exit::Stale
            }
            Self::Engine(EngineError::Denied { .. } | EngineError::Policy { .. }) => Exit::Denied,
            Self::Engine(EngineError::Store(StoreError::Fenced { .. })) => Exit::NotRolledBack,
            Self::Engine(EngineError::NothingToDo) => Exit::Done,
            Self::Engine(_) | Self::World(_) => Exit::Error,
        }
    }
}

impl From<EngineError> for CliError {
    fn from(error: EngineError) -> Self {
        Self::Engine(error)
    }
}

impl From<dax_review::ReviewError> for CliError {
    fn from(error: dax_review::ReviewError) -> Self {
        match error {
            dax_review::ReviewError::Engine(error) => Self::Engine(error),
            other => Self::World(other.to_string()),
        }
    }
}

impl From<std::io::Error> for CliError {
    fn from(error: std::io::Error) -> Self {
        Self::World(error.to_string())
    }
}
