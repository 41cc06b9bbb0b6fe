//! The platforms as the driver reaches them: reading what runs, and looking at it again when a plan is done.

use dax_core::{Name, SecretRef};
use dax_machine::live::{differs, moved_on};
use dax_model::{LiveService, Operation};
use dax_plan::model::Idempotency;
use dax_plan::proof::Unsound;
use dax_plan::{LiveState, Plan, Task};
use dax_provider_api::{Metrics, Platform, ProviderError, Scope, Sought};
use std::collections::BTreeMap;
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

/// The first thing in which the live objects are not what a plan was made from: field, what it was, what it is.
///
/// # Errors
/// A platform cannot be read.
pub async fn stale(plan: &Plan, providers: &Providers) -> Result<Option<String>, ProviderError> {
    Ok(moved_on(plan, &read(providers, &plan.environment).await?))
}

/// The first step of which a plan says something else than the platform that is to carry it out.
pub fn unable(plan: &Plan, providers: &Providers) -> Option<Unsound> {
    plan.steps.iter().find_map(|step| {
        let Task::Call(Operation::Migrate { .. }) = step.task else { return None };
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
