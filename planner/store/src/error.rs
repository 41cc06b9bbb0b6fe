//! Why a store cannot do what was asked.

use dax_core::Name;

/// Why the store cannot do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// It was written by a newer dax.
    #[error(
        "{place} was written by a newer dax (format {found}, this one reads up to {known}); use that version"
    )]
    Newer {
        /// Where it is.
        place: String,
        /// Its format.
        found: i64,
        /// The newest format that this version reads.
        known: i64,
    },
    /// It was written by an earlier dax, whose plans and journals this version does not read.
    #[error(
        "{place} was written by an earlier dax (format {found}, this one reads format {known}); destroy what runs there with \
         that version, or move the state away and take over what still runs with `dax adopt`"
    )]
    Former {
        /// Where it is.
        place: String,
        /// Its format.
        found: i64,
        /// The format that this version reads.
        known: i64,
    },
    /// It is damaged.
    #[error(
        "{place} is damaged: {message}; nothing was changed. Put a copy of it back; where there is none, move it away, run \
         `dax state verify --accept` and take over what still runs with `dax adopt`"
    )]
    Corrupt {
        /// Where it is.
        place: String,
        /// What was found.
        message: String,
    },
    /// It is older than it was when it was last seen here.
    #[error(
        "{place} holds an older state of `{environment}` than this machine has seen (change {found}): somebody put an old copy back. \
         Nothing was changed; if that was meant, run `dax state verify --accept` to go on from it"
    )]
    Older {
        /// Where it is.
        place: String,
        /// The environment.
        environment: String,
        /// How many changes it has.
        found: u64,
    },
    /// It is not where this machine remembers it.
    #[error(
        "{place} holds {}, and this machine remembers a state there{}: lineage {expected}. It was deleted, emptied or \
         replaced. Nothing was changed. Put a copy of it back; or, if it is meant to be gone, run `dax state verify \
         --accept` and take over what still runs with `dax adopt`",
        found_there(found),
        of_environments(environments)
    )]
    Lost {
        /// Where it should be.
        place: String,
        /// Its lineage.
        expected: Name,
        /// The lineage of what is there now.
        found: Option<Name>,
        /// Its environments, as far as they were seen here.
        environments: Vec<Name>,
    },
    /// What this machine remembers of states cannot be used.
    #[error(
        "{path}, where this machine remembers how new the state was, cannot be used: {message}. Nothing was changed; if \
         the state is as it should be, `dax state verify --accept` goes on from it"
    )]
    Anchor {
        /// The file.
        path: String,
        /// Why.
        message: String,
    },
    /// Only the program names it, and it is not to choose where credentials go.
    #[error(
        "the program says that the state is at {place}, and {what}. Nothing was sent or written there: a program does not \
         decide that. Name the place yourself with --state or DAX_STATE, or allow it once for this project on this \
         machine with `dax state trust`"
    )]
    Unbound {
        /// The place, without credentials.
        place: String,
        /// What speaks against it.
        what: String,
    },
    /// Only the program names it, and a pipeline runs.
    #[error(
        "the program says that the state is at {place}, and in a pipeline no program decides that: whoever opens a change \
         request would choose it. Nothing was sent there. Set DAX_STATE in the job (or pass --state), from a secret of the \
         code host"
    )]
    OfProgram {
        /// The place, without credentials.
        place: String,
    },
    /// It can be read and not written.
    #[error("{place} cannot be written: {message}. What only reads it works")]
    ReadOnly {
        /// Where it is.
        place: String,
        /// Why.
        message: String,
    },
    /// There is no state, and none can be made.
    #[error(
        "{place} holds no state yet, and these credentials cannot make one; run `dax plan` once with credentials that may \
         write the state"
    )]
    Absent {
        /// The place.
        place: String,
    },
    /// It has no key of secrets' fingerprints yet, and cannot be written.
    #[error(
        "{place} has no key for fingerprints of secrets yet, and these credentials cannot write one; run `dax plan` once \
         with credentials that may write the state, from then on reading it is enough"
    )]
    NoFingerprintKey {
        /// Where it is.
        place: String,
    },
    /// It is sealed and cannot be opened.
    #[error("{place} is sealed: {message}")]
    Sealed {
        /// Where it is.
        place: String,
        /// Why it cannot be opened.
        message: String,
    },
    /// There is no room.
    #[error(
        "{place} cannot grow, the disk is full; nothing was lost. Make room and run `dax resume`"
    )]
    Full {
        /// Where it is.
        place: String,
    },
    /// Somebody else holds the environment.
    #[error(
        "`{environment}` is being changed by {holder}; wait for it, or let this command wait with --lock-timeout"
    )]
    Held {
        /// The environment.
        environment: String,
        /// Who holds it.
        holder: String,
    },
    /// The lease was lost to somebody else.
    #[error(
        "the lease on `{environment}` was taken over by {holder}; this run stops without another write"
    )]
    Fenced {
        /// The environment.
        environment: String,
        /// Who holds it now.
        holder: String,
    },
    /// It cannot be opened, read or written.
    #[error("{place}: {message}")]
    Io {
        /// Where it is.
        place: String,
        /// Why.
        message: String,
    },
}

fn found_there(found: &Option<Name>) -> String {
    match found {
        Some(lineage) => format!("another state (lineage {lineage})"),
        None => "no state".to_owned(),
    }
}

fn of_environments(environments: &[Name]) -> String {
    match environments {
        [] => String::new(),
        some => {
            let names: Vec<String> = some.iter().map(|name| format!("`{name}`")).collect();
            format!(" of {}", names.join(", "))
        }
    }
}
