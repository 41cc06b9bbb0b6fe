//! One view of a namespace for all that wait there: listed once, then kept up by watches.
//!
//! However many services wait, there are three watches a namespace, and none when nobody waits.

use crate::api::Api;
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

/// Deployments and StatefulSets by kind and name, and pods by the service that their labels name and their own name.
#[derive(Default)]
struct Seen {
    workloads: BTreeMap<String, Json>,
    pods: BTreeMap<String, BTreeMap<String, Json>>,
}

/// What an object that holds pods is called here.
pub(crate) fn key(kind: Kind, name: &str) -> String {
    format!("{}/{name}", kind.name)
}

fn name_of(kind: Kind, object: &Json) -> String {
    let name = names::text_at(object, "/metadata/name");
    if kind == kinds::POD { name.to_owned() } else { key(kind, name) }
}

/// The service that an object belongs to, as its labels say; empty where they do not.
fn service_of(object: &Json) -> &str {
    names::meta(object, "labels", names::NAME).unwrap_or_default()
}

/// What is seen of a namespace.
pub(crate) struct View {
    seen: Mutex<Seen>,
    /// Rung when something of a service changes, for those who wait for it.
    bells: Mutex<BTreeMap<String, Arc<Notify>>>,
    /// Why nothing is seen, if nothing is.
    blind: Mutex<Option<String>>,
    tasks: Mutex<Vec<tokio::task::JoinHandle<()>>>,
}

impl Drop for View {
    fn drop(&mut self) {
        self.tasks
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .for_each(tokio::task::JoinHandle::abort);
    }
}

/// Views that somebody holds, by namespace.
#[derive(Default)]
pub(crate) struct Views(tokio::sync::Mutex<BTreeMap<String, Weak<View>>>);

impl View {
    fn seen(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What holds pods, as it was last seen.
    pub(crate) fn workload(&self, kind: Kind, name: &str) -> Option<Json> {
        self.seen().workloads.get(&key(kind, name)).cloned()
    }

    /// What holds pods and has all of these labels.
    pub(crate) fn find(&self, labels: &[(&str, &str)]) -> Option<Json> {
        let seen = self.seen();
        let fits = |object: &&Json| {
            labels.iter().all(|(name, value)| names::meta(object, "labels", name) == Some(value))
        };
        seen.workloads.values().find(fits).cloned()
    }

    /// Pods whose labels say all of these.
    pub(crate) fn pods(&self, selector: &serde_json::Map<String, Json>) -> Vec<Json> {
        let seen = self.seen();
        let fits = |pod: &&Json| {
            selector.iter().all(|(name, value)| names::meta(pod, "labels", name) == value.as_str())
        };
        let service = selector.get(names::NAME).and_then(Json::as_str).unwrap_or_default();
        seen.pods
            .get(service)
            .into_iter()
            .flat_map(BTreeMap::values)
            .filter(fits)
            .cloned()
            .collect()
    }

    /// What rings when something of a service changes.
    pub(crate) fn bell(&self, service: &str) -> Arc<Notify> {
        let mut bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(service.to_owned()).or_default().clone()
    }

    fn ring(&self, service: Option<&str>) {
        let bells = self.bells.lock().unwrap_or_else(PoisonError::into_inner);
        match service {
            Some(service) => bells.get(service).into_iter().for_each(|bell| bell.notify_waiters()),
            None => bells.values().for_each(|bell| bell.notify_waiters()),
        }
    }

    /// Why the view is not kept up, if it is not.
    pub(crate) fn blind(&self) -> Option<String> {
        self.blind.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn put(&self, kind: Kind, event: &Json) {
        let Some(object) = event.get("object") else { return };
        let (name, service) = (name_of(kind, object), service_of(object));
        {
            let mut seen = self.seen();
            let of_kind = if kind == kinds::POD {
                seen.pods.entry(service.to_owned()).or_default()
            } else {
                &mut seen.workloads
            };
            match names::text_at(event, "/type") {
                "ADDED" | "MODIFIED" => drop(of_kind.insert(name, object.clone())),
                "DELETED" => drop(of_kind.remove(&name)),
                _ => {}
            }
        }
        self.ring(Some(service));
    }

    /// Everything anew.
    fn fill(&self, kind: Kind, items: Vec<Json>) {
        {
            let mut seen = self.seen();
            if kind == kinds::POD {
                seen.pods.clear()
            } else {
                seen.workloads.retain(|name, _| !name.starts_with(&key(kind, "")))
            }
            for object in items {
                let name = name_of(kind, &object);
                let of_kind = if kind == kinds::POD {
                    seen.pods.entry(service_of(&object).to_owned()).or_default()
                } else {
                    &mut seen.workloads
                };
                of_kind.insert(name, object);
            }
        }
        self.ring(None);
    }
}

/// The view of a namespace; whoever holds it keeps it up.
pub(crate) async fn view(
    views: &Views,
    api: &Arc<Api>,
    namespace: &str,
) -> Result<Arc<View>, ProviderError> {
    let mut views = views.0.lock().await;
    if let Some(view) = views.get(namespace).and_then(Weak::upgrade) {
        return Ok(view);
    }
    let view = Arc::new(View {
        seen: Mutex::default(),
        bells: Mutex::default(),
        blind: Mutex::default(),
        tasks: Mutex::default(),
    });
    for kind in [kinds::DEPLOYMENT, kinds::STATEFUL_SET, kinds::POD] {
        let version = list(api, &view, kind, namespace).await?;
        let (api, seen, namespace) = (api.clone(), Arc::downgrade(&view), namespace.to_owned());
        let task =
            tokio::spawn(async move { follow(&api, &seen, kind, &namespace, version).await });
        view.tasks.lock().unwrap_or_else(PoisonError::into_inner).push(task);
    }
    views.insert(namespace.to_owned(), Arc::downgrade(&view));
    Ok(view)
}

/// Lists everything anew; gives the version from which a watch goes on.
async fn list(
    api: &Api,
    view: &View,
    kind: Kind,
    namespace: &str,
) -> Result<String, ProviderError> {
    let (items, version) = api.list_with_version(kind, namespace, "").await?;
    view.fill(kind, items);
    Ok(version)
}

/// Keeps a kind up until nobody looks any more; a server that goes away is waited for.
async fn follow(api: &Api, seen: &Weak<View>, kind: Kind, namespace: &str, mut version: String) {
    loop {
        let Some(view) = seen.upgrade() else { return };
        let told = match api.watch(kind, namespace, &version, None).await {
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
                }
            }
            Err(error) => Some(error.to_string()),
        };
        let mut told = told;
        loop {
            let Some(view) = seen.upgrade() else { return };
            if told.is_none() {
                match list(api, &view, kind, namespace).await {
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
