//! How GitHub is reached: octocrab makes requests and proves who asks, our own edge sends them.

use crate::fault::Fault;
use bytes::Bytes;
use dax_provider_api::review::{Credential, Remote};
use dax_provider_api::{BoxFuture, ProviderError};
use dax_provider_client::time::http_date;
use dax_provider_client::{Client, Request, Settings};
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use octocrab::service::middleware::base_uri::BaseUriLayer;
use octocrab::service::middleware::cache::HttpCacheLayer;
use octocrab::service::middleware::cache::mem::InMemoryCache;
use octocrab::{AuthState, OctoBody, Octocrab, OctocrabBuilder};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, BTreeSet};
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
                // To be given a token changes nothing that anybody sees, nor does a query.
                reads: path.ends_with("/access_tokens")
                    || path.starts_with("/login/")
                    || path.ends_with("/graphql"),
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

/// A connection with everything that it takes to be allowed things.
pub(crate) struct Connection {
    /// Who asks: the App itself, or whoever has a token.
    base: Octocrab,
    /// The same one, at the address that answers queries.
    queries: Octocrab,
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
        let cache = HttpCacheLayer::new(Some(Arc::new(InMemoryCache::new())));
        let at = |address: &str| {
            let uri: http::Uri = address
                .parse()
                .map_err(|_| refused(format!("`{address}` is no address of an API")))?;
            let builder = OctocrabBuilder::new_empty()
                .with_service(Edge(client.clone()))
                .with_layer(&cache)
                .with_layer(&BaseUriLayer::new(uri));
            builder
                .with_auth(auth(&remote.credential)?)
                .build()
                .map_err(|never| refused(never.to_string()))
        };
        let base = at(&remote.api)?;
        // An Enterprise Server has its API below `/api/v3`, and answers queries at `/api/graphql`.
        let whole = remote.api.trim_end_matches('/');
        let queries = at(whole.strip_suffix("/v3").unwrap_or(whole))?;
        let app = match &remote.credential {
            Credential::App(_, _, installation) => Some(App {
                owner: owner.to_owned(),
                name: name.to_owned(),
                installation: Mutex::new(*installation),
                tokens: Mutex::new(BTreeMap::new()),
            }),
            _ => None,
        };
        Ok(Self { base, queries, app })
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
            let mut fault = Fault::of(error, &route);
            if fault.status == Some(404) {
                fault.message = format!("the App is not installed in {}/{}", app.owner, app.name);
            }
            fault
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

    /// The time of GitHub when it answered, in milliseconds since 1970; nothing where its answer
    /// holds none. Any answer of GitHub has one, also a no.
    pub(crate) async fn date(&self, needs: Needs, route: &str) -> Result<Option<u64>, Fault> {
        let response = self.client(needs).await?._get(route).await;
        let mut response = response.map_err(|error| Fault::of(error, route))?;
        if response.status().is_server_error() {
            response = octocrab::map_github_error(response)
                .await
                .map_err(|error| Fault::of(error, route))?;
        }
        let date = response.headers().get(http::header::DATE);
        Ok(date.and_then(|date| date.to_str().ok()).and_then(http_date))
    }

    /// Answers a query of the account that asks.
    pub(crate) async fn query<T: serde::de::DeserializeOwned>(
        &self,
        query: &str,
    ) -> Result<T, Fault> {
        let body = json!({ "query": query });
        let answer = self.queries.post("/graphql", Some(&body)).await;
        answer.map_err(|error| Fault::of(error, "/graphql"))
    }

    /// All pages of a list of which each page names the next one.
    ///
    /// Only the place in the list is taken of what an answer names, never where to go.
    pub(crate) async fn linked<T: serde::de::DeserializeOwned>(
        &self,
        needs: Needs,
        route: &str,
    ) -> Result<Vec<T>, Fault> {
        let join = if route.contains('?') { '&' } else { '?' };
        let first = format!("{route}{join}per_page=100");
        let (mut all, mut seen) = (Vec::new(), BTreeSet::new());
        let mut next = Some(first.clone());
        while let Some(page) = next.take() {
            let of = |error| Fault::of(error, &page);
            let response = self.client(needs).await?._get(page.as_str()).await.map_err(of)?;
            let response = octocrab::map_github_error(response).await.map_err(of)?;
            let link = response.headers().get(http::header::LINK);
            let place = link.and_then(|link| link.to_str().ok()).and_then(after);
            let body = response.into_body().collect().await.map_err(of)?.to_bytes();
            let mut more: Vec<T> =
                serde_json::from_slice(&body).map_err(|error| Fault::unread(&page, &error))?;
            all.append(&mut more);
            next = place
                .filter(|place| seen.insert(place.clone()))
                .map(|place| format!("{first}&after={place}"));
        }
        Ok(all)
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

    /// The App, where it is one.
    pub(crate) async fn app(&self) -> Result<Named, Fault> {
        self.base.get("/app", None::<&()>).await.map_err(|error| Fault::of(error, "/app"))
    }
}

/// Proof of who asks, as octocrab has it.
fn auth(credential: &Credential) -> Result<AuthState, ProviderError> {
    let refused = |message: &str| ProviderError::Refused { message: format!("GitHub: {message}") };
    Ok(match credential {
        Credential::None => AuthState::None,
        Credential::Token(token) | Credential::JobToken(token) => {
            AuthState::AccessToken { token: token.clone().into() }
        }
        Credential::Basic(username, password) => {
            AuthState::BasicAuth { username: username.clone(), password: password.clone() }
        }
        Credential::App(id, key, _) => {
            let id = id.trim().parse::<u64>().map_err(|_| refused("the App's id is a number"))?;
            let key = octocrab::EncodingKey::from_rsa_pem(key.as_bytes())
                .map_err(|_| refused("the App's private key is no RSA key in PEM"))?;
            AuthState::App(octocrab::auth::AppAuth { app_id: id.into(), key })
        }
    })
}

/// The place in a list that the next page begins after.
/// Source: <https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api>.
fn after(link: &str) -> Option<String> {
    let next = link.split(',').find(|part| part.contains("rel=\"next\""))?;
    let address = next.split_once('<')?.1.split_once('>')?.0;
    let query = address.split_once('?')?.1;
    let place = query.split('&').find_map(|pair| pair.strip_prefix("after="))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_.~%=:+".contains(c);
    (!place.is_empty() && place.chars().all(plain)).then(|| place.to_owned())
}

#[derive(Deserialize)]
struct Token {
    token: String,
}

#[derive(Deserialize)]
struct Installation {
    id: u64,
}

/// An App as GitHub tells of it.
#[derive(Deserialize)]
pub(crate) struct Named {
    /// For people.
    pub(crate) name: String,
    /// What its account is called, but for `[bot]`.
    #[serde(default)]
    pub(crate) slug: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_link_only_the_place_in_the_list_is_taken() {
        let link = "<https://evil.example/x?per_page=100&after=Y3Vyc29yOjE%3D>; rel=\"next\", \
                    <https://api.github.com/x>; rel=\"prev\"";
        assert_eq!(after(link).as_deref(), Some("Y3Vyc29yOjE%3D"));
        assert_eq!(after("<https://api.github.com/x?after=1>; rel=\"prev\""), None);
        assert_eq!(after("<https://api.github.com/x?after=1/../2>; rel=\"next\""), None);
    }
}
