//! Amazon EKS: where a cluster is, and tokens for it.
//!
//! A token is a request to STS that was signed and never sent: whoever gets it sends it and learns who signed. It is made
//! here and holds for a quarter of an hour.
//! Source: <https://github.com/kubernetes-sigs/aws-iam-authenticator#api-authorization-from-outside-a-cluster>.

mod helpers;

use aws_config::sts::AssumeRoleProvider;
use aws_config::{BehaviorVersion, Region, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider};
use aws_sdk_eks::error::ProvideErrorMetadata;
use aws_sigv4::http_request::{
    SignableBody, SignableRequest, SignatureLocation, SigningSettings, sign,
};
use aws_sigv4::sign::v4;
use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use dax_core::{Name, Value};
use dax_provider_api::checkout::Checkout;
use dax_provider_api::{Bearer, BoxFuture, Endpoint, Instance, Locator, ProviderError, trust};
use std::path::Path;
use std::time::{Duration, SystemTime};

/// What a token begins with.
const PREFIX: &str = "k8s-aws-v1.";
/// The header that binds a token to a cluster.
const CLUSTER: &str = "x-k8s-aws-id";
/// The validity that the signature names; STS wants the request within a quarter of an hour whatever it says.
const EXPIRES: Duration = Duration::from_secs(60);
/// How long a token is used: a minute less than it holds.
const LASTS: Duration = Duration::from_secs(14 * 60);

/// A cluster as a program names it.
struct Eks {
    name: Name,
    cluster: String,
    region: Option<String>,
    profile: Option<String>,
    role: Option<String>,
    endpoint: Option<String>,
    sts: Option<String>,
    config: tokio::sync::OnceCell<SdkConfig>,
}

/// The way to the cluster of an instance of a project in this folder.
///
/// # Errors
/// In a pipeline, the checkout would choose a program or a credential.
/// It names no cluster.
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
        instance
            .config
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.is_empty())
            .map(str::to_owned)
    };
    let missing =
        || ProviderError::Refused { message: format!("`{}`: say which `cluster`", instance.name) };
    if let Some(endpoint) = text("endpoint").filter(|url| !trust::is_trusted(url, &is_eks)) {
        // Whoever answers there also says which cluster gets the token.
        let message = format!(
            "`{}`: {endpoint} is not EKS, and only the program says that it is to learn who you are at AWS; if it is meant, \
             say {}={endpoint}",
            instance.name,
            trust::VARIABLE
        );
        return Err(ProviderError::Refused { message });
    }
    Ok(Eks {
        name: instance.name.clone(),
        cluster: text("cluster").ok_or_else(missing)?,
        region: text("region"),
        profile: text("profile"),
        role: text("role"),
        endpoint: text("endpoint"),
        sts: text("sts_endpoint"),
        config: tokio::sync::OnceCell::new(),
    })
}

/// Whether a host is the API of EKS, reached directly or through an endpoint of a VPC.
/// Source: <https://docs.aws.amazon.com/general/latest/gr/eks.html>,
/// <https://docs.aws.amazon.com/eks/latest/userguide/vpc-interface-endpoints.html>.
fn is_eks(host: &str) -> bool {
    let labels = |suffix: &str| host.strip_suffix(suffix).map(|rest| rest.split('.').collect());
    let through: Option<Vec<&str>> =
        labels(".vpce.amazonaws.com").or_else(|| labels(".vpce.amazonaws.com.cn"));
    if let Some(labels) = through {
        return labels.len() >= 2 && labels[labels.len() - 2] == "eks";
    }
    let direct: Option<Vec<&str>> = [".amazonaws.com", ".amazonaws.com.cn", ".api.aws"]
        .iter()
        .find_map(|suffix| labels(suffix));
    direct.is_some_and(|labels| labels.len() == 2 && matches!(labels[0], "eks" | "eks-fips"))
}

impl Eks {
    fn refused(&self, message: &str) -> ProviderError {
        ProviderError::Refused { message: format!("`{}`: {message}", self.name) }
    }

    /// The configuration of this machine, with what the program says beside it.
    async fn config(&self) -> Result<&SdkConfig, ProviderError> {
        let config = self
            .config
            .get_or_init(|| async {
                let mut loader = aws_config::defaults(BehaviorVersion::latest());
                if let Some(region) = &self.region {
                    loader = loader.region(Region::new(region.clone()));
                }
                if let Some(profile) = &self.profile {
                    loader = loader.profile_name(profile);
                }
                let config = loader.load().await;
                let Some(role) = &self.role else { return config };
                let assumed = AssumeRoleProvider::builder(role)
                    .session_name("dax")
                    .configure(&config)
                    .build()
                    .await;
                config
                    .into_builder()
                    .credentials_provider(SharedCredentialsProvider::new(assumed))
                    .build()
            })
            .await;
        if config.region().is_none() {
            return Err(
                self.refused("nothing says which region: write `region`, or set AWS_REGION")
            );
        }
        Ok(config)
    }

    async fn credentials(&self, config: &SdkConfig) -> Result<Credentials, ProviderError> {
        let none = || {
            self.refused("there are no AWS credentials: set AWS_PROFILE, log in with `aws sso login`, or give the machine a role")
        };
        let provider = config.credentials_provider().ok_or_else(none)?;
        provider
            .provide_credentials()
            .await
            .map_err(|error| self.refused(&format!("no AWS credentials: {}", chain(&error))))
    }

    async fn describe(&self) -> Result<Endpoint, ProviderError> {
        let config = self.config().await?;
        self.credentials(config).await?;
        let mut own = aws_sdk_eks::config::Builder::from(config);
        if let Some(endpoint) = &self.endpoint {
            own = own.endpoint_url(endpoint);
        }
        let answer = aws_sdk_eks::Client::from_conf(own.build())
            .describe_cluster()
            .name(&self.cluster)
            .send()
            .await;
        let found = answer.map_err(|error| {
            let region = config.region().map_or("", |region| region.as_ref());
            let text = match (error.code(), error.message()) {
                (Some("ResourceNotFoundException"), _) => {
                    format!("there is no EKS cluster `{}` in {region}", self.cluster)
                }
                (Some(code), Some(message)) => format!("EKS says {code}: {message}"),
                _ => format!(
                    "EKS cannot be asked for the cluster `{}`: {}",
                    self.cluster,
                    chain(&error)
                ),
            };
            let message = format!("`{}`: {text}", self.name);
            let busy = error.code().is_some_and(|code| {
                code.contains("Throttling") || code == "ServiceUnavailableException"
            });
            match () {
                () if busy => ProviderError::Busy { retry_after: None, message },
                () if error.code().is_some() => ProviderError::Refused { message },
                () => ProviderError::Unreachable { message },
            }
        })?;
        let cluster =
            found.cluster().ok_or_else(|| self.refused("EKS told nothing of the cluster"))?;
        let status = cluster.status().map_or("", |status| status.as_str());
        let url = cluster
            .endpoint()
            .ok_or_else(|| self.refused(&format!("the cluster is {status} and has no address")))?;
        let authority = cluster.certificate_authority().and_then(|authority| authority.data());
        Ok(Endpoint { url: url.to_owned(), authority: authority.map(str::to_owned) })
    }

    async fn token(&self) -> Result<Bearer, ProviderError> {
        let config = self.config().await?;
        let credentials = self.credentials(config).await?;
        let region = config.region().map_or("us-east-1", |region| region.as_ref());
        let domain = if region.starts_with("cn-") { "amazonaws.com.cn" } else { "amazonaws.com" };
        let sts = self.sts.clone().unwrap_or_else(|| format!("https://sts.{region}.{domain}"));
        let token = token(&sts, region, &self.cluster, credentials, SystemTime::now())
            .map_err(|message| self.refused(&message))?;
        Ok(Bearer { token, lasts: LASTS })
    }
}

/// An error with what caused it, without what was sent and answered.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = format!("{text}: {inner}");
        source = inner.source();
    }
    text
}

/// A token for a cluster: the signed request, in base64.
fn token(
    sts: &str,
    region: &str,
    cluster: &str,
    credentials: Credentials,
    time: SystemTime,
) -> Result<String, String> {
    let url = format!("{}/?Action=GetCallerIdentity&Version=2011-06-15", sts.trim_end_matches('/'));
    let mut settings = SigningSettings::default();
    settings.signature_location = SignatureLocation::QueryParams;
    settings.expires_in = Some(EXPIRES);
    let identity = credentials.into();
    let params = v4::SigningParams::builder()
        .identity(&identity)
        .region(region)
        .name("sts")
        .time(time)
        .settings(settings);
    let params = params.build().map_err(|error| error.to_string())?.into();
    let headers = std::iter::once((CLUSTER, cluster));
    let request = SignableRequest::new("GET", url.as_str(), headers, SignableBody::Bytes(&[]))
        .map_err(|error| error.to_string())?;
    let (signed, _) = sign(request, &params).map_err(|error| error.to_string())?.into_parts();
    let (_, query) = signed.into_parts();
    let whole =
        query.iter().fold(url, |url, (name, value)| format!("{url}&{name}={}", encoded(value)));
    Ok(format!("{PREFIX}{}", BASE64_URL_SAFE_NO_PAD.encode(whole)))
}

/// A text as the value of a query, by RFC 3986.
fn encoded(text: &str) -> String {
    let one = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(one).collect()
}

impl Locator for Eks {
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

    fn signed(session: Option<&str>) -> Vec<String> {
        let secret = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY";
        let credentials =
            Credentials::new("AKIDEXAMPLE", secret, session.map(str::to_owned), None, "test");
        // 2026-01-02T03:04:05Z
        let time = SystemTime::UNIX_EPOCH + Duration::from_secs(1_767_323_045);
        let token =
            token("https://sts.eu-west-1.amazonaws.com", "eu-west-1", "shop", credentials, time)
                .unwrap();
        let url = BASE64_URL_SAFE_NO_PAD.decode(token.strip_prefix(PREFIX).unwrap()).unwrap();
        let url = String::from_utf8(url).unwrap();
        let (base, query) = url.split_once('?').unwrap();
        assert_eq!(base, "https://sts.eu-west-1.amazonaws.com/");
        let mut pairs: Vec<String> = query.split('&').map(str::to_owned).collect();
        pairs.sort_unstable();
        pairs
    }

    #[test]
    fn only_the_api_of_eks_learns_who_asks() {
        let at = |endpoint: &str| {
            let config = [("cluster", "shop"), ("endpoint", endpoint)];
            let config = config.map(|(name, value)| (Name::new(name), Value::str(value)));
            let config = Value::Map(config.into_iter().collect());
            at_root(&Instance { name: "kubernetes.eks".into(), config, ..Instance::default() })
                .map(drop)
        };
        for endpoint in [
            "https://eks.eu-west-1.amazonaws.com",
            "https://eks.cn-north-1.amazonaws.com.cn",
            "https://eks.eu-west-1.api.aws",
            "https://vpce-0123-abc.eks.eu-west-1.vpce.amazonaws.com",
        ] {
            at(endpoint).unwrap_or_else(|error| panic!("{endpoint}: {error}"));
        }
        for endpoint in [
            "http://eks.eu-west-1.amazonaws.com",
            "https://evil.example",
            "https://0123.gr7.eu-west-1.eks.amazonaws.com",
            "https://abc.execute-api.eu-west-1.amazonaws.com",
            "https://vpce-0123.vpce-svc-1.eu-west-1.vpce.amazonaws.com",
            "https://eks.eu-west-1.amazonaws.com.evil.example",
        ] {
            let refused = at(endpoint).expect_err(endpoint).to_string();
            assert!(refused.contains("is not EKS") && refused.contains("DAX_TRUST="), "{refused}");
        }
    }

    // The signatures are those of botocore 1.44.5 for the same request, credentials and time.
    #[test]
    fn a_token_is_signed_as_another_implementation_signs_it() {
        let common = [
            "Action=GetCallerIdentity",
            "Version=2011-06-15",
            "X-Amz-Algorithm=AWS4-HMAC-SHA256",
            "X-Amz-Credential=AKIDEXAMPLE%2F20260102%2Feu-west-1%2Fsts%2Faws4_request",
            "X-Amz-Date=20260102T030405Z",
            "X-Amz-Expires=60",
        ];
        let signature =
            "X-Amz-Signature=1a557bd0d7a5fc7863b9a5977619e8d5ede05a45735cd8520c91f3ec4002d918";
        let headers = "X-Amz-SignedHeaders=host%3Bx-k8s-aws-id";
        assert_eq!(signed(None), [&common[..], &[signature, headers]].concat());
        let session = "X-Amz-Security-Token=session%2Ftoken%2Bwith%3Dsigns";
        let signature =
            "X-Amz-Signature=061a0d84b93f36950a6ad39374b964042226c489188af2ee9010a32a20b175f8";
        assert_eq!(
            signed(Some("session/token+with=signs")),
            [&common[..], &[session, signature, headers]].concat()
        );
    }
}
