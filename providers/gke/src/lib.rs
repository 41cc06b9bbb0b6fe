//! Google Kubernetes Engine: where a cluster is, and tokens for it by Application Default Credentials.
//!
//! Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest/v1/projects.locations.clusters/get>,
//! <https://cloud.google.com/docs/authentication/application-default-credentials>.

mod helpers;

use dax_core::{Name, Value};
use dax_provider_api::checkout::Checkout;
use dax_provider_api::{Bearer, BoxFuture, Endpoint, Instance, Locator, ProviderError, trust};
use google_cloud_auth::credentials::{AccessTokenCredentials, Builder};
use google_cloud_container_v1::client::ClusterManager;
use google_cloud_container_v1::model::Cluster;
use std::path::Path;
use std::time::Duration;

/// What a token is for: whatever the account may do.
const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// How long a token is used before the library is asked again, which renews it in time.
const LASTS: Duration = Duration::from_secs(30);

/// A cluster as a program names it.
struct Gke {
    name: Name,
    /// `projects/P/locations/L/clusters/C`.
    path: String,
    address: String,
    endpoint: Option<String>,
    credentials: tokio::sync::OnceCell<AccessTokenCredentials>,
}

/// The way to the cluster of an instance of a project in this folder.
///
/// # Errors
/// In a pipeline, the checkout would choose a program or a credential.
/// It does not say which cluster.
pub fn locator(
    instance: &Instance,
    root: &Path,
) -> Result<impl Locator + 'static + use<>, ProviderError> {
    if let Some(checkout) = Checkout::of_pipeline(root) {
        helpers::check(&checkout, &|name| std::env::var_os(name)).map_err(|message| {
            ProviderError::Refused { message: format!("`{}`: {message}", instance.name) }
        })?;
    }
    let text = |name: &str| {
        instance.config.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
    };
    let must = |name: &str| {
        text(name).ok_or_else(|| ProviderError::Refused {
            message: format!("`{}`: say which `{name}`", instance.name),
        })
    };
    if let Some(endpoint) = text("endpoint").filter(|url| !trust::is_trusted(url, &is_gke)) {
        let message = format!(
            "`{}`: {endpoint} is not Google's, and only the program says that your token for Google Cloud is to be sent \
             there; if it is meant, say {}={endpoint}",
            instance.name,
            trust::VARIABLE
        );
        return Err(ProviderError::Refused { message });
    }
    Ok(Gke {
        name: instance.name.clone(),
        path: format!(
            "projects/{}/locations/{}/clusters/{}",
            must("project")?,
            must("location")?,
            must("cluster")?
        ),
        address: text("address").unwrap_or("public").to_owned(),
        endpoint: text("endpoint").map(str::to_owned),
        credentials: tokio::sync::OnceCell::new(),
    })
}

/// Whether a host is the API of GKE: global, of a region, or through Private Service Connect.
/// Source: <https://cloud.google.com/kubernetes-engine/docs/reference/rest>,
/// <https://cloud.google.com/vpc/docs/about-accessing-google-apis-endpoints>.
fn is_gke(host: &str) -> bool {
    let Some(name) = host.strip_suffix(".googleapis.com") else { return false };
    name == "container"
        || (name.ends_with("-container") && !name.contains('.'))
        || (name.starts_with("container.") && name.ends_with(".rep"))
        || (name.starts_with("container-") && name.ends_with(".p"))
}

impl Gke {
    fn refused(&self, message: &str) -> ProviderError {
        ProviderError::Refused { message: format!("`{}`: {message}", self.name) }
    }

    async fn credentials(&self) -> Result<&AccessTokenCredentials, ProviderError> {
        let build =
            || async { Builder::default().with_scopes([SCOPE]).build_access_token_credentials() };
        let help = "run `gcloud auth application-default login`, set GOOGLE_APPLICATION_CREDENTIALS, or give the machine a service account";
        self.credentials
            .get_or_try_init(build)
            .await
            .map_err(|error| self.refused(&format!("no Google credentials: {error}; {help}")))
    }

    async fn describe(&self) -> Result<Endpoint, ProviderError> {
        let credentials = self.credentials().await?.clone();
        let mut client = ClusterManager::builder().with_credentials(credentials);
        if let Some(endpoint) = &self.endpoint {
            client = client.with_endpoint(endpoint);
        }
        let client = client.build().await.map_err(|error| self.refused(&error.to_string()))?;
        let found = client.get_cluster().set_name(&self.path).send().await.map_err(|error| {
            let said =
                error.status().map(|status| status.message.clone()).filter(|said| !said.is_empty());
            let said = said.unwrap_or_else(|| error.to_string());
            let message = match error.http_status_code() {
                Some(404) => {
                    format!("`{}`: there is no GKE cluster `{}`: {said}", self.name, self.path)
                }
                _ => format!("`{}`: GKE cannot be asked for `{}`: {said}", self.name, self.path),
            };
            match error.http_status_code() {
                Some(429 | 500..) => ProviderError::Busy { retry_after: None, message },
                Some(_) => ProviderError::Refused { message },
                None if error.is_authentication() => ProviderError::Refused { message },
                None => ProviderError::Unreachable { message },
            }
        })?;
        self.endpoint_of(&found)
    }

    fn endpoint_of(&self, cluster: &Cluster) -> Result<Endpoint, ProviderError> {
        let ways = cluster.control_plane_endpoints_config.as_ref();
        let address = match self.address.as_str() {
            "dns" => ways
                .and_then(|ways| ways.dns_endpoint_config.as_ref())
                .map(|dns| dns.endpoint.clone()),
            "private" => ways
                .and_then(|ways| ways.ip_endpoints_config.as_ref())
                .map(|ip| ip.private_endpoint.clone()),
            _ => Some(cluster.endpoint.clone()),
        };
        let none = || {
            self.refused(&format!(
                "the cluster is {:?} and has no {} address",
                cluster.status, self.address
            ))
        };
        let address = address.filter(|address| !address.is_empty()).ok_or_else(none)?;
        let authority = cluster
            .master_auth
            .as_ref()
            .map(|auth| auth.cluster_ca_certificate.clone())
            .filter(|text| !text.is_empty());
        // Names below gke.goog are vouched for by authorities that every machine knows.
        let authority = authority.filter(|_| self.address != "dns");
        Ok(Endpoint { url: format!("https://{address}"), authority })
    }

    async fn token(&self) -> Result<Bearer, ProviderError> {
        let token = self.credentials().await?.access_token().await.map_err(|error| {
            let message = format!("`{}`: no token: {error}", self.name);
            if error.is_transient() {
                ProviderError::Unreachable { message }
            } else {
                ProviderError::Refused { message }
            }
        })?;
        Ok(Bearer { token: token.token, lasts: LASTS })
    }
}

impl Locator for Gke {
    fn locate(&self) -> BoxFuture<'_, Result<Endpoint, ProviderError>> {
        Box::pin(self.describe())
    }

    fn bearer(&self) -> BoxFuture<'_, Result<Bearer, ProviderError>> {
        Box::pin(self.token())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at_root(instance: &Instance) -> Result<impl Locator + 'static + use<>, ProviderError> {
        locator(instance, Path::new("/"))
    }

    #[test]
    fn only_google_gets_the_token() {
        let at = |endpoint: &str| {
            let config =
                [("project", "p"), ("location", "l"), ("cluster", "c"), ("endpoint", endpoint)];
            let config = config.map(|(name, value)| (Name::new(name), Value::str(value)));
            let config = Value::Map(config.into_iter().collect());
            at_root(&Instance { name: "kubernetes.gke".into(), config, ..Instance::default() })
                .map(drop)
        };
        for endpoint in [
            "https://container.googleapis.com",
            "https://europe-west1-container.googleapis.com",
            "https://container.europe-west3.rep.googleapis.com",
            "https://container-shop.p.googleapis.com",
        ] {
            at(endpoint).unwrap_or_else(|error| panic!("{endpoint}: {error}"));
        }
        for endpoint in [
            "http://container.googleapis.com",
            "https://evil.example",
            "https://container.googleapis.com@evil.example",
            "https://containerxgoogleapis.com",
            "https://storage.googleapis.com",
        ] {
            let refused = at(endpoint).expect_err(endpoint).to_string();
            assert!(refused.contains("is not Google's"), "{refused}");
        }
    }
}
