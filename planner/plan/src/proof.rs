//! The proof of a plan that was read: it holds everything that holds of one that was just made.
//!
//! A plan from a file or from a state is a text that anybody may have written. Whatever can be derived is derived
//! again, by the code that the planner uses, and compared: the numbers of the steps and their order, what each step
//! changes and how that is undone, the names of revisions, the leaves that reviewers are shown, risks and estimate.
//! What needs the state or the world to be known is held against them by [`against`]. Pure.

mod bounds;
mod changes;
mod leaves;
mod past;
mod rest;
mod steps;
mod target;

pub use past::against;

use crate::invariants;
use crate::model::{FORMAT_VERSION, Plan, Step};
use dax_core::ResourceAddr;

/// Something of a plan that is not as a planner would have made it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unsound {
    /// The path of the field: `steps[0].inverse.operations`.
    pub field: String,
    /// What is wrong with it, and what it should be where that is short.
    pub message: String,
}

impl std::fmt::Display for Unsound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}` {}", self.field, self.message)
    }
}

/// What was found so far.
#[derive(Default)]
struct Findings(Vec<Unsound>);

impl Findings {
    fn say(&mut self, field: impl Into<String>, message: impl Into<String>) {
        self.0.push(Unsound { field: field.into(), message: message.into() });
    }

    /// Says that a field is another than it should be, unless it is the same.
    fn same<T: PartialEq + std::fmt::Display>(&mut self, field: String, found: T, wanted: T) {
        if found != wanted {
            self.say(field, format!("is {found}, and should be {wanted}"));
        }
    }
}

/// Everything in which a plan is not one that a planner makes; nothing when it may be shown and carried out.
///
/// Later checks rely on what earlier ones found sound, so that a plan without order is not looked at any further.
pub fn prove(plan: &Plan) -> Vec<Unsound> {
    let mut found = Findings::default();
    if plan.format_version != FORMAT_VERSION {
        found.same("format_version".to_owned(), plan.format_version, FORMAT_VERSION);
        return found.0;
    }
    for check in [names, steps::order, changes::complete, bounds::check] {
        check(plan, &mut found);
        if !found.0.is_empty() {
            return found.0;
        }
    }
    changes::check(plan, &mut found);
    rest::check(plan, &mut found);
    if found.0.is_empty() {
        for broken in invariants::prove(plan) {
            found.say(format!("steps[{}]", broken.step.0), format!("breaks a promise: {broken}"));
        }
    }
    found.0
}

fn names(plan: &Plan, found: &mut Findings) {
    let letters = |text: &str| {
        !text.is_empty()
            && text.len() <= 100
            && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
    };
    let key = |text: &str| {
        !text.is_empty()
            && text.len() <= 63
            && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_'))
    };
    if !letters(&plan.project) {
        found.say("project", "is no name of a project");
    }
    let (base, instance) = dax_core::keyed(&plan.environment);
    if !letters(base) || !instance.is_none_or(key) {
        found.say("environment", "is no name of an environment");
    }
    for (provider, objects) in &plan.observed {
        let names = objects.keys().map(|object| (object, format!("observed.{provider}.{object}")));
        names.filter(|(object, _)| !is_object(object)).for_each(|(_, field)| {
            found.say(field, "is no name of an object");
        });
        if provider.is_empty() {
            found.say("observed", "names a provider without a name");
        }
    }
    for (at, step) in plan.steps.iter().enumerate() {
        if !is_object(&step.object) {
            found.say(format!("steps[{at}].object"), "is no name of an object");
        }
    }
}

/// Whether a platform may call something so: no control characters, and no part of a path that leads elsewhere.
fn is_object(name: &str) -> bool {
    !name.is_empty()
        && name.len() <= 1_024
        && !name.chars().any(|c| c.is_control() || c == '\\')
        && name.split('/').all(|part| !matches!(part, "" | "." | ".."))
}

/// The steps of each change with the index of the first, in the order of the changes; fewer where they are not in order.
fn of_changes(plan: &Plan) -> Vec<(usize, &[Step])> {
    let mut at = 0;
    let mut all = Vec::new();
    for change in &plan.changes {
        let rest = plan.steps.get(at..).unwrap_or_default();
        let count = rest.iter().take_while(|step| step.service == change.addr).count();
        all.push((at, rest.get(..count).unwrap_or_default()));
        at += count;
    }
    all
}

/// Where a change stands in a plan, for messages.
fn place(at: usize, field: &str) -> String {
    format!("changes[{at}].{field}")
}

fn result(addr: &ResourceAddr, field: &str) -> String {
    format!("result.{addr}.{field}")
}
