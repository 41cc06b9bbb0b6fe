//! The providers that are built in; the only crate that names them all.

use dax_provider_api::review::{Remote, SourceControl};
use dax_provider_api::{Instance, Provider, ProviderError};
use std::path::{Path, PathBuf};
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

/// The variable with the folder of worlds in memory that several machines or checkouts share.
const MEMORY: &str = "DAX_MEMORY";

/// What a provider instance such as `local.machine` can do, or nothing when it is not built in.
///
/// # Errors
/// Its configuration makes no sense.
pub fn provider(instance: &Instance, context: &Context) -> Result<Option<Provider>, ProviderError> {
    let memory = |file: String| {
        let shared = std::env::var_os(MEMORY).map(|folder| PathBuf::from(folder).join(&file));
        let own = || dax_provider_testkit::Memory::at(context.folder.join(&file));
        Provider::both(shared.map_or_else(own, dax_provider_testkit::Memory::shared))
    };
    Ok(Some(match instance.kind() {
        "memory.world" => memory("memory.json".to_owned()),
        kind if kind.starts_with("memory.") => memory(format!("{}.json", instance.name)),
        #[cfg(feature = "local")]
        "local.machine" => Provider::both(local::Local {
            folder: context.folder.join("local"),
            root: context.root.clone(),
            agent: (context.program.clone(), vec!["agent".to_owned()]),
        }),
        #[cfg(feature = "kubernetes")]
        "kubernetes.cluster" => dax_provider_kubernetes::provider(instance, &context.root)?,
        #[cfg(feature = "eks")]
        "kubernetes.eks" => dax_provider_kubernetes::located(
            instance,
            Arc::new(dax_provider_eks::locator(instance, &context.root)?),
        ),
        #[cfg(feature = "gke")]
        "kubernetes.gke" => dax_provider_kubernetes::located(
            instance,
            Arc::new(dax_provider_gke::locator(instance, &context.root)?),
        ),
        #[cfg(feature = "prometheus")]
        "prometheus.main" => dax_provider_prometheus::provider(instance)?,
        _ => return Ok(None),
    }))
}

/// A place where changes are reviewed, or nothing when it is not built in. Called inside of a runtime.
///
/// # Errors
/// Its address or its credential makes no sense.
pub fn source_control(remote: &Remote) -> Result<Option<Arc<dyn SourceControl>>, ProviderError> {
    Ok(match remote.kind.as_str() {
        #[cfg(feature = "github")]
        "github" => Some(Arc::new(dax_provider_github::github(remote)?)),
        #[cfg(feature = "gitlab")]
        "gitlab" => Some(Arc::new(dax_provider_gitlab::gitlab(remote)?)),
        #[cfg(feature = "bitbucket")]
        "bitbucket" => Some(Arc::new(dax_provider_bitbucket::bitbucket(remote)?)),
        _ => None,
    })
}

/// Lets somebody log in by a browser: shows a code and where to type it, and waits for the token.
///
/// # Errors
/// The server cannot be reached, the person says no, or GitHub is not built in.
#[cfg_attr(
    not(feature = "github"),
    expect(clippy::unused_async, reason = "there is nothing to wait for")
)]
pub async fn github_login(
    web: &str,
    client: &str,
    scopes: &[String],
    show: &dyn Fn(&str, &str),
) -> Result<String, ProviderError> {
    #[cfg(feature = "github")]
    return dax_provider_github::login(&dax_provider_github::Login { web, client, scopes, show })
        .await;
    #[cfg(not(feature = "github"))]
    {
        let _ = (web, client, scopes, show);
        Err(ProviderError::Refused { message: "GitHub is not built in".to_owned() })
    }
}

/// What runs in namespaces of the cluster of a context, as one list of objects in JSON.
///
/// # Errors
/// The cluster cannot be reached, or Kubernetes is not built in.
#[cfg_attr(
    not(feature = "kubernetes"),
    expect(clippy::unused_async, reason = "there is nothing to wait for")
)]
pub async fn kubernetes_objects(
    context: &str,
    kubeconfig: Option<&str>,
    namespaces: &[String],
    root: &Path,
) -> Result<String, ProviderError> {
    #[cfg(feature = "kubernetes")]
    return dax_provider_kubernetes::objects(context, kubeconfig, namespaces, root).await;
    #[cfg(not(feature = "kubernetes"))]
    {
        let _ = (context, kubeconfig, namespaces, root);
        Err(ProviderError::Refused { message: "Kubernetes is not built in".to_owned() })
    }
}
