//! What the live objects are to a plan: whether it is stale, and whether they are as it says when it is done.

use dax_core::{LiveService, Name, SecretRef, Value, image};
use dax_plan::model::Idempotency;
use dax_plan::proof::Unsound;
use dax_plan::{LiveState, Plan, StepKind};
use dax_provider_api::{Metrics, Platform, ProviderError, Scope, Sought};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

/// Reads of the live objects before a difference is believed: a platform may be behind its own writes.
const READS: u32 = 4;

/// Reads the value of a secret, or says why it cannot be read.
pub type SecretReader = Arc<dyn Fn(&SecretRef) -> Result<String, String> + Send + Sync>;

/// What the driver reaches the world through.
#[derive(Clone)]
pub struct Providers {
    /// Platforms by provider instance.
    pub platforms: BTreeMap<Name, Arc<dyn Platform>>,
    /// Sources of metrics by provider instance.
    pub metrics: BTreeMap<Name, Arc<dyn Metrics>>,
    /// What is looked for on each platform beside what bears the environment's mark.
    pub objects: BTreeMap<Name, BTreeMap<Name, Sought>>,
    /// Reads the value of a secret.
    pub secret: SecretReader,
}

/// What runs in an environment by platform, or why a platform cannot be read; all are asked at one time.
pub async fn look(
    providers: &Providers,
    environment: &str,
) -> BTreeMap<Name, Result<BTreeMap<Name, LiveService>, ProviderError>> {
    let each = providers.platforms.iter().map(|(instance, platform)| async move {
        let objects = providers.objects.get(instance).cloned().unwrap_or_default();
        let scope = Scope { environment: environment.into(), objects };
        (instance.clone(), platform.read(&scope).await)
    });
    futures::future::join_all(each).await.into_iter().collect()
}

/// Everything that runs in an environment.
///
/// # Errors
/// A platform cannot be read.
pub async fn read(providers: &Providers, environment: &str) -> Result<LiveState, ProviderError> {
    look(providers, environment)
        .await
        .into_iter()
        .map(|(instance, live)| Ok((instance, live?)))
        .collect()
}

fn find<'l>(live: &'l LiveState, provider: &str, object: &str) -> Option<&'l LiveService> {
    live.get(provider)?.get(object)
}

/// The first thing in which the live objects are not what a plan was made from: field, what it was, what it is.
///
/// # Errors
/// A platform cannot be read.
pub async fn stale(plan: &Plan, providers: &Providers) -> Result<Option<String>, ProviderError> {
    Ok(moved_on(plan, &read(providers, &plan.environment).await?))
}

/// The first thing in which the live objects are not what a plan was made from.
pub fn moved_on(plan: &Plan, live: &LiveState) -> Option<String> {
    for (provider, objects) in &plan.observed {
        for (object, observed) in objects {
            if let Some(message) = revised(observed.as_ref(), find(live, provider, object)) {
                return Some(format!("service.{object}: {message}"));
            }
            let (then, now) =
                (image::image(observed.as_ref()), image::image(find(live, provider, object)));
            let mut both = then.clone();
            now.keys().for_each(|path| {
                both.entry(path.clone()).or_insert(if path == "exists" {
                    Value::Bool(false)
                } else {
                    Value::None
                });
            });
            if let Some((path, before, found)) = image::first_difference(&both, &now) {
                return Some(format!(
                    "service.{object}: `{path}` was {before} when the plan was made, now it is {found}"
                ));
            }
        }
    }
    None
}

/// The first field in which a revision is another than it was, and who changed it: the active one first, because it
/// tells most, then those at rest, whose fields a plan may bring back.
fn revised(then: Option<&LiveService>, now: Option<&LiveService>) -> Option<String> {
    let (then, now) = (then?, now?);
    let spec = |live: &LiveService| {
        live.revisions.get(live.active()?).map(|revision| revision.spec.clone())
    };
    let active = spec(then).zip(spec(now));
    let resting = then
        .revisions
        .iter()
        .filter_map(|(id, was)| Some((was.spec.clone(), now.revisions.get(id)?.spec.clone())));
    let mut all = active.into_iter().chain(resting);
    let (path, was, is) = all.find_map(|(was, is)| first_leaf(&was, &is, ""))?;
    let by = now
        .changed_by
        .get(path.as_str())
        .map_or_else(String::new, |by| format!(", changed by {by}"));
    Some(format!("`{path}` was {was} when the plan was made, now it is {is}{by}"))
}

/// The first leaf in which two values differ.
fn first_leaf(a: &Value, b: &Value, path: &str) -> Option<(String, Value, Value)> {
    let (Value::Map(left), Value::Map(right)) = (a, b) else {
        return (a != b).then(|| (path.to_owned(), a.clone(), b.clone()));
    };
    let names: BTreeSet<&Name> = left.keys().chain(right.keys()).collect();
    names.into_iter().find_map(|name| {
        let path = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        first_leaf(
            left.get(name).unwrap_or(&Value::None),
            right.get(name).unwrap_or(&Value::None),
            &path,
        )
    })
}

/// The first step of which a plan says something else than the platform that is to carry it out.
pub fn unable(plan: &Plan, providers: &Providers) -> Option<Unsound> {
    plan.steps.iter().find_map(|step| {
        let StepKind::Migrate { .. } = step.kind else { return None };
        let once = providers.platforms.get(&step.provider)?.traits().commands_once;
        let wanted = if once { Idempotency::ByTag } else { Idempotency::Ask };
        let field = format!("steps[{}].idempotency", step.id.0);
        let message = "is not what its platform says of commands".to_owned();
        (step.idempotency != wanted).then_some(Unsound { field, message })
    })
}

/// What differs between the live objects and what the plan says they are at its end.
pub async fn verify(plan: &Plan, providers: &Providers) -> Option<String> {
    let mut difference = None;
    for attempt in 0..READS {
        if attempt > 0 {
            tokio::time::sleep(Duration::from_millis(u64::from(attempt) * 250)).await;
        }
        difference = match read(providers, &plan.environment).await {
            Ok(live) => differs(plan, &live),
            Err(error) => Some(error.to_string()),
        };
        difference.as_ref()?;
    }
    difference
}

/// The first thing in which the live objects are not what the plan leaves.
pub fn differs(plan: &Plan, live: &LiveState) -> Option<String> {
    // The last post-image of each path is what must stand there.
    let mut wanted: BTreeMap<(&Name, &Name), image::Image> = BTreeMap::new();
    for step in &plan.steps {
        wanted.entry((&step.provider, &step.object)).or_default().extend(step.post.clone());
    }
    for ((provider, object), mut wanted) in wanted {
        if wanted.get("exists") == Some(&Value::Bool(false)) {
            wanted.retain(|path, _| path == "exists");
        }
        let found = image::image(find(live, provider, object));
        if let Some((path, value, found)) = image::first_difference(&wanted, &found) {
            return Some(format!("service.{object}: `{path}` should be {value}, is {found}"));
        }
    }
    None
}
