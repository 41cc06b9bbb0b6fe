//! How GitHub is reached: octocrab makes requests and proves who asks, our own edge sends them.

use bytes::Bytes;
use dax_provider_api::review::{Credential, Remote};
use dax_provider_api::{BoxFuture, ProviderError};
use dax_provider_client::{Client, Request, Settings};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::cache::HttpCacheLayer;
use octocrab::service::middleware::cache::mem::InMemoryCache;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::sync::Mutex;

/// The version of the API that dax was written for.
/// Source: <https://docs.github.com/en/rest/about-the-rest-api/api-versions>.
const VERSION: &str = "2022-11-28";
/// An installation's token is good for an hour; it is renewed before that.
/// Source: <https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-an-installation-access-token-for-a-github-app>.
const RENEW: Duration = Duration::from_mins(50);

/// What a call needs to be allowed.
pub(crate) type Needs = &'static [(&'static str, &'static str)];

/// Sends what octocrab made.
#[derive(Clone)]
struct Edge(Client);

impl tower_service::Service<http::Request<OctoBody>> for Edge {
    type Response = http::Response<BoxBody<Bytes, octocrab::Error>>;
    type Error = ProviderError;
    type Future = BoxFuture<'static, Result<Self::Response, ProviderError>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), ProviderError>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: http::Request<OctoBody>) -> Self::Future {
        let client = self.0.clone();
        Box::pin(async move {
            let refused = |message: String| ProviderError::Refused {
                message: format!("{}: {message}", client.name()),
            };
            let (parts, body) = request.into_parts();
            let body = body
                .collect()
                .await
                .map_err(|error| refused(error.to_string()))?
                .to_bytes()
                .to_vec();
            let text = |value: &http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
            let headers =
                parts.headers.iter().filter(|(name, _)| *name != http::header::CONTENT_TYPE);
            let path = parts.uri.path();
            let request = Request {
                method: parts.method.to_string(),
                url: parts.uri.to_string(),
                headers: headers.map(|(name, value)| (name.to_string(), text(value))).collect(),
                // To be given a token changes nothing that anybody sees.
                reads: path.ends_with("/access_tokens") || path.starts_with("/login/"),
                body: (!body.is_empty()).then_some(body),
            };
            let answer = client.send(&request).await?;
            let mut response = http::Response::builder().status(answer.status);
            for (name, value) in &answer.headers {
                response = response.header(name, value);
            }
            let body = Full::from(answer.body).map_err(|never| match never {}).boxed();
            response.body(body).map_err(|error| refused(error.to_string()))
        })
    }
}

/// A failed call.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What GitHub answered; nothing when it did not.
    pub(crate) status: Option<u16>,
    /// What it said.
    pub(crate) message: String,
    /// What the applier can act on.
    error: Option<ProviderError>,
}

impl Fault {
    fn of(error: octocrab::Error, what: &str) -> Self {
        match error {
            octocrab::Error::GitHub { source, .. } => {
                let status = source.status_code.as_u16();
                let more: Vec<String> = source.errors.iter().flatten().map(reason).collect();
                let more =
                    if more.is_empty() { String::new() } else { format!(" ({})", more.join("; ")) };
                Self {
                    status: Some(status),
                    message: format!("{}{more}", source.message),
                    error: None,
                }
            }
            octocrab::Error::Service { source, .. } => match source.downcast::<ProviderError>() {
                Ok(error) => Self { status: None, message: error.to_string(), error: Some(*error) },
                Err(source) => {
                    Self { status: None, message: format!("{what}: {source}"), error: None }
                }
            },
            octocrab::Error::Json { source, .. } => Self {
                status: None,
                message: format!("{what} is answered with what dax does not understand: {source}"),
                error: None,
            },
            other => Self { status: None, message: format!("{what}: {other}"), error: None },
        }
    }

    /// Whether it is a no for want of a permission; 401 says that nobody is known by this credential.
    pub(crate) const fn forbidden(&self) -> bool {
        matches!(self.status, Some(403))
    }

    /// Whether it may have been done all the same.
    pub(crate) fn unknown(&self) -> bool {
        self.status.is_some_and(|status| status >= 500)
            || self.error.as_ref().is_some_and(ProviderError::is_unknown)
    }

    /// As an error of a provider.
    pub(crate) fn error(self, doing: &str) -> ProviderError {
        if let Some(error) = self.error {
            return error;
        }
        let message = match self.status {
            Some(401) => format!(
                "GitHub knows nobody by this credential, answering 401 when dax wants to {doing}: {}",
                self.message
            ),
            Some(status) => {
                format!("GitHub answers {status} when dax wants to {doing}: {}", self.message)
            }
            None => format!("dax cannot {doing}: {}", self.message),
        };
        match self.status {
            Some(409) => ProviderError::Conflict { message },
            Some(500..) => ProviderError::Unreachable { message },
            _ => ProviderError::Refused { message },
        }
    }
}

/// What GitHub says of one field: either a text or an object with a code.
fn reason(error: &Json) -> String {
    let text = |name: &str| error.get(name).and_then(Json::as_str);
    match (error.as_str(), text("message"), text("field"), text("code")) {
        (Some(whole), ..) => whole.to_owned(),
        (_, Some(message), ..) => message.to_owned(),
        (_, _, Some(field), Some(code)) => format!("{field}: {code}"),
        _ => error.to_string(),
    }
}

/// A connection with everything that it takes to be allowed things.
pub(crate) struct Connection {
    /// Who asks: the App itself, or whoever has a token.
    base: Octocrab,
    app: Option<App>,
}

struct App {
    owner: String,
    name: String,
    installation: Mutex<Option<u64>>,
    /// Tokens by what they allow, with when they were made.
    tokens: Mutex<BTreeMap<Needs, (Octocrab, Instant)>>,
}

impl Connection {
    /// A connection; nothing is asked yet.
    pub(crate) fn new(remote: &Remote, owner: &str, name: &str) -> Result<Self, ProviderError> {
        let refused =
            |message: String| ProviderError::Refused { message: format!("GitHub: {message}") };
        let client = Client::new(Settings {
            name: "GitHub",
            headers: vec![
                ("accept", "application/vnd.github+json".to_owned()),
                ("x-github-api-version", VERSION.to_owned()),
            ],
            dry: remote.dry,
            patience: remote.patience,
            watch: remote.watch.clone(),
        })?;
        let uri: http::Uri = remote
            .api
            .parse()
            .map_err(|_| refused(format!("`{}` is no address of an API", remote.api)))?;
        let auth = match &remote.credential {
            Credential::None => AuthState::None,
            Credential::Token(token) | Credential::JobToken(token) => {
                AuthState::AccessToken { token: token.clone().into() }
            }
            Credential::Basic(username, password) => {
                AuthState::BasicAuth { username: username.clone(), password: password.clone() }
            }
            Credential::App(id, key, _) => {
                let id = id
                    .trim()
                    .parse::<u64>()
                    .map_err(|_| refused("the App's id is a number".to_owned()))?;
                let key = octocrab::EncodingKey::from_rsa_pem(key.as_bytes());
                let key = key.map_err(|_| {
                    refused("the App's private key is no RSA key in PEM".to_owned())
                })?;
                AuthState::App(octocrab::auth::AppAuth { app_id: id.into(), key })
            }
        };
        let cache = HttpCacheLayer::new(Some(Arc::new(InMemoryCache::new())));
        let builder = OctocrabBuilder::new_empty()
            .with_service(Edge(client))
            .with_layer(&cache)
            .with_layer(&BaseUriLayer::new(uri));
        let base = builder.with_auth(auth).build().map_err(|never| refused(never.to_string()))?;
        let app = match &remote.credential {
            Credential::App(_, _, installation) => Some(App {
                owner: owner.to_owned(),
                name: name.to_owned(),
                installation: Mutex::new(*installation),
                tokens: Mutex::new(BTreeMap::new()),
            }),
            _ => None,
        };
        Ok(Self { base, app })
    }

    /// Whether it is an App that asks.
    pub(crate) const fn is_app(&self) -> bool {
        self.app.is_some()
    }

    /// A client that may do what is needed and no more, where the credential can be narrowed.
    async fn client(&self, needs: Needs) -> Result<Octocrab, Fault> {
        let Some(app) = &self.app else { return Ok(self.base.clone()) };
        // Held while a token is fetched, so that two calls do not fetch two.
        let mut tokens = app.tokens.lock().await;
        if let Some((client, made)) = tokens.get(needs)
            && made.elapsed() < RENEW
        {
            return Ok(client.clone());
        }
        let installation = self.installation(app).await?;
        let permissions: serde_json::Map<String, Json> =
            needs.iter().map(|(name, level)| ((*name).to_owned(), json!(level))).collect();
        let route = format!("/app/installations/{installation}/access_tokens");
        let body = json!({ "repositories": [app.name], "permissions": permissions });
        let token: Token =
            self.base.post(&route, Some(&body)).await.map_err(|error| Fault::of(error, &route))?;
        let client =
            self.base.user_access_token(token.token).map_err(|error| Fault::of(error, &route))?;
        tokens.insert(needs, (client.clone(), Instant::now()));
        Ok(client)
    }

    async fn installation(&self, app: &App) -> Result<u64, Fault> {
        let mut known = app.installation.lock().await;
        if let Some(id) = *known {
            return Ok(id);
        }
        let route = format!("/repos/{}/{}/installation", app.owner, app.name);
        let found: Installation = self.base.get(&route, None::<&()>).await.map_err(|error| {
            let fault = Fault::of(error, &route);
            match fault.status {
                Some(404) => Fault {
                    message: format!("the App is not installed in {}/{}", app.owner, app.name),
                    ..fault
                },
                _ => fault,
            }
        })?;
        *known = Some(found.id);
        Ok(found.id)
    }

    /// What is there.
    pub(crate) async fn get<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
    ) -> Result<T, Fault> {
        self.client(needs)
            .await?
            .get(route, None::<&()>)
            .await
            .map_err(|error| Fault::of(error, route))
    }

    /// What is there, or nothing where nothing is.
    pub(crate) async fn find<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
    ) -> Result<Option<T>, Fault> {
        match self.get(needs, route).await {
            Ok(found) => Ok(Some(found)),
            Err(fault) if fault.status == Some(404) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// All pages of a list.
    pub(crate) async fn all<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
    ) -> Result<Vec<T>, Fault> {
        const PAGE: usize = 100;
        let join = if route.contains('?') { '&' } else { '?' };
        let mut all = Vec::new();
        for page in 1.. {
            let mut more: Vec<T> =
                self.get(needs, &format!("{route}{join}per_page={PAGE}&page={page}")).await?;
            let last = more.len() < PAGE;
            all.append(&mut more);
            if last {
                break;
            }
        }
        Ok(all)
    }

    /// Makes something.
    pub(crate) async fn post<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
        body: &Json,
    ) -> Result<T, Fault> {
        self.client(needs)
            .await?
            .post(route, Some(body))
            .await
            .map_err(|error| Fault::of(error, route))
    }

    /// Tells something that is answered without a body.
    pub(crate) async fn tell(&self, needs: Needs, route: &str, body: &Json) -> Result<(), Fault> {
        let response = self
            .client(needs)
            .await?
            ._post(route, Some(body))
            .await
            .map_err(|error| Fault::of(error, route))?;
        octocrab::map_github_error(response)
            .await
            .map(drop)
            .map_err(|error| Fault::of(error, route))
    }

    /// Changes something.
    pub(crate) async fn patch<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
        body: &Json,
    ) -> Result<T, Fault> {
        self.client(needs)
            .await?
            .patch(route, Some(body))
            .await
            .map_err(|error| Fault::of(error, route))
    }

    /// What the App is, where it is one.
    pub(crate) async fn app_name(&self) -> Result<String, Fault> {
        let app: Named =
            self.base.get("/app", None::<&()>).await.map_err(|error| Fault::of(error, "/app"))?;
        Ok(app.name)
    }
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}
