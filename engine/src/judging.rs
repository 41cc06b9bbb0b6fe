//! What policies see of a plan, and what they say of it.

use crate::conditions::{OwnConditions, of_plan};
use crate::standing::Standing;
use crate::{Diagnostic, Engine, EngineError, Params, diagnostic, now_ms, unknown};
use dax_core::{Name, ResourceAddr, Sources, Span, Value};
use dax_ir::Environment;
use dax_model::Traits;
use dax_plan::model::{InverseClass, Mode, StateVersion};
use dax_plan::{LiveState, Plan, Request, Selection, desired};
use dax_project::{Facts, Loaded, Missing, Planned, TestOutcome, TestRequest};
use std::collections::{BTreeMap, BTreeSet};

/// A plan with what the program's policies say of it.
pub struct Judged {
    /// The plan.
    pub plan: Plan,
    /// The texts that the findings point into.
    pub sources: Sources,
    /// What the policies say: errors where they deny, warnings where they warn.
    pub findings: Vec<Diagnostic>,
    /// What stands in its way now.
    pub standing: Standing,
    /// Calls to providers that it took, where they are counted.
    pub calls: BTreeMap<Name, u64>,
    /// The conditions of that environment.
    pub(crate) conditions: Option<OwnConditions>,
    /// The environment that it was made for.
    pub(crate) environment: Option<Environment>,
}

/// Now, as policies read it.
pub(crate) fn now() -> Name {
    let now = i64::try_from(now_ms())
        .ok()
        .and_then(|ms| jiff::Timestamp::from_millisecond(ms).ok())
        .unwrap_or_default();
    Name::new(now.to_string())
}

/// What policies may ask of a plan.
pub(crate) fn facts(plan: &Plan, now: Name) -> Facts {
    Facts { changes: changes(plan), steps: steps(plan), now }
}

fn record(fields: impl IntoIterator<Item = (&'static str, Value)>) -> Value {
    Value::Map(fields.into_iter().map(|(name, value)| (Name::new_static(name), value)).collect())
}

fn changes(plan: &Plan) -> Vec<Value> {
    let irreversible: BTreeSet<&ResourceAddr> = plan
        .steps
        .iter()
        .filter(|step| step.inverse.class == InverseClass::None)
        .map(|step| &step.service)
        .collect();
    let shown = |value: &Option<Value>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    let change = |change: &dax_plan::model::Change| {
        let fields = change.leaves.iter().map(|leaf| {
            Value::str(format!("{}: {} -> {}", leaf.path, shown(&leaf.before), shown(&leaf.after)))
        });
        record([
            ("action", Value::str(change.action.word())),
            ("kind", Value::str(change.addr.kind())),
            ("name", Value::str(change.addr.base())),
            ("address", Value::str(change.addr.as_str())),
            ("reason", Value::str(change.reason.word())),
            ("reversible", Value::Bool(!irreversible.contains(&change.addr))),
            ("fields", Value::List(fields.collect())),
        ])
    };
    plan.changes.iter().map(change).collect()
}

fn steps(plan: &Plan) -> Vec<Value> {
    let step = |step: &dax_plan::Step| {
        let kind = step.task.word();
        let title = dax_render::step_text(step);
        record([
            ("kind", Value::str(kind)),
            ("service", Value::str(step.service.base())),
            ("title", Value::str(title)),
        ])
    };
    plan.steps.iter().map(step).collect()
}

/// What a plan of an environment from nothing would do: what tests assert over.
pub fn plan_from_nothing(sources: &Sources, environment: &Environment) -> Planned {
    let locate = |span: Span| sources.location(span);
    let (applied, live) = (BTreeMap::new(), LiveState::new());
    let request = Request {
        project: Name::default(),
        environment: environment.name.clone(),
        mode: Mode::Apply,
        params: BTreeMap::new(),
        providers: BTreeMap::new(),
        unreachable: BTreeSet::new(),
        sources: Name::default(),
        base: StateVersion::default(),
        applied: &applied,
        live: &live,
        // No platform is asked: what a strategy needs of one is checked when it is planned for real.
        traits: &|_| Traits {
            header_routes: true,
            mirror: true,
            commands: true,
            ..Traits::default()
        },
        selection: Selection::default(),
        locate: &locate,
    };
    let (plan, mut diagnostics) =
        dax_plan::plan(&desired::from_graph(environment, &locate), &request);
    diagnostics.extend(unknown::never_known(environment));
    Planned { changes: changes(&plan), steps: steps(&plan), diagnostics }
}

/// Runs the tests of a loaded project, each plan in a world of its own.
pub fn run_tests(loaded: &Loaded, request: &TestRequest) -> Vec<TestOutcome> {
    loaded.test(request, &|environment| plan_from_nothing(&loaded.sources, environment))
}

impl Engine {
    /// Holds a plan against the policies that are asked at apply, and the approvals of its environment.
    ///
    /// They are those of the program as it stands now, so that a freeze holds for plans made before it.
    pub(crate) fn ask_before_apply(&self, plan: &Plan) -> Result<(), EngineError> {
        let params = of_plan(plan);
        // The way back and the way out are never held up.
        if plan.mode != Mode::Apply {
            return Ok(());
        }
        let checked = self.check(&params)?.sound()?;
        let Some(environment) = checked.graph.environments.get(&plan.environment) else {
            let message = format!(
                "the program no longer has `{}`, so its policies cannot be asked",
                plan.environment
            );
            return Err(EngineError::Denied { message });
        };
        let findings = checked.loaded.judge(&params, environment, "apply", &|| facts(plan, now()));
        if diagnostic::has_errors(&findings) {
            return Err(EngineError::Policy {
                sources: checked.loaded.sources,
                diagnostics: findings,
            });
        }
        Ok(())
    }

    /// Runs the project's tests.
    ///
    /// # Errors
    /// The project cannot be loaded, or has errors.
    pub fn test(&self, request: &TestRequest) -> Result<(Sources, Vec<TestOutcome>), EngineError> {
        let params = Params::none(Missing::Ignore);
        let mut checked = self.check(&params)?;
        // A policy that denies what stands there now is for `check`; tests say what they expect of it.
        checked.diagnostics.retain(|d| !dax_project::is_policy(d));
        let checked = checked.sound()?;
        let outcomes = run_tests(&checked.loaded, request);
        Ok((checked.loaded.sources, outcomes))
    }
}
