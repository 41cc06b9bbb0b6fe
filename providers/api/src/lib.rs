//! What a provider is: capabilities as traits, and errors that the applier can act on.
//!
//! A provider translates and nothing more: ordering, retries, journal and rollback belong to the applier.
//! No type of any system's own library occurs here.

pub mod checkout;
pub mod redact;
pub mod review;
pub mod trust;

use dax_core::{Name, RevisionId, Value};
use dax_model::image::{self, Image};
use dax_model::{LiveService, Operation, Traits};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

/// A future that may move between threads.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One call for one service.
#[derive(Clone, Debug)]
pub struct Call {
    /// The environment.
    pub environment: Name,
    /// What the service is called there.
    pub service: Name,
    /// Where on the platform it is, if the platform has places; empty otherwise.
    pub place: Name,
    /// What is to be done.
    pub operation: Operation,
    /// The fields of the revision with which a command runs; nothing for other operations.
    pub spec: Option<Value>,
    /// Names this call: the same name means the same call, however often it is made.
    pub token: Name,
    /// Who makes it, counted: a platform that can refuses what comes from an earlier holder.
    pub fence: Fence,
    /// What must stand at the paths that it changes, or what stands there when it was done already.
    pub expect: Expect,
    /// How long it may take.
    pub timeout: Duration,
    /// The values of the secrets that the operation needs.
    pub secrets: Secrets,
}

/// Counts the holders of an environment's lease, so that a call that was long on its way is known for what it is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fence {
    /// The identity of the state that counts them.
    pub lineage: Name,
    /// Rises with every holder.
    pub epoch: u64,
}

impl Fence {
    /// Lets a call pass unless a later holder's was seen, and remembers it.
    ///
    /// # Errors
    /// [`ProviderError::Conflict`] for a call of an earlier holder.
    pub fn pass(&self, seen: &mut Option<Self>) -> Result<(), ProviderError> {
        if seen.as_ref().is_some_and(|seen| seen.lineage == self.lineage && seen.epoch > self.epoch)
        {
            return Err(ProviderError::Conflict {
                message: "this call comes from a holder who has lost the lease".to_owned(),
            });
        }
        *seen = Some(self.clone());
        Ok(())
    }
}

/// What a call finds: the object as it was planned from, or as the call leaves it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Expect {
    /// Before.
    pub before: Image,
    /// After.
    pub after: Image,
}

impl Expect {
    /// Whether a live object is as the call needs it: every path as it was before or as it is to be after.
    ///
    /// # Errors
    /// [`ProviderError::Conflict`] names the first path that is neither, with both values.
    pub fn check(&self, live: Option<&LiveService>) -> Result<(), ProviderError> {
        let found = image::image(live);
        let differs = |wanted: &Image, path: &Name| {
            let one: Image = wanted
                .get_key_value(path)
                .map(|(path, value)| (path.clone(), value.clone()))
                .into_iter()
                .collect();
            image::first_difference(&one, &found).map(|(_, before, now)| (before.clone(), now))
        };
        for path in self.before.keys() {
            let Some((before, now)) = differs(&self.before, path) else { continue };
            if !self.after.contains_key(path) || differs(&self.after, path).is_some() {
                return Err(ProviderError::Conflict {
                    message: format!(
                        "`{path}` was {before} when the plan was made, now it is {now}"
                    ),
                });
            }
        }
        Ok(())
    }
}

/// Values of secrets, each by [`dax_core::SecretRef::value_key`]; they show as `***`.
#[derive(Clone, Default)]
pub struct Secrets(pub BTreeMap<Name, String>);

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_map().entries(self.0.keys().map(|name| (name, "***"))).finish()
    }
}

/// A question to a source of metrics about one revision.
#[derive(Clone, Debug)]
pub struct Query {
    /// The environment.
    pub environment: Name,
    /// The service.
    pub service: Name,
    /// The revision.
    pub revision: RevisionId,
    /// The query in the source's own language.
    pub text: Name,
    /// The type that the program gives the metric: `Percent`.
    pub ty: Name,
    /// How far back it looks.
    pub window: Duration,
}

/// Why a call failed, as far as the applier can act on it.
#[derive(Debug, thiserror::Error)]
pub enum ProviderError {
    /// Try again later.
    #[error("{message}")]
    Busy {
        /// When, if the system says so.
        retry_after: Option<Duration>,
        /// What it says.
        message: String,
    },
    /// It will not be done, however often it is asked.
    #[error("{message}")]
    Refused {
        /// Why, and what to do.
        message: String,
    },
    /// The object is not as the call needs it.
    #[error("{message}")]
    Conflict {
        /// What is there instead.
        message: String,
    },
    /// The system cannot be reached, or went away in the middle of the call.
    #[error("{message}")]
    Unreachable {
        /// What was tried.
        message: String,
    },
}

impl ProviderError {
    /// Whether the same call may work later.
    pub const fn is_transient(&self) -> bool {
        matches!(self, Self::Busy { .. } | Self::Unreachable { .. })
    }

    /// Whether the call may have taken effect all the same.
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }

    /// The error with the values of secrets masked in its message, in whatever form they stand there.
    #[must_use]
    pub fn redacted<S: AsRef<str>>(mut self, values: impl IntoIterator<Item = S>) -> Self {
        let (Self::Busy { message, .. }
        | Self::Refused { message }
        | Self::Conflict { message }
        | Self::Unreachable { message }) = &mut self;
        *message = redact::Redactor::new(values).redact(message);
        self
    }

    /// When to try again, if the system said so.
    pub const fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Busy { retry_after, .. } => *retry_after,
            _ => None,
        }
    }
}

/// What of a system is asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Scope {
    /// The environment.
    pub environment: Name,
    /// What is looked for beside what bears the environment's mark, by its name there.
    pub objects: BTreeMap<Name, Sought>,
}

/// Something that may be on a platform although dax did not make it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sought {
    /// Places where it may be.
    pub places: BTreeSet<Name>,
    /// The object itself, where it is one that runs nothing.
    pub object: Option<Value>,
}

/// One thing that is known of a system.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fact {
    /// What is looked at: `Gateway API`.
    pub name: Name,
    /// What was found.
    pub found: Name,
    /// What follows from it, where something a program may ask for does not work.
    pub lacks: Option<String>,
}

/// A system that runs services.
pub trait Platform: Send + Sync {
    /// What it can do beyond what every platform can.
    fn traits(&self) -> Traits;

    /// What keeps a service with these fields and settings from running here; empty when nothing does.
    fn problems(&self, values: &Value, settings: &BTreeMap<Name, Value>) -> Vec<String>;

    /// Every service of an environment as it runs, in as few calls as the system allows.
    fn read<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<BTreeMap<Name, LiveService>, ProviderError>>;

    /// What the system would say to a change of a service with these settings, without making it. A system that cannot
    /// tell says nothing.
    fn preview<'a>(
        &'a self,
        _call: &'a Call,
        _settings: &'a BTreeMap<Name, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Makes one change. A second call with the same operation does nothing.
    fn change<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), ProviderError>>;

    /// Whether it answers, to whom, and what it has: versions, and what can be missing.
    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    /// Calls that were made so far, where calls are worth counting.
    fn calls(&self) -> u64 {
        0
    }

    /// Lets go of what is no longer needed once nothing runs here.
    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>>;
}

/// A system that measures services.
pub trait Metrics: Send + Sync {
    /// A metric of one revision, or nothing when there is no data.
    fn measure<'a>(
        &'a self,
        query: &'a Query,
    ) -> BoxFuture<'a, Result<Option<Value>, ProviderError>>;

    /// As [`Platform::examine`].
    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

/// Where a server is, and how it is known to be the right one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Its address.
    pub url: String,
    /// The certificates of those who may vouch for it, as PEM in base64; those of this machine without.
    pub authority: Option<String>,
}

/// What proves to a server who asks.
#[derive(Clone)]
pub struct Bearer {
    /// The token.
    pub token: String,
    /// How long it is good for from now on.
    pub lasts: Duration,
}

impl std::fmt::Debug for Bearer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bearer").field("token", &"***").field("lasts", &self.lasts).finish()
    }
}

/// A system that knows the way to a server: a cloud that runs clusters.
pub trait Locator: Send + Sync {
    /// Where the server is.
    fn locate(&self) -> BoxFuture<'_, Result<Endpoint, ProviderError>>;

    /// A token that is good now.
    fn bearer(&self) -> BoxFuture<'_, Result<Bearer, ProviderError>>;
}

/// An instance of a provider as a program writes it.
#[derive(Clone, Debug, Default)]
pub struct Instance {
    /// `kubernetes.cluster[eu-west-1]`.
    pub name: Name,
    /// Its configuration.
    pub config: Value,
    /// The values of the secrets in it.
    pub secrets: Secrets,
}

impl Instance {
    /// The provider and its kind: `kubernetes.cluster`.
    pub fn kind(&self) -> &str {
        self.name.split('[').next().unwrap_or_default()
    }
}

/// What an instance of a provider can do.
#[derive(Clone, Default)]
pub struct Provider {
    /// It runs services.
    pub platform: Option<Arc<dyn Platform>>,
    /// It measures services.
    pub metrics: Option<Arc<dyn Metrics>>,
}

impl Provider {
    /// One that runs services and measures them itself.
    pub fn both<P: Platform + Metrics + 'static>(one: P) -> Self {
        let one = Arc::new(one);
        Self { platform: Some(one.clone()), metrics: Some(one) }
    }
}

/// A text as a part of a path or a query of a URL: what has a meaning there is written as its bytes.
/// Source: RFC 3986, section 2.3.
pub fn encode(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}
