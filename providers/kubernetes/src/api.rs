//! One cluster's API: objects as JSON, in few calls, and never faster than agreed.

use crate::connect::client_error;
use crate::error::Answer;
use crate::keys::Keys;
use crate::kinds::Kind;
use crate::names::{self, MANAGER};
use dax_provider_api::ProviderError;
use futures::{AsyncBufReadExt, Stream, TryStreamExt};
use governor::DefaultDirectRateLimiter;
use http::Request;
use http_body_util::BodyExt;
use kube::client::Body;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::time::Duration;
use tokio::sync::Semaphore;

/// Objects of one page of a list.
const PAGE: usize = 500;

/// A connection to a cluster.
pub(crate) struct Api {
    /// What errors call it.
    pub(crate) name: String,
    pub(crate) client: kube::Client,
    /// What proves who asks, where the client does not know it by itself.
    pub(crate) keys: Option<Keys>,
    /// What the cluster calls kinds that a program names.
    pub(crate) discovered: tokio::sync::Mutex<BTreeMap<Kind, (String, bool)>>,
    /// The time between two calls.
    pub(crate) rate: DefaultDirectRateLimiter,
    /// Calls at one time.
    pub(crate) turns: Semaphore,
    /// Calls that were made.
    pub(crate) calls: std::sync::atomic::AtomicU64,
    /// Longest wait for an answer that is no stream.
    pub(crate) timeout: Duration,
}

/// How an object is applied.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Apply {
    /// Takes over what others own.
    pub(crate) force: bool,
    /// Only asks what would become of it.
    pub(crate) dry_run: bool,
}

impl Api {
    fn unreachable(&self, error: &(dyn std::error::Error + 'static)) -> ProviderError {
        let message = format!("`{}` cannot be reached: {}", self.name, client_error(error));
        ProviderError::Unreachable { message }
    }

    /// Sends a request; the outer error is of the way, the inner one of the server.
    async fn send(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Result<Json, Answer>, ProviderError> {
        let _turn = self.turns.acquire().await.expect("the semaphore is never closed");
        self.rate.until_ready().await;
        let answer = self.ask(method, path, kind, body.clone()).await?;
        // A key may have been withdrawn before its time.
        match (&self.keys, answer) {
            (Some(keys), Err(answer)) if answer.status == 401 => {
                keys.forget().await;
                self.ask(method, path, kind, body).await
            }
            (_, answer) => Ok(answer),
        }
    }

    /// A request to a path; what proves who asks goes with it.
    async fn request(
        &self,
        method: &str,
        path: &str,
    ) -> Result<http::request::Builder, ProviderError> {
        let request = Request::builder().method(method).uri(path);
        Ok(match &self.keys {
            Some(keys) => request.header("authorization", keys.header().await?),
            None => request,
        })
    }

    async fn ask(
        &self,
        method: &str,
        path: &str,
        kind: &str,
        body: Vec<u8>,
    ) -> Result<Result<Json, Answer>, ProviderError> {
        self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let request = self
            .request(method, path)
            .await?
            .header("content-type", kind)
            .header("accept", "application/json");
        let request = request
            .body(Body::from(body))
            .expect("a method, a path and a header that are well formed");
        let answer = async {
            let response =
                self.client.send(request).await.map_err(|error| self.unreachable(&error))?;
            let (parts, body) = response.into_parts();
            let bytes = body.collect().await.map_err(|error| self.unreachable(&error))?.to_bytes();
            let body: Json = serde_json::from_slice(&bytes).unwrap_or_default();
            if parts.status.is_success() {
                return Ok(Ok(body));
            }
            let seconds = parts
                .headers
                .get("retry-after")
                .and_then(|value| value.to_str().ok()?.parse().ok());
            Ok(Err(Answer {
                status: parts.status.as_u16(),
                retry_after: seconds.map(Duration::from_secs),
                body,
            }))
        };
        match tokio::time::timeout(self.timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => {
                let message =
                    format!("`{}` did not answer within {} s", self.name, self.timeout.as_secs());
                Err(ProviderError::Unreachable { message })
            }
        }
    }

    /// The path of all objects of a kind in a namespace, or in the cluster where the kind knows no namespaces.
    async fn path(&self, kind: Kind, namespace: &str) -> Result<String, ProviderError> {
        let (plural, namespaced) = match kind.plural {
            "" => self.discover(kind).await?,
            plural => (plural.to_owned(), kind != crate::kinds::NAMESPACE),
        };
        let api = kind.api();
        Ok(if namespaced {
            format!("{api}/namespaces/{namespace}/{plural}")
        } else {
            format!("{api}/{plural}")
        })
    }

    /// The path of one object.
    async fn at(&self, kind: Kind, namespace: &str, name: &str) -> Result<String, ProviderError> {
        Ok(format!("{}/{}", self.path(kind, namespace).await?, dax_provider_api::encode(name)))
    }

    /// What the cluster calls a kind in paths, and whether its objects are in namespaces.
    pub(crate) async fn discover(&self, kind: Kind) -> Result<(String, bool), ProviderError> {
        let mut known = self.discovered.lock().await;
        if let Some(found) = known.get(&kind) {
            return Ok(found.clone());
        }
        let found = self.get_path(&kind.api()).await?.unwrap_or_default();
        let resources = found.get("resources").and_then(Json::as_array).into_iter().flatten();
        let of_kind = |one: &&Json| {
            names::text_at(one, "/kind") == kind.name && !names::text_at(one, "/name").contains('/')
        };
        let Some(one) = resources.into_iter().find(of_kind) else {
            return Err(crate::error::unknown_kind(&self.name, kind.name, kind.version));
        };
        let told = (
            names::text_at(one, "/name").to_owned(),
            one.get("namespaced") == Some(&Json::Bool(true)),
        );
        known.insert(kind, told.clone());
        Ok(told)
    }

    /// Anything that the API has at a path, or nothing.
    pub(crate) async fn get_path(&self, path: &str) -> Result<Option<Json>, ProviderError> {
        match self.send("GET", path, "application/json", Vec::new()).await? {
            Ok(found) => Ok(Some(found)),
            Err(answer) if answer.status == 404 => Ok(None),
            Err(answer) => Err(answer.error(&self.name, path)),
        }
    }

    /// One object, or nothing.
    pub(crate) async fn get(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<Option<Json>, ProviderError> {
        self.get_path(&self.at(kind, namespace, name).await?).await
    }

    /// What the server answers to an object that only asks.
    pub(crate) async fn review(&self, path: &str, object: &Json) -> Result<Json, ProviderError> {
        let answer =
            self.send("POST", path, "application/json", object.to_string().into_bytes()).await?;
        answer.map_err(|answer| answer.error(&self.name, path))
    }

    /// Whether the cluster has a kind.
    ///
    /// # Errors
    /// It has not, or cannot be asked.
    pub(crate) async fn must_know(&self, kind: Kind) -> Result<(), ProviderError> {
        self.discover(kind).await.map(|_| ())
    }

    /// All objects of a kind in a namespace, page by page; none where the cluster does not have the kind.
    pub(crate) async fn list(
        &self,
        kind: Kind,
        namespace: &str,
        selector: &str,
    ) -> Result<Vec<Json>, ProviderError> {
        Ok(self.list_with_version(kind, namespace, selector).await?.0)
    }

    /// As [`Self::list`], with the version from which a watch goes on.
    pub(crate) async fn list_with_version(
        &self,
        kind: Kind,
        namespace: &str,
        selector: &str,
    ) -> Result<(Vec<Json>, String), ProviderError> {
        let mut all = Vec::new();
        let mut next = String::new();
        let base = match self.path(kind, namespace).await {
            Ok(base) => base,
            // A kind that is not known has no objects.
            Err(ProviderError::Refused { .. }) => return Ok((all, next)),
            Err(error) => return Err(error),
        };
        loop {
            let (selector, token) =
                (dax_provider_api::encode(selector), dax_provider_api::encode(&next));
            let path = format!("{base}?limit={PAGE}&labelSelector={selector}&continue={token}");
            let mut page = match self.send("GET", &path, "application/json", Vec::new()).await? {
                Ok(page) => page,
                Err(answer) if answer.status == 404 => return Ok((Vec::new(), String::new())),
                // The list is too old to be continued: it begins anew.
                Err(answer) if answer.status == 410 && !next.is_empty() => {
                    all.clear();
                    next.clear();
                    continue;
                }
                Err(answer) => {
                    return Err(
                        answer.error(&self.name, &format!("list {} in `{namespace}`", kind.plural))
                    );
                }
            };
            next = names::text_at(&page, "/metadata/continue").to_owned();
            if let Some(Json::Array(items)) = page.get_mut("items").map(Json::take) {
                all.extend(items);
            }
            if next.is_empty() {
                return Ok((all, names::text_at(&page, "/metadata/resourceVersion").to_owned()));
            }
        }
    }

    /// Writes the fields of an object that dax owns: those that it no longer names are let go.
    pub(crate) async fn apply(
        &self,
        kind: Kind,
        namespace: &str,
        object: &Json,
        how: Apply,
    ) -> Result<Json, ProviderError> {
        let name = names::text_at(object, "/metadata/name");
        let what = format!("{} `{namespace}/{name}`", kind.name);
        let (force, dry_run) = (how.force, if how.dry_run { "&dryRun=All" } else { "" });
        let path = format!(
            "{}?fieldManager={MANAGER}&force={force}{dry_run}",
            self.at(kind, namespace, name).await?
        );
        let body = serde_json::to_vec(object).expect("JSON serialises");
        self.send("PATCH", &path, "application/apply-patch+yaml", body)
            .await?
            .map_err(|answer| answer.error(&self.name, &what))
    }

    /// As [`Self::apply`], leaving out what others own.
    pub(crate) async fn apply_yielding(
        &self,
        kind: Kind,
        namespace: &str,
        object: &Json,
        dry_run: bool,
    ) -> Result<Json, ProviderError> {
        let name = names::text_at(object, "/metadata/name");
        let what = format!("{} `{namespace}/{name}`", kind.name);
        let dry_run = if dry_run { "&dryRun=All" } else { "" };
        let path = format!(
            "{}?fieldManager={MANAGER}&force=false{dry_run}",
            self.at(kind, namespace, name).await?
        );
        let mut wanted = object.clone();
        // Each answer names everything that is in the way, so the second try goes through unless somebody is quicker.
        for _ in 0..3 {
            let body = serde_json::to_vec(&wanted).expect("JSON serialises");
            match self.send("PATCH", &path, "application/apply-patch+yaml", body).await? {
                Ok(written) => return Ok(written),
                Err(answer) if answer.conflicts().is_empty() => {
                    return Err(answer.error(&self.name, &what));
                }
                Err(answer) => answer
                    .conflicts()
                    .iter()
                    .for_each(|(_, field)| crate::owned::remove(&mut wanted, field)),
            }
        }
        Err(ProviderError::Busy {
            retry_after: None,
            message: format!("{what}: others keep changing it"),
        })
    }

    /// Makes an object and gives it back; nothing when one of that name is there already.
    pub(crate) async fn create(
        &self,
        kind: Kind,
        namespace: &str,
        object: &Json,
    ) -> Result<Option<Json>, ProviderError> {
        let what = format!("{} `{}`", kind.name, names::text_at(object, "/metadata/name"));
        let body = serde_json::to_vec(object).expect("JSON serialises");
        match self
            .send(
                "POST",
                &format!("{}?fieldManager={MANAGER}", self.path(kind, namespace).await?),
                "application/json",
                body,
            )
            .await?
        {
            Ok(made) => Ok(Some(made)),
            Err(answer) if answer.status == 409 => Ok(None),
            Err(answer) => Err(answer.error(&self.name, &what)),
        }
    }

    /// Removes an object with what belongs to it; one that is not there is gone already.
    pub(crate) async fn delete(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<(), ProviderError> {
        self.remove(kind, namespace, name, "Background").await
    }

    /// Removes an object and leaves what belongs to it.
    pub(crate) async fn delete_alone(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
    ) -> Result<(), ProviderError> {
        self.remove(kind, namespace, name, "Orphan").await
    }

    async fn remove(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        rest: &str,
    ) -> Result<(), ProviderError> {
        let path = match self.at(kind, namespace, name).await {
            Ok(path) => path,
            // With its kind it has gone, too.
            Err(ProviderError::Refused { .. }) => return Ok(()),
            Err(error) => return Err(error),
        };
        let body = json!({"kind": "DeleteOptions", "apiVersion": "v1", "propagationPolicy": rest})
            .to_string()
            .into_bytes();
        match self.send("DELETE", &path, "application/json", body).await? {
            Ok(_) => Ok(()),
            Err(answer) if answer.status == 404 => Ok(()),
            Err(answer) => {
                Err(answer.error(&self.name, &format!("{} `{namespace}/{name}`", kind.name)))
            }
        }
    }

    /// Shares what a field says with whoever is to say it from now on, so that it stays when dax lets it go.
    pub(crate) async fn hand_over(
        &self,
        kind: Kind,
        namespace: &str,
        name: &str,
        replicas: i64,
    ) -> Result<(), ProviderError> {
        let path = format!(
            "{}?fieldManager={MANAGER}-scale&force=true",
            self.at(kind, namespace, name).await?
        );
        let object = json!({"apiVersion": kind.version, "kind": kind.name, "metadata": {"name": name}, "spec": {"replicas": replicas}});
        let answer = self
            .send("PATCH", &path, "application/apply-patch+yaml", object.to_string().into_bytes())
            .await?;
        answer.map(|_| ()).map_err(|answer| {
            answer.error(&self.name, &format!("{} `{namespace}/{name}`", kind.name))
        })
    }

    /// Says how many replicas a Deployment has, without owning it.
    pub(crate) async fn scale(
        &self,
        namespace: &str,
        name: &str,
        replicas: i64,
    ) -> Result<(), ProviderError> {
        let path = format!(
            "{}/scale?fieldManager={MANAGER}-scale",
            self.at(crate::kinds::DEPLOYMENT, namespace, name).await?
        );
        let body = format!(r#"{{"spec":{{"replicas":{replicas}}}}}"#).into_bytes();
        let answer = self.send("PATCH", &path, "application/merge-patch+json", body).await?;
        answer.map(|_| ()).map_err(|answer| {
            answer.error(&self.name, &format!("scale of Deployment `{namespace}/{name}`"))
        })
    }

    /// What is told of an object, the latest last; nothing where it cannot be had.
    pub(crate) async fn list_events(&self, namespace: &str, name: &str) -> Vec<Json> {
        let field = dax_provider_api::encode(&format!("involvedObject.name={name}"));
        let Ok(base) = self.path(crate::kinds::EVENT, namespace).await else { return Vec::new() };
        let path = format!("{base}?limit={PAGE}&fieldSelector={field}");
        let found = self.get_path(&path).await.ok().flatten();
        let items = found.and_then(|mut found| found.get_mut("items").map(Json::take));
        if let Some(Json::Array(items)) = items { items } else { Vec::new() }
    }

    /// The last lines that a container wrote; nothing where they cannot be had.
    pub(crate) async fn logs(
        &self,
        namespace: &str,
        pod: &str,
        container: &str,
        lines: usize,
    ) -> Option<String> {
        for previous in ["true", "false"] {
            let query = format!(
                "container={}&tailLines={lines}&previous={previous}",
                dax_provider_api::encode(container)
            );
            let path =
                format!("{}/log?{query}", self.at(crate::kinds::POD, namespace, pod).await.ok()?);
            let request = self.request("GET", &path).await.ok()?.body(Vec::new()).ok()?;
            self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
            if let Ok(Ok(text)) =
                tokio::time::timeout(self.timeout, self.client.request_text(request)).await
                && !text.trim().is_empty()
            {
                return Some(text);
            }
        }
        None
    }

    /// What happens to the objects of a kind from a version on, or to the one of a name; it ends when the server lets go.
    pub(crate) async fn watch(
        &self,
        kind: Kind,
        namespace: &str,
        version: &str,
        only: Option<&str>,
    ) -> Result<impl Stream<Item = Result<Json, std::io::Error>> + use<>, ProviderError> {
        self.calls.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let only = only.map_or_else(String::new, |name| {
            format!("&fieldSelector={}", dax_provider_api::encode(&format!("metadata.name={name}")))
        });
        let path = format!(
            "{}?watch=true&resourceVersion={version}&timeoutSeconds=240{only}",
            self.path(kind, namespace).await?
        );
        let request =
            self.request("GET", &path).await?.body(Vec::new()).expect("a path that is well formed");
        let lines = self
            .client
            .request_stream(request)
            .await
            .map_err(|error| self.unreachable(&error))?
            .lines();
        Ok(lines.and_then(|line| async move {
            serde_json::from_str(&line).map_err(std::io::Error::other)
        }))
    }
}
