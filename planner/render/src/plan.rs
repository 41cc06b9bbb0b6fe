//! A plan as a tree: the decision, blockers and conditions, risks, changes by service with their
//! steps, and the rest.

mod commands;
mod conditions;
mod decision;
mod details;
mod image;
mod leaves;
mod names;
mod picture;
mod reversal;
mod risks;
mod sequence;
mod steps;
mod traffic;

pub(crate) use conditions::when;
pub use decision::{decision, decision_after, gravity, stops};
pub use leaves::ordered as ordered_leaves;
pub use reversal::reversal;
pub use steps::step_text;

use crate::shorten::grouped;
use crate::standing::Standing;
use crate::tree::{Block, Group, Line, Section, Steps, Tone, rows};
use crate::values::millis;
use dax_core::ResourceAddr;
use dax_plan::ROLLBACK_WITHIN_MS;
use dax_plan::model::{Action, Change, Owner, Reason, ReplaceOrder, Risk};
use dax_plan::{Plan, Step};
use sequence::Sequences;
use std::collections::BTreeMap;
use steps::plural;

/// The tree of a plan.
pub fn plan(plan: &Plan, standing: &Standing) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, decision(plan, standing))];
    blocks.extend(reversal(plan).map(|line| Block::Lines(vec![line])));
    heading(&mut blocks, "Blocked", blocked(plan, standing));
    heading(&mut blocks, "Loosened conditions", loosened(&standing.loosens));
    heading(&mut blocks, "Changed strategies", loosened(&standing.strategies));
    heading(&mut blocks, "Approval", approvals(plan, standing));
    blocks.extend(details(plan));
    blocks.push(Block::Lines(facts(plan)));
    blocks.retain(|block| !matches!(block, Block::Lines(lines) if lines.is_empty()));
    blocks
}

/// The details below the decision about a plan: conditions, risks, changes with their steps,
/// figures.
pub fn details(plan: &Plan) -> Vec<Block> {
    let mut blocks = Vec::new();
    heading(&mut blocks, "Conditions", conditions::conditions(plan));
    let risks = risks::risks(plan);
    if !risks.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, "Risks")));
        blocks.push(Block::Table(vec!["risk", "count", "where"], rows(&risks)));
    }
    blocks.extend(picture::picture(plan).map(Block::Picture));
    let mut steps: BTreeMap<&ResourceAddr, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        steps.entry(&step.service).or_default().push(step);
    }
    let mut sequences = Sequences::default();
    for change in &plan.changes {
        let own = steps.remove(&change.addr).unwrap_or_default();
        blocks.push(Block::Section(section(plan, change, &own, &mut sequences)));
    }
    heading(&mut blocks, "Deferred until an input is known", deferred(plan));
    blocks.push(Block::Lines(tail(plan)));
    blocks.push(Block::Lines(details::reached(plan)));
    blocks.retain(|block| !matches!(block, Block::Lines(lines) if lines.is_empty()));
    blocks
}

/// The word for what happens to a service.
pub const fn action_word(action: Action) -> &'static str {
    word(action)
}

fn heading(blocks: &mut Vec<Block>, title: &str, lines: Vec<Line>) {
    if !lines.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, title)));
        blocks.push(Block::Lines(lines));
    }
}

/// The number of changes of each kind: `1 to delete, 2 to roll out`.
fn tally(plan: &Plan) -> String {
    let mut parts = Vec::new();
    for action in ACTIONS {
        let count = plan.changes.iter().filter(|change| change.action == action).count();
        if count > 0 {
            parts.push(format!("{} to {}", grouped(count), word(action)));
        }
    }
    for (count, what) in
        [(plan.deferred.len(), "deferred"), (plan.unreachable.len(), "unreachable")]
    {
        if count > 0 {
            parts.push(format!("{} {what}", grouped(count)));
        }
    }
    parts.join(", ")
}

const ACTIONS: [Action; 8] = [
    Action::Create,
    Action::Adopt,
    Action::Rollout,
    Action::Update,
    Action::Replace,
    Action::Move,
    Action::Delete,
    Action::Forget,
];

fn facts(plan: &Plan) -> Vec<Line> {
    if plan.is_empty() {
        return Vec::new();
    }
    let digest = dax_plan::digest::digest(plan);
    vec![
        Line::at(0).with(Tone::Dim, figures(plan)),
        Line::at(0).with(Tone::Dim, format!("digest {digest}")),
    ]
}

/// The figures of a plan: changes of each kind, steps, calls, time.
pub fn figures(plan: &Plan) -> String {
    let estimate = &plan.estimate;
    let waiting = if estimate.least_ms > 0 {
        format!(", {} at least", millis(estimate.least_ms))
    } else {
        String::new()
    };
    format!(
        "{}: {} {}, {} provider {}{waiting}",
        tally(plan),
        grouped(plan.steps.len()),
        plural(plan.steps.len(), "step"),
        grouped(estimate.calls as usize),
        plural(estimate.calls as usize, "call"),
    )
}

/// Reasons why a plan may not be applied now.
fn blocked(plan: &Plan, standing: &Standing) -> Vec<Line> {
    let changes = plan
        .changes
        .iter()
        .filter_map(|change| Some(format!("{}: {}", change.addr, change.blocked.as_ref()?)));
    let all = standing.obstacles.iter().cloned().chain(changes);
    all.map(|text| Line::at(0).with(Tone::Warn, text)).collect()
}

fn loosened(texts: &[String]) -> Vec<Line> {
    texts.iter().map(|text| Line::at(0).with(Tone::Remove, text)).collect()
}

/// Approval rules with how far each of them is, and the command that approves.
fn approvals(plan: &Plan, standing: &Standing) -> Vec<Line> {
    let progress = standing.progress(plan);
    let span = |at: usize| plan.approvals.get(at).map_or("", |gate| gate.span.as_str());
    let mut lines = Vec::new();
    for (at, one) in progress.iter().enumerate() {
        let open = one.lacking() > 0 && asks(plan, standing);
        let tone = if open { Tone::Warn } else { Tone::Plain };
        let line = Line::at(0).with(tone, format!("{}: {}", one.rule_text(), one.text()));
        let span = if one.rule == crate::standing::Rule::Program { span(at) } else { "" };
        let gap = if span.is_empty() { "" } else { "  " };
        lines.push(line.with(Tone::Dim, format!("{gap}{span}")));
    }
    if progress.iter().any(|one| one.lacking() > 0) && asks(plan, standing) {
        let void = standing.void.iter();
        lines.extend(void.map(|text| Line::at(0).with(Tone::Dim, text.clone())));
        let how = by_review(plan, standing).unwrap_or_else(|| approve_command(plan, standing));
        lines.push(Line::at(0).with(Tone::Plain, how));
    }
    lines
}

/// Reports whether anybody must approve anything.
fn asks(plan: &Plan, standing: &Standing) -> bool {
    !plan.is_empty() || standing.is_loosened()
}

/// The command that approves a plan.
pub fn approve_command(plan: &Plan, standing: &Standing) -> String {
    let key = if standing.signed { "--key FILE " } else { "" };
    let digest = dax_plan::digest::digest(plan);
    format!("dax approve -e {} {key}{digest}", shell_word(&plan.environment))
}

/// The way to approve a plan where each approval that lacks is of teams of a code host: only there it is known who
/// belongs to them, so that no command of dax counts. Nothing where others may.
pub fn by_review(plan: &Plan, standing: &Standing) -> Option<String> {
    let progress = standing.progress(plan);
    let lacking: Vec<_> = progress.iter().filter(|one| one.lacking() > 0).collect();
    let of_teams = |of: &[dax_core::Name]| !of.is_empty() && of.iter().all(|one| one.contains('/'));
    if lacking.is_empty() || !lacking.iter().all(|one| of_teams(&one.of)) {
        return None;
    }
    let mut teams: Vec<&str> = lacking.iter().flat_map(|one| &one.of).map(|one| &**one).collect();
    teams.sort_unstable();
    teams.dedup();
    Some(format!(
        "by a review: who belongs to {} is asked at the code host (`dax ci apply`)",
        teams.join(", ")
    ))
}

/// A name as a shell takes it: in quotes where it has brackets, which are a pattern of files.
pub fn shell_word(name: &str) -> String {
    match name.contains(['[', ']']) {
        true => format!("'{name}'"),
        false => name.to_owned(),
    }
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Rollout => "roll out",
        Action::Replace => "replace",
        Action::Adopt => "adopt",
        Action::Move => "move",
        Action::Delete => "delete",
        Action::Forget => "forget",
    }
}

const fn tone(action: Action) -> Tone {
    match action {
        Action::Create => Tone::Add,
        Action::Update | Action::Rollout | Action::Adopt => Tone::Change,
        Action::Delete | Action::Replace => Tone::Remove,
        Action::Forget | Action::Move => Tone::Dim,
    }
}

const fn mark(action: Action) -> &'static str {
    match action {
        Action::Create => "+",
        Action::Update | Action::Rollout => "~",
        Action::Replace => "±",
        Action::Adopt => "»",
        Action::Delete => "-",
        Action::Move => "→",
        Action::Forget => "·",
    }
}

const fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::New => "new",
        Reason::Changed => "changed",
        Reason::Drifted => "drifted",
        Reason::Lost => "gone from its platform",
        Reason::Removed => "no longer in the program",
        Reason::Destroyed => "destroy",
        Reason::RolledBack => "rollback",
        Reason::Moved => "moved",
        Reason::Kept => "no longer in the program, which lets it run",
        Reason::Adopted => "runs already",
        Reason::ProviderChanged => "on another provider",
        Reason::Immutable => "cannot be changed in place",
        Reason::Protection => "only its protection",
    }
}

const RISKS: [Risk; 11] = [
    Risk::PointOfNoReturn,
    Risk::Delete,
    Risk::Replace,
    Risk::Gap,
    Risk::Adopt,
    Risk::Exposure,
    Risk::Traffic,
    Risk::Compensating,
    Risk::Drift,
    Risk::Secrets,
    Risk::StateOnly,
];

fn shortened(places: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = places[..places.len().min(SHOWN)].join(", ");
    if places.len() > SHOWN { format!("{shown} and {} more", places.len() - SHOWN) } else { shown }
}

fn section(plan: &Plan, change: &Change, own: &[&Step], sequences: &mut Sequences) -> Section {
    let mut lines: Vec<Line> = Vec::new();
    if change.action == Action::Delete && !own.is_empty() {
        let lost = sequence::lost(&change.addr);
        let text = format!("! deleted: {lost} is gone; a rollback makes it again from the state");
        lines.push(Line::at(1).vital().with(Tone::Remove, text));
    }
    if let Some(replace) = &change.replace {
        let order = match replace.order {
            ReplaceOrder::CreateFirst => "create before destroy",
            ReplaceOrder::DeleteFirst => "destroy before create, with downtime",
        };
        let because: Vec<&str> = replace.because.iter().map(dax_core::Name::as_str).collect();
        let lost = sequence::lost(&change.addr);
        let text = format!("! replaced because of {}: {order}; {lost} is gone", because.join(", "));
        lines.push(Line::at(1).vital().with(Tone::Warn, text));
    }
    let blocked = |why: &String| Line::at(1).vital().with(Tone::Warn, format!("! {why}"));
    lines.extend(change.blocked.iter().map(blocked));
    lines.extend(leaves::ordered(change).into_iter().flat_map(leaves::leaf));
    lines.extend(details::place(plan, change));
    lines.extend(details::remembered(plan, change));
    if change.rollback_within_ms != ROLLBACK_WITHIN_MS && !own.is_empty() {
        let within = format!("a rollback may take {}", millis(change.rollback_within_ms));
        lines.push(Line::at(1).with(Tone::Dim, within));
    }
    let mut body = vec![Block::Lines(lines)];
    body.retain(|block| !matches!(block, Block::Lines(lines) if lines.is_empty()));
    body.extend(traffic::chart(change, own).map(Block::Chart));
    let weight =
        |risk: &Risk| 1 + RISKS.iter().rev().position(|one| one == risk).unwrap_or_default();
    let stops = decision::stops(change).then_some(&Risk::Gap);
    let worst = change.risks.first().into_iter().chain(stops).map(weight).max().unwrap_or(0);
    Section {
        head: change_head(change),
        body,
        steps: steps_of(plan, change, own, sequences),
        group: Some(group(plan, change)),
        weight: u32::try_from(worst).unwrap_or(0),
    }
}

fn steps_of(
    plan: &Plan,
    change: &Change,
    own: &[&Step],
    sequences: &mut Sequences,
) -> Option<Steps> {
    let lines = sequences.lines(plan, change, own);
    let text = format!("{} {}", own.len(), plural(own.len(), "step"));
    (!lines.is_empty()).then(|| Steps { head: Line::at(1).with(Tone::Dim, text), lines })
}

/// The group in which a change shares a line with those that do the same, to the same leaves among
/// those that decide what runs.
fn group(plan: &Plan, change: &Change) -> Group {
    let mut what = format!("{} {}", mark(change.action), word(change.action));
    let goes = matches!(change.action, Action::Delete | Action::Forget);
    let vital = leaves::ordered(change).into_iter().filter(|leaf| leaves::is_vital(leaf) && !goes);
    for leaf in vital {
        what.push_str(&format!(", {} {}", leaf.path, decision::difference(leaf)));
    }
    if change.action == Action::Create
        && let Some(Some(applied)) = plan.result.get(&change.addr)
    {
        what.push_str(&format!(", on {}", applied.provider));
    }
    what.push_str(match decision::protection(plan, change) {
        Some(true) => ", protected from now on",
        Some(false) => ", no longer protected",
        None => "",
    });
    if change.blocked.is_some() {
        what.push_str(", blocked");
    }
    Group { what: what.as_str().into(), name: change.addr.as_str().into() }
}

/// The line that says what happens to a service.
fn change_head(change: &Change) -> Line {
    let mut line = Line::at(0)
        .with(tone(change.action), format!("{} ", mark(change.action)))
        .with(Tone::Strong, change.addr.as_str());
    line = line.with(tone(change.action), format!("  {}", word(change.action)));
    if let Some((name, kind)) = &change.strategy {
        let text =
            if name == kind { format!(" by {name}") } else { format!(" by {name} ({kind})") };
        line = line.with(Tone::Plain, text);
    }
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => {
            line = line.with(Tone::Plain, format!("  revision {from} → {to}"))
        }
        (None, Some(to)) => line = line.with(Tone::Plain, format!("  revision {to}")),
        _ => {}
    }
    if let Some(from) = &change.moved_from {
        line = line.with(Tone::Plain, format!("  was {from}"));
    }
    line = line.with(Tone::Dim, format!("  ({})", reason(change.reason)));
    match &change.span {
        Some(span) => line.with(Tone::Dim, format!("  {span}")),
        None => line,
    }
}

fn deferred(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    for one in &plan.deferred {
        let mut head = Line::at(0).with(Tone::Dim, "… ").with(Tone::Strong, one.addr.as_str());
        if let Some(span) = &one.span {
            head = head.with(Tone::Dim, format!("  {span}"));
        }
        lines.push(head);
        for wait in &one.waits {
            let known = match wait.step {
                Some(step) => format!("(known after step {step})"),
                None => "(known after apply)".to_owned(),
            };
            let what = if wait.path.is_empty() {
                "waits for".to_owned()
            } else {
                format!("{}:", wait.path)
            };
            lines.push(
                Line::at(1)
                    .with(Tone::Plain, format!("{what} {} ", wait.cause))
                    .with(Tone::Dim, known),
            );
        }
    }
    lines
}

fn tail(plan: &Plan) -> Vec<Line> {
    let mut tail = Vec::new();
    let drift = plan
        .changes
        .iter()
        .flat_map(|c| &c.leaves)
        .filter(|leaf| leaf.owner == Owner::Other)
        .count();
    if drift > 0 {
        tail.push(Line::at(0).with(
            Tone::Warn,
            format!("{drift} {} changed out of band since the last apply", plural(drift, "leaf")),
        ));
    }
    if !plan.left_out.is_empty() {
        let names: Vec<String> = plan.left_out.iter().map(|addr| addr.name().to_owned()).collect();
        tail.push(Line::at(0).with(
            Tone::Warn,
            format!("untargeted, left out by --target or --exclude: {}", shortened(&names)),
        ));
    }
    tail
}
