//! Kubernetes: services as Deployments, their addresses as Services, Ingresses and HTTPRoutes.
//!
//! A revision is a Deployment with what is needed beside it. Everything is written by server-side apply under one
//! field manager, so what others own stays theirs; a ConfigMap for each service remembers what dax was told.

mod api;
mod change;
mod cluster;
mod connect;
mod error;
mod examine;
mod following;
mod handed;
mod jobs;
mod keys;
mod kinds;
mod kubeconfig;
mod lower;
mod names;
mod owned;
mod plugins;
mod problems;
mod quantity;
mod read;
mod settings;
mod status;
mod wait;
mod watching;

use cluster::Cluster;
use dax_core::{Name, Value};
use dax_model::{LiveService, Traits};
use dax_provider_api::{
    BoxFuture, Call, Fact, Instance, Locator, Platform, Provider, ProviderError, Scope,
};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

/// The instance of a program; it is connected to when it is first asked something.
///
/// # Errors
/// Its configuration makes no sense.
pub fn provider(instance: &Instance, root: &Path) -> Result<Provider, ProviderError> {
    Ok(connected(connect::Config::of(instance, root, kubeconfig::NamedBy::Program)?))
}

/// The instance of a program whose cluster a cloud knows the way to.
pub fn located(instance: &Instance, locator: Arc<dyn Locator>) -> Provider {
    connected(connect::Config::located(instance, locator))
}

fn connected(config: connect::Config) -> Provider {
    Provider {
        platform: Some(Arc::new(Kubernetes { config, cluster: tokio::sync::OnceCell::new() })),
        metrics: None,
    }
}

/// What runs in namespaces of the cluster of a context, as one list of objects in JSON; secrets are left where they are.
///
/// # Errors
/// The cluster cannot be reached, or a namespace is not there.
pub async fn objects(
    context: &str,
    kubeconfig: Option<&str>,
    namespaces: &[String],
    root: &Path,
) -> Result<String, ProviderError> {
    let words = [("context", Some(context)), ("kubeconfig", kubeconfig)];
    let config = words
        .into_iter()
        .filter_map(|(name, value)| Some((Name::new(name), Value::str(value?))))
        .collect();
    let instance =
        Instance { name: context.into(), config: Value::Map(config), ..Instance::default() };
    let config = connect::Config::of(&instance, root, kubeconfig::NamedBy::Person)?;
    let cluster = connect::connect(&config).await?;
    read::everything(&cluster, namespaces).await
}

/// A cluster.
struct Kubernetes {
    config: connect::Config,
    cluster: tokio::sync::OnceCell<Cluster>,
}

impl Kubernetes {
    async fn cluster(&self) -> Result<&Cluster, ProviderError> {
        self.cluster.get_or_try_init(|| connect::connect(&self.config)).await
    }
}

/// A call with the environment as labels can hold it.
fn named(call: &Call) -> std::borrow::Cow<'_, Call> {
    let environment = names::of_environment(&call.environment);
    if environment == call.environment {
        std::borrow::Cow::Borrowed(call)
    } else {
        std::borrow::Cow::Owned(Call { environment, ..call.clone() })
    }
}

impl Platform for Kubernetes {
    fn traits(&self) -> Traits {
        Traits {
            header_routes: true,
            mirror: true,
            commands: true,
            commands_once: true,
            fenced: true,
            rolls: true,
            controllers: vec!["flagger".into(), "argo".into()],
            at_once: connect::TURNS,
            exclusive_ports: false,
            immutable: vec!["namespace".into(), "volumes".into(), "workload".into()],
            revised: settings::REVISED.iter().map(|name| Name::new_static(name)).collect(),
            place: Some("namespace".into()),
        }
    }

    fn problems(&self, values: &Value, settings: &BTreeMap<Name, Value>) -> Vec<String> {
        problems::problems(values, settings)
    }

    fn read<'a>(
        &'a self,
        scope: &'a Scope,
    ) -> BoxFuture<'a, Result<BTreeMap<Name, LiveService>, ProviderError>> {
        Box::pin(async move {
            let scope =
                Scope { environment: names::of_environment(&scope.environment), ..scope.clone() };
            read::read(self.cluster().await?, &scope).await
        })
    }

    fn preview<'a>(
        &'a self,
        call: &'a Call,
        settings: &'a BTreeMap<Name, Value>,
    ) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(
            async move { change::preview(self.cluster().await?, &named(call), settings).await },
        )
    }

    fn change<'a>(&'a self, call: &'a Call) -> BoxFuture<'a, Result<(), ProviderError>> {
        Box::pin(async move {
            let changed = change::change(self.cluster().await?, &named(call)).await;
            // An error may hold lines of a log, and what is in them is the program's doing.
            changed.map_err(|error| error.redacted(call.secrets.0.values()))
        })
    }

    fn examine(&self) -> BoxFuture<'_, Result<Vec<Fact>, ProviderError>> {
        Box::pin(async move { examine::examine(self.cluster().await?).await })
    }

    fn calls(&self) -> u64 {
        self.cluster
            .get()
            .map_or(0, |cluster| cluster.calls.load(std::sync::atomic::Ordering::Relaxed))
    }

    fn settle(&self) -> BoxFuture<'_, Result<(), ProviderError>> {
        Box::pin(async { Ok(()) })
    }
}
