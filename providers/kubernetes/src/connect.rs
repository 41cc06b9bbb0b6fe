//! How a cluster is reached: a context of a kubeconfig, or the service account of the pod that dax runs in.

use crate::api::Api;
use crate::cluster::Cluster;
use dax_core::{Name, Value};
use dax_provider_api::{Instance, ProviderError};
use governor::{Quota, RateLimiter};
use kube::config::{KubeConfigOptions, Kubeconfig};
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

/// What a program says of a cluster.
pub(crate) struct Config {
    name: Name,
    context: Option<String>,
    kubeconfig: Option<PathBuf>,
    in_cluster: bool,
    rate: NonZeroU32,
}

impl Config {
    /// The configuration of an instance; paths are meant from the project's folder.
    pub(crate) fn of(instance: &Instance, root: &Path) -> Result<Self, ProviderError> {
        let text = |name: &str| instance.config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let in_cluster = instance.config.get("in_cluster") == Some(&Value::Bool(true));
        let context = text("context").map(str::to_owned);
        if context.is_none() && !in_cluster {
            let message = format!("`{}`: say which `context` of the kubeconfig, or `in_cluster = true`", instance.name);
            return Err(ProviderError::Refused { message });
        }
        let rate = instance.config.get("rate").and_then(Value::as_f64).map(f64::round);
        // A program's rate is positive and far below this.
        #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped before")]
        let rate = rate.map_or(RATE, |rate| rate.clamp(1.0, 100_000.0) as u32);
        Ok(Self {
            name: instance.name.clone(),
            context,
            kubeconfig: text("kubeconfig").map(|path| root.join(path)),
            in_cluster,
            rate: NonZeroU32::new(rate).unwrap_or(NonZeroU32::MIN),
        })
    }

    fn refused(&self, message: &str) -> ProviderError {
        ProviderError::Refused { message: format!("`{}`: {message}", self.name) }
    }

    async fn resolve(&self) -> Result<(kube::Config, Option<String>), ProviderError> {
        if self.in_cluster {
            let found = kube::Config::incluster().map_err(|error| self.refused(&format!("dax does not run in a pod: {error}")));
            return Ok((found?, None));
        }
        let found = match &self.kubeconfig {
            Some(path) => Kubeconfig::read_from(path),
            None => Kubeconfig::read(),
        };
        let found = found.map_err(|error| self.refused(&chain(&error)))?;
        let known: Vec<&str> = found.contexts.iter().map(|context| context.name.as_str()).collect();
        if let Some(context) = &self.context
            && !known.contains(&context.as_str())
        {
            let meant = dax_core::suggest::nearest(context, known.iter().copied());
            let meant = meant.map_or_else(String::new, |meant| format!("; did you mean `{meant}`?"));
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(self.refused(&format!("the kubeconfig has no context `{context}`{meant} It has {known}")));
        }
        let options = KubeConfigOptions { context: self.context.clone(), cluster: None, user: None };
        let plugin = self.plugin(&found);
        let config = kube::Config::from_custom_kubeconfig(found, &options).await.map_err(|error| self.refused(&chain(&error)))?;
        Ok((config, plugin))
    }

    /// The program that proves who asks, if the context has one.
    fn plugin(&self, found: &Kubeconfig) -> Option<String> {
        let context = found.contexts.iter().find(|context| Some(&context.name) == self.context.as_ref())?;
        let user = context.context.as_ref()?.user.as_ref()?;
        let user = found.auth_infos.iter().find(|info| info.name == *user)?;
        user.auth_info.as_ref()?.exec.as_ref()?.command.clone()
    }
}

/// An error with what caused it.
fn chain(error: &dyn std::error::Error) -> String {
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

/// Connects; nothing is sent yet.
pub(crate) async fn connect(config: &Config) -> Result<Cluster, ProviderError> {
    let (mut resolved, plugin) = config.resolve().await?;
    // The applier tries again, and knows whether it may.
    resolved.default_retry = false;
    resolved.connect_timeout = Some(CONNECT_TIMEOUT);
    resolved.read_timeout = None;
    let plugin = plugin.map_or_else(String::new, |plugin| format!("; the plugin of its context is `{plugin}`"));
    let client = kube::Client::try_from(resolved).map_err(|error| config.refused(&format!("{}{plugin}", chain(&error))))?;
    let api = Api {
        name: config.name.to_string(),
        client,
        rate: RateLimiter::direct(Quota::per_second(config.rate)),
        // What waits beside the changes asks, too.
        turns: Semaphore::new(2 * TURNS),
        calls: std::sync::atomic::AtomicU64::new(0),
        timeout: TIMEOUT,
    };
    let (views, namespaces, generations) = Default::default();
    Ok(Cluster { api: Arc::new(api), views, namespaces, generations })
}
