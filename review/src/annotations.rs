//! Annotations on lines of the program: what is wrong with it, what policies say, and what its
//! changes lead to.

use dax_engine::model::{Action, Change, Gate, Risk};
use dax_engine::printable::{Line, Text};
use dax_engine::render::{self, short_value};
use dax_engine::{ConditionChange, ConditionKind, Diagnostic, Plan, Sources};
use dax_provider_api::review::{Annotation, Level};

/// So many remarks are made; each batch of them is a call that counts against GitHub's limit on
/// content.
const MOST: usize = 200;

/// A path from the top of the repository.
fn from_top(folder: &str, path: &str) -> String {
    if folder == "." { path.to_owned() } else { format!("{folder}/{path}") }
}

/// A finding, unless it is in a file that is not the project's own.
pub(crate) fn finding(folder: &str, sources: &Sources, found: &Diagnostic) -> Option<Annotation> {
    let file = sources.name(found.span.file);
    if file.starts_with("std/") || file.is_empty() {
        return None;
    }
    let help = found.help.as_ref().map_or_else(String::new, |help| format!("\n{help}"));
    Some(Annotation {
        level: if found.is_error() { Level::Failure } else { Level::Warning },
        path: from_top(folder, file),
        line: sources.line_column(found.span.file, found.span.start).line,
        title: format!("{} {}", found.code, found.code.summary),
        message: format!("{}{help}", found.detail),
    })
}

/// Changes of a plan, where the program says so; deletions in any case.
pub(crate) fn changes(folder: &str, plan: &Plan) -> Vec<Annotation> {
    let lost: Vec<_> = plan.points_of_no_return().map(|step| &step.service).collect();
    plan.changes
        .iter()
        .filter_map(|change| one(folder, plan, change, lost.contains(&&change.addr)))
        .collect()
}

fn one(folder: &str, plan: &Plan, change: &Change, no_return: bool) -> Option<Annotation> {
    let origin = change.leaves.iter().find_map(|leaf| leaf.origin.as_deref());
    let place = origin.or(change.span.as_deref()).and_then(split);
    let grave = change.risks.iter().any(|risk| {
        matches!(risk, Risk::PointOfNoReturn | Risk::Delete | Risk::Replace | Risk::Gap)
    });
    let word = match change.action {
        Action::Create => "creates",
        Action::Update => "updates",
        Action::Rollout => "rolls out",
        Action::Replace => "replaces",
        Action::Adopt => "takes over",
        Action::Move => "renames",
        Action::Delete => "deletes",
        Action::Forget => "forgets",
    };
    let weighs = grave || no_return || change.blocked.is_some() || render::stops(change);
    // A service that is no longer in the program has no line there; what is grave is said all the
    // same.
    let (path, line) = match place {
        Some(place) => place,
        None if weighs => of_environment(plan),
        None => return None,
    };
    let shown =
        |value: &Option<_>| value.as_ref().map_or_else(|| "nothing".to_owned(), short_value);
    // What decides what runs is never among those that are only counted.
    let leaves: Vec<String> = render::ordered_leaves(change)
        .into_iter()
        .take(5)
        .map(|leaf| format!("{}: {} → {}", leaf.path, shown(&leaf.before), shown(&leaf.after)))
        .collect();
    let more = change.leaves.len().saturating_sub(5);
    let mut message = leaves.join("\n");
    if more > 0 {
        message.push_str(&format!("\nand {more} more"));
    }
    if matches!(change.action, Action::Delete | Action::Replace) {
        message.push_str("\nIts data is gone; a rollback makes it again from the state.");
    }
    if no_return {
        message.push_str("\nA step of it is irreversible.");
    }
    if let Some(why) = &change.blocked {
        message.push_str(&format!("\nBlocked: {why}"));
    }
    if message.is_empty() {
        message = format!("{} in {}", change.addr, plan.environment);
    }
    Some(Annotation {
        level: if weighs { Level::Warning } else { Level::Notice },
        path: from_top(folder, path),
        line,
        title: format!("{word} {} in {}", change.addr.name(), plan.environment),
        message: message.trim().to_owned(),
    })
}

/// The place that stands for an environment as a whole: the first of its conditions, or the
/// manifest.
fn of_environment(plan: &Plan) -> (&str, u32) {
    let gate = plan.gates.iter().find_map(|gate| match gate {
        Gate::After { span, .. } => Some(span.as_str()),
        Gate::Windows(windows) => windows.first().map(|window| window.span.as_str()),
    });
    let approval = plan.approvals.first().map(|approval| approval.span.as_str());
    approval.or(gate).and_then(split).unwrap_or(("dax.mod", 1))
}

/// Conditions of an environment that the change loosens.
pub(crate) fn loosened(folder: &str, plan: &Plan, changes: &[ConditionChange]) -> Vec<Annotation> {
    let (path, line) = of_environment(plan);
    let none = |side: &Option<String>| side.clone().unwrap_or_else(|| "nothing".to_owned());
    let one = |change: &ConditionChange| Annotation {
        level: Level::Warning,
        path: from_top(folder, path),
        line,
        title: match change.kind {
            ConditionKind::Strategy => {
                format!("changes how {} is rolled out: {}", plan.environment, change.what)
            }
            _ => format!("loosens the conditions of {}: {}", plan.environment, change.what),
        },
        message: format!(
            "{}: {} → {}\nThose whom the old rules name must approve it too.",
            change.what,
            none(&change.before),
            none(&change.after)
        ),
    };
    changes.iter().filter(|change| change.loosens).map(one).collect()
}

/// The file and the line of `main.dax:3:1`.
fn split(place: &str) -> Option<(&str, u32)> {
    let (rest, _) = place.rsplit_once(':')?;
    let (file, line) = rest.rsplit_once(':')?;
    (!file.starts_with("std/")).then_some((file, line.parse().ok()?))
}

/// Those that weigh most, each once and printable, and how many were left out.
pub(crate) fn choose(mut all: Vec<Annotation>) -> (Vec<Annotation>, usize) {
    for one in &mut all {
        one.title = Line::new(&one.title).to_string();
        one.message = Text::new(&one.message).to_string();
    }
    all.sort();
    all.dedup();
    let more = all.len().saturating_sub(MOST);
    all.truncate(MOST);
    (all, more)
}

#[cfg(test)]
mod tests {
    use super::{changes, loosened};
    use dax_engine::{ConditionChange, ConditionKind, Plan};
    use dax_provider_api::review::{Annotation, Level};

    /// A plan that deletes a service of which the program has no line.
    fn deletes(approvals: serde_json::Value) -> Plan {
        serde_json::from_value(serde_json::json!({
            "format_version": 2, "project": "shop", "environment": "production", "mode": "apply",
            "params": {}, "sources": "", "base": { "lineage": "", "serial": 0 }, "gates": [],
            "approvals": approvals, "unchanged": 0, "steps": [], "observed": {}, "result": {},
            "changes": [{
                "addr": "service.api", "action": "delete", "reason": "removed", "strategy": null,
                "from": null, "to": null, "leaves": [], "risks": ["delete"], "span": null,
                "rollback_within_ms": 0,
            }],
        }))
        .expect("a plan")
    }

    fn shown(all: &[Annotation]) -> String {
        let one = |one: &Annotation| {
            let Annotation { level, path, line, title, message } = one;
            format!("{level:?} {path}:{line} {title}: {message}")
        };
        all.iter().map(one).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn what_is_deleted_is_warned_of_although_the_program_has_no_line_for_it() {
        let guarded = serde_json::json!([
            { "count": 1, "of": ["team:sre"], "span": "main.dax:19:3" }
        ]);
        let at_rule = changes("shop", &deletes(guarded));
        let at_manifest = changes(".", &deletes(serde_json::json!([])));
        assert_eq!(at_rule[0].level, Level::Warning);
        insta::assert_snapshot!(shown(&[at_rule, at_manifest].concat()), @r"
        Warning shop/main.dax:19 deletes api in production: Its data is gone; a rollback makes it again from the state.
        Warning dax.mod:1 deletes api in production: Its data is gone; a rollback makes it again from the state.
        ");
    }

    #[test]
    fn a_loosened_condition_is_warned_of_and_a_stricter_one_is_not() {
        let change = |after: Option<&str>, loosens: bool| ConditionChange {
            kind: ConditionKind::Approvals,
            what: "approvals".to_owned(),
            before: Some("1 of team:sre".to_owned()),
            after: after.map(str::to_owned),
            loosens,
        };
        let all = [change(None, true), change(Some("2 of team:sre"), false)];
        let found = loosened(".", &deletes(serde_json::json!([])), &all);
        insta::assert_snapshot!(shown(&found), @r"
        Warning dax.mod:1 loosens the conditions of production: approvals: approvals: 1 of team:sre → nothing
        Those whom the old rules name must approve it too.
        ");
    }
}
