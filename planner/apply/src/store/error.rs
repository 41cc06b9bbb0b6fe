//! Why a store cannot do what was asked.

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
    /// It is damaged.
    #[error(
        "{place} is damaged: {message}; nothing was changed. Restore a copy of it, or move it away and run `dax plan` to see what is adopted"
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
