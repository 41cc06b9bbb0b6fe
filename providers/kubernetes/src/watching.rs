//! One view of a namespace for all that wait there: listed once, then kept up by watches.
//!
//! However many services wait, there are two watches a namespace, and none when nobody waits.

use crate::api::Cluster;
use crate::kinds::{self, Kind};
use crate::names;
use dax_provider_api::ProviderError;
use futures::{StreamExt, pin_mut};
use serde_json::Value as Json;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;
use tokio::sync::Notify;

/// Time between two tries to see a namespace that cannot be seen.
const AGAIN: Duration = Duration::from_millis(500);

/// Objects by namespace and name.
type Seen = BTreeMap<Kind, BTreeMap<String, Json>>;

/// What is seen of a namespace.
pub(crate) struct View {
    seen: Mutex<Seen>,
    /// Rung after each change, for everybody who waits.
    bell: Notify,
    /// Why nothing is seen, if nothing is.
    blind: Mutex<Option<String>>,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Drop for View {
    fn drop(&mut self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Views that somebody holds, by namespace.
#[derive(Default)]
pub(crate) struct Views(tokio::sync::Mutex<BTreeMap<String, Weak<View>>>);

impl View {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The object as it was last seen.
    pub(crate) fn get(&self, kind: Kind, name: &str) -> Option<Json> {
        self.seen().get(&kind)?.get(name).cloned()
    }

    /// Pods whose labels say all of these.
    pub(crate) fn pods(&self, selector: &serde_json::Map<String, Json>) -> Vec<Json> {
        let seen = self.seen();
        let fits = |pod: &&Json| selector.iter().all(|(name, value)| names::meta(pod, "labels", name) == value.as_str());
        seen.get(&kinds::POD).into_iter().flat_map(BTreeMap::values).filter(fits).cloned().collect()
    }

    /// The next change; it is waited for from the moment of this call.
    pub(crate) fn change(&self) -> tokio::sync::futures::Notified<'_> {
        self.bell.notified()
    }

    /// Why the view is not kept up, if it is not.
    pub(crate) fn blind(&self) -> Option<String> {
        self.blind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, kind: Kind, event: &Json) {
        let Some(object) = event.get("object") else { return };
        let name = names::text_at(object, "/metadata/name").to_owned();
        let mut seen = self.seen();
        let of_kind = seen.entry(kind).or_default();
        match names::text_at(event, "/type") {
            "ADDED" | "MODIFIED" => drop(of_kind.insert(name, object.clone())),
            "DELETED" => drop(of_kind.remove(&name)),
            _ => {}
        }
    }
}

/// The view of a namespace; whoever holds it keeps it up.
pub(crate) async fn view(cluster: &Arc<Cluster>, namespace: &str) -> Result<Arc<View>, ProviderError> {
    let mut views = cluster.views.0.lock().await;
    if let Some(view) = views.get(namespace).and_then(Weak::upgrade) {
        return Ok(view);
    }
    let view = Arc::new(View { seen: Mutex::default(), bell: Notify::new(), blind: Mutex::default(), tasks: Mutex::default() });
    for kind in [kinds::DEPLOYMENT, kinds::POD] {
        let version = list(cluster, &view, kind, namespace).await?;
        let (cluster, seen, namespace) = (cluster.clone(), Arc::downgrade(&view), namespace.to_owned());
        let task = tokio::spawn(async move { follow(&cluster, &seen, kind, &namespace, version).await });
        view.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
    views.insert(namespace.to_owned(), Arc::downgrade(&view));
    Ok(view)
}

/// Lists everything anew; gives the version from which a watch goes on.
async fn list(cluster: &Cluster, view: &View, kind: Kind, namespace: &str) -> Result<String, ProviderError> {
    let (items, version) = cluster.list_with_version(kind, namespace, "").await?;
    let named = items.into_iter().map(|object| (names::text_at(&object, "/metadata/name").to_owned(), object));
    view.seen().insert(kind, named.collect());
    view.bell.notify_waiters();
    Ok(version)
}

/// Keeps a kind up until nobody looks any more; a server that goes away is waited for.
async fn follow(cluster: &Cluster, seen: &Weak<View>, kind: Kind, namespace: &str, mut version: String) {
    loop {
        let Some(view) = seen.upgrade() else { return };
        let told = match cluster.watch(kind, namespace, &version).await {
            Ok(events) => {
                drop(view);
                pin_mut!(events);
                loop {
                    let Some(Ok(event)) = events.next().await else { break None };
                    let Some(view) = seen.upgrade() else { return };
                    // A version that is too old is told as an event.
                    if names::text_at(&event, "/type") == "ERROR" {
                        break None;
                    }
                    view.put(kind, &event);
                    view.bell.notify_waiters();
                }
            }
            Err(error) => Some(error.to_string()),
        };
        let mut told = told;
        loop {
            let Some(view) = seen.upgrade() else { return };
            if told.is_none() {
                match list(cluster, &view, kind, namespace).await {
                    Ok(found) => {
                        version = found;
                        *view.blind.lock().unwrap_or_else(PoisonError::into_inner) = None;
                        break;
                    }
                    Err(error) => told = Some(error.to_string()),
                }
            }
            view.blind.lock().unwrap_or_else(PoisonError::into_inner).clone_from(&told);
            told = None;
            drop(view);
            tokio::time::sleep(AGAIN).await;
        }
    }
}
