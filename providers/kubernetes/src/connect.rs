//! How a cluster is reached: a context of a kubeconfig, the service account of the pod that dax runs in, or what a cloud says.

use crate::api::Api;
use crate::cluster::Cluster;
use crate::keys::Keys;
use crate::kubeconfig::{self, NamedBy};
use dax_core::{Name, Value};
use dax_provider_api::checkout::Checkout;
use dax_provider_api::{Endpoint, Instance, Locator, ProviderError};
use governor::{Quota, RateLimiter};
use kube::client::AuthError;
use kube::config::{KubeConfigOptions, Kubeconfig};
use serde_json::json;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Calls a second where the configuration does not say.
const RATE: u32 = 200;
/// Calls at one time.
pub(crate) const TURNS: usize = 16;
/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Longest wait for a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// A context, with whose word its kubeconfig is.
struct Named {
    context: String,
    /// The default file without a path.
    path: Option<PathBuf>,
    by: NamedBy,
    /// The pipeline's checkout, which decides nothing of what runs.
    checkout: Option<Checkout>,
}

/// What a program says of a cluster.
pub(crate) struct Config {
    name: Name,
    way: Way,
    rate: NonZeroU32,
}

enum Way {
    /// A context of a kubeconfig.
    Context(Named),
    /// The service account of the pod.
    InCluster,
    /// A cloud knows.
    Located(Arc<dyn Locator>),
}

impl Config {
    /// The configuration of an instance; paths are meant from the project's folder.
    pub(crate) fn of(instance: &Instance, root: &Path, by: NamedBy) -> Result<Self, ProviderError> {
        let text = |name: &str| {
            instance.config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
        };
        let in_cluster = instance.config.get("in_cluster") == Some(&Value::Bool(true));
        let way = match text("context") {
            _ if in_cluster => Way::InCluster,
            Some(context) => Way::Context(Named {
                context: context.to_owned(),
                path: text("kubeconfig").map(|path| root.join(path)),
                by,
                checkout: Checkout::of_pipeline(root),
            }),
            None => {
                let message = format!(
                    "`{}`: say which `context` of the kubeconfig, or `in_cluster = true`",
                    instance.name
                );
                return Err(ProviderError::Refused { message });
            }
        };
        Ok(Self { name: instance.name.clone(), way, rate: rate(instance) })
    }

    /// The configuration of an instance whose cluster a cloud knows.
    pub(crate) fn located(instance: &Instance, locator: Arc<dyn Locator>) -> Self {
        Self { name: instance.name.clone(), way: Way::Located(locator), rate: rate(instance) }
    }

    fn refused(&self, message: &str) -> ProviderError {
        ProviderError::Refused { message: format!("`{}`: {message}", self.name) }
    }

    async fn resolve(&self) -> Result<(kube::Config, Option<String>), ProviderError> {
        let Named { context, path, by, checkout } = match &self.way {
            Way::InCluster => {
                let found = kube::Config::incluster()
                    .map_err(|error| self.refused(&format!("dax does not run in a pod: {error}")));
                return Ok((found?, None));
            }
            Way::Located(locator) => {
                return Ok((self.config_at(&locator.locate().await?).await?, None));
            }
            Way::Context(named) => named,
        };
        let found = match path {
            Some(path) => kubeconfig::read(path, context, *by, checkout.as_ref()),
            None => kubeconfig::read_own(context, checkout.as_ref()),
        };
        let found = found.map_err(|error| self.refused(&error))?;
        let known: Vec<&str> = found.contexts.iter().map(|context| context.name.as_str()).collect();
        if !known.contains(&context.as_str()) {
            let meant = dax_core::suggest::nearest(context, known.iter().copied());
            let meant =
                meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(self.refused(&format!(
                "the kubeconfig has no context `{context}`{meant} It has {known}"
            )));
        }
        let options =
            KubeConfigOptions { context: Some(context.clone()), cluster: None, user: None };
        let plugin = plugin(&found, context);
        let config = kube::Config::from_custom_kubeconfig(found, &options)
            .await
            .map_err(|error| self.refused(&chain(&error)))?;
        Ok((config, plugin))
    }

    /// A configuration with the address that a cloud told.
    async fn config_at(&self, endpoint: &Endpoint) -> Result<kube::Config, ProviderError> {
        let mut cluster = json!({"server": endpoint.url});
        if let Some(authority) = &endpoint.authority {
            cluster["certificate-authority-data"] = json!(authority);
        }
        let told = json!({
            "clusters": [{"name": "told", "cluster": cluster}],
            "users": [{"name": "told", "user": {}}],
            "contexts": [{"name": "told", "context": {"cluster": "told", "user": "told"}}],
            "current-context": "told",
        });
        let told: Kubeconfig =
            serde_json::from_value(told).map_err(|error| self.refused(&error.to_string()))?;
        kube::Config::from_custom_kubeconfig(told, &KubeConfigOptions::default())
            .await
            .map_err(|error| self.refused(&chain(&error)))
    }
}

fn rate(instance: &Instance) -> NonZeroU32 {
    let rate = instance.config.get("rate").and_then(Value::as_f64).map(f64::round);
    // A program's rate is positive and far below this.
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
    let rate = rate.map_or(RATE, |rate| rate.clamp(1.0, 100_000.0) as u32);
    NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN)
}

/// The program that proves who asks, if the context has one.
fn plugin(found: &Kubeconfig, context: &str) -> Option<String> {
    kubeconfig::user(found, context)?.exec.as_ref()?.command.clone()
}

/// An error with what caused it.
pub(crate) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let more = inner.to_string();
        if !text.contains(&more) {
            text = format!("{text}: {more}");
        }
        source = inner.source();
    }
    text
}

/// An error of a client. What a plugin printed is left out: it may be a token, or all that the job holds.
pub(crate) fn client_error(error: &(dyn std::error::Error + 'static)) -> String {
    let mut next = Some(error);
    while let Some(one) = next {
        match one.downcast_ref() {
            Some(AuthError::AuthExecRun { out, .. }) => {
                let status = out.status;
                return format!(
                    "the plugin for its token failed ({status}): run it by hand to see why"
                );
            }
            Some(AuthError::AuthExecParse(_) | AuthError::ParseTokenKey(_)) => {
                return "the plugin for its token answers with no ExecCredential in JSON"
                    .to_owned();
            }
            _ => next = one.source(),
        }
    }
    chain(error)
}

/// Connects; nothing is sent yet.
pub(crate) async fn connect(config: &Config) -> Result<Cluster, ProviderError> {
    let (mut resolved, plugin) = config.resolve().await?;
    // The applier tries again, and knows whether it may.
    resolved.default_retry = false;
    resolved.connect_timeout = Some(CONNECT_TIMEOUT);
    resolved.read_timeout = None;
    let plugin = plugin
        .map_or_else(String::new, |plugin| format!("; the plugin of its context is `{plugin}`"));
    let client = kube::Client::try_from(resolved)
        .map_err(|error| config.refused(&format!("{}{plugin}", client_error(&error))))?;
    let api = Api {
        name: config.name.to_string(),
        client,
        keys: if let Way::Located(locator) = &config.way {
            Some(Keys::of(locator.clone()))
        } else {
            None
        },
        discovered: tokio::sync::Mutex::default(),
        rate: RateLimiter::direct(Quota::per_second(config.rate)),
        // What waits beside the changes asks, too.
        turns: Semaphore::new(2 * TURNS),
        calls: std::sync::atomic::AtomicU64::new(0),
        timeout: TIMEOUT,
    };
    let (views, namespaces, generations) = Default::default();
    Ok(Cluster { api: Arc::new(api), views, namespaces, generations })
}
