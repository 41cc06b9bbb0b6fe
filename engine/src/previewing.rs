//! What platforms would say to a plan: asked before anybody approves it.

use dax_apply::Providers;
use dax_apply::operations::{self, Specs};
use dax_core::{Code, Diagnostic, Name, ResourceAddr, Value};
use dax_machine::Which;
use dax_model::Operation;
use dax_plan::desired::Desired;
use dax_plan::{Plan, Task};
use dax_provider_api::{Call, Fence, Platform, ProviderError};
use futures::StreamExt;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A change that a platform says it would refuse. Explained in docs/diagnostics/DAX7003.md.
pub const WOULD_REFUSE: Code = Code::error(7003, "the platform would refuse this change");

/// Changes of one provider that are asked about: enough to find what is wrong with all of them, few enough for a plan.
const MOST: usize = 30;
/// Questions at one time.
const AT_ONCE: usize = 8;

/// A change that is asked about.
struct Question<'p> {
    addr: &'p ResourceAddr,
    platform: Arc<dyn Platform>,
    call: Call,
    settings: &'p BTreeMap<Name, Value>,
}

fn questions<'p>(plan: &'p Plan, providers: &Providers) -> Vec<Question<'p>> {
    let specs = Specs::of(plan);
    let mut asked: BTreeMap<&Name, usize> = BTreeMap::new();
    let mut all = Vec::new();
    // What is there already is asked about first: others may have a say in it.
    let (there, fresh): (Vec<_>, Vec<_>) =
        plan.steps.iter().partition(|step| plan.observed(&step.provider, &step.object).is_some());
    for step in there.into_iter().chain(fresh) {
        let writes = matches!(
            step.task,
            Task::Call(
                Operation::CreateService { .. }
                    | Operation::UpdateService { .. }
                    | Operation::CreateRevision { .. }
                    | Operation::Roll { .. }
            )
        );
        let Some(platform) = providers.platforms.get(&step.provider).filter(|_| writes) else {
            continue;
        };
        let Some(applied) = plan
            .result
            .get(&step.service)
            .and_then(Option::as_ref)
            .filter(|applied| applied.provider == step.provider)
        else {
            continue;
        };
        let count = asked.entry(&step.provider).or_default();
        *count += 1;
        if *count > MOST {
            continue;
        }
        let Some(mut call) =
            operations::call(plan, &specs, 0, Fence::default(), step.id, Which::Do)
        else {
            continue;
        };
        if let Some(place) = platform.traits().place {
            call.place = applied
                .settings
                .get(&place)
                .and_then(Value::as_str)
                .map(Name::new)
                .unwrap_or_default();
        }
        // Steps before it have changed what it expects, but for a plan that is only asked about.
        call.expect = dax_provider_api::Expect::default();
        all.push(Question {
            addr: &step.service,
            platform: platform.clone(),
            call,
            settings: &applied.settings,
        });
    }
    all
}

/// What platforms would refuse, each reason once for each service.
pub(crate) async fn preview(
    plan: &Plan,
    providers: &Providers,
    desired: &Desired<'_>,
) -> Vec<Diagnostic> {
    let answers = questions(plan, providers).into_iter().map(|question| async move {
        let answer = question.platform.preview(&question.call, question.settings).await;
        (question.addr, answer)
    });
    let answers: Vec<_> = futures::stream::iter(answers).buffer_unordered(AT_ONCE).collect().await;
    let mut found: Vec<Diagnostic> = Vec::new();
    for (addr, answer) in answers {
        // What is busy or away now may be there when it is applied.
        let Err(ProviderError::Refused { message } | ProviderError::Conflict { message }) = answer
        else {
            continue;
        };
        let span = desired.services.get(addr).and_then(|service| service.span).unwrap_or_default();
        let diagnostic = Diagnostic::new(WOULD_REFUSE, span, format!("{}: {message}", addr.name()));
        if !found.iter().any(|other| other.detail == diagnostic.detail) {
            found.push(diagnostic);
        }
    }
    found
}
