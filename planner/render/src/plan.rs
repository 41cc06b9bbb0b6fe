//! A plan as a tree: verdict, what stands in its way, risks, changes by service with their steps, and the rest.

mod details;
mod leaves;
mod picture;
mod steps;

pub use steps::step_text;

use crate::tree::{Block, Line, Section, Tone, rows};
use crate::values::millis;
use dax_core::ResourceAddr;
use dax_plan::ROLLBACK_WITHIN_MS;
use dax_plan::model::{
    Action, Change, Gate, InverseClass, Mode, OnFailure, Owner, Reason, ReplaceOrder, Risk, Window,
};
use dax_plan::{Plan, Step, StepKind};
use leaves::leaf;
use std::collections::BTreeMap;
use steps::{people, plural, step_lines};

/// What stands in a plan's way at this moment; the plan itself knows no time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    /// Why it may not be applied now, one sentence each.
    pub obstacles: Vec<String>,
    /// Whether nothing but time stands in its way.
    pub early: bool,
}

/// The tree of a plan.
pub fn plan(plan: &Plan, standing: &Standing) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, verdict(plan)), Block::Lines(facts(plan))];
    heading(&mut blocks, "Not possible now", obstacles(plan, standing));
    heading(&mut blocks, "Conditions", conditions(plan));
    let risks = risks(plan);
    if !risks.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, "Risks")));
        blocks.push(Block::Table(vec!["risk", "count", "where"], rows(&risks)));
    }
    blocks.extend(picture::picture(plan).map(Block::Picture));
    let mut of_service: BTreeMap<&ResourceAddr, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        of_service.entry(&step.service).or_default().push(step);
    }
    for change in &plan.changes {
        let steps = of_service.remove(&change.addr).unwrap_or_default();
        blocks.push(Block::Section(section(plan, change, &steps)));
    }
    heading(&mut blocks, "Planned once more is known", deferred(plan));
    blocks.push(Block::Lines(tail(plan)));
    blocks.retain(|block| !matches!(block, Block::Lines(lines) if lines.is_empty()));
    blocks
}

fn heading(blocks: &mut Vec<Block>, title: &str, lines: Vec<Line>) {
    if !lines.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, title)));
        blocks.push(Block::Lines(lines));
    }
}

fn verdict(plan: &Plan) -> Line {
    let mut line =
        Line::at(0).with(Tone::Strong, format!("{} / {}: ", plan.project, plan.environment));
    if plan.is_empty() {
        return line.with(Tone::Add, "nothing to do");
    }
    let mut first = true;
    let mut add = |line: Line, count: usize, tone: Tone, word: &str| {
        if count == 0 {
            return line;
        }
        let gap = if std::mem::take(&mut first) { "" } else { ", " };
        line.with(Tone::Plain, gap).with(tone, format!("{count} to {word}"))
    };
    for action in ACTIONS {
        let count = plan.changes.iter().filter(|change| change.action == action).count();
        line = add(line, count, tone(action), word(action));
    }
    line = add(line, plan.deferred.len(), Tone::Dim, "plan later");
    if plan.unreachable.is_empty() {
        return line;
    }
    line.with(Tone::Plain, if first { "" } else { ", " })
        .with(Tone::Warn, format!("{} out of reach", plan.unreachable.len()))
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
    let steps = plan.steps.len();
    let estimate = &plan.estimate;
    let mode = match plan.mode {
        Mode::Apply => "",
        Mode::Rollback => "rollback, ",
        Mode::Destroy => "destroy, ",
    };
    let waiting = if estimate.least_ms > 0 {
        format!(", {} at least", millis(estimate.least_ms))
    } else {
        String::new()
    };
    let calls = plural(estimate.calls as usize, "call");
    let text = format!(
        "{mode}{steps} {}, {} provider {calls}{waiting}",
        plural(steps, "step"),
        estimate.calls
    );
    let mut lines = vec![
        Line::at(0).with(Tone::Dim, text),
        Line::at(0).with(Tone::Dim, format!("digest {}", dax_plan::digest::digest(plan))),
    ];
    lines.extend(details::reached(plan));
    lines
}

fn obstacles(plan: &Plan, standing: &Standing) -> Vec<Line> {
    let warn = |text: &str| Line::at(0).with(Tone::Warn, text);
    let blocked = plan
        .changes
        .iter()
        .filter_map(|change| Some(format!("{}: {}", change.addr, change.blocked.as_ref()?)));
    standing.obstacles.iter().cloned().chain(blocked).map(|text| warn(&text)).collect()
}

fn conditions(plan: &Plan) -> Vec<Line> {
    let mut lines = Vec::new();
    let mut say = |text: String, span: &str| {
        let line = Line::at(0).with(Tone::Warn, text);
        lines.push(if span.is_empty() { line } else { line.with(Tone::Dim, format!("  {span}")) });
    };
    for gate in &plan.gates {
        match gate {
            Gate::After { environment, soak_ms, verified, valid_ms, span } => {
                let soak = if *soak_ms > 0 {
                    format!(", which must have run for {}", millis(*soak_ms))
                } else {
                    String::new()
                };
                let verified = if *verified { ", verified by an analysis" } else { "" };
                let valid = if *valid_ms > 0 {
                    format!(", not longer than {} ago", millis(*valid_ms))
                } else {
                    String::new()
                };
                say(format!("comes after `{environment}`{soak}{verified}{valid}"), span);
            }
            Gate::Windows(windows) => {
                for window in windows {
                    say(format!("only {}", window_text(window)), &window.span);
                }
            }
        }
    }
    for approval in &plan.approvals {
        say(format!("needs the approval of {}", people(approval)), &approval.span);
    }
    let policy = match plan.on_failure {
        OnFailure::Rollback => None,
        OnFailure::RollbackAll => Some("when a step fails, everything of this run is taken back"),
        OnFailure::Hold => {
            Some("when a step fails, everything stays as it is until somebody decides")
        }
        OnFailure::Continue => Some("when a step fails, what does not depend on it goes on"),
    };
    if let Some(policy) = policy.filter(|_| !plan.steps.is_empty()) {
        say(policy.to_owned(), "");
    }
    for (name, services) in &plan.releases {
        let names: Vec<&str> = services.iter().map(ResourceAddr::name).collect();
        say(format!("release {name}: {} are taken back together", names.join(", ")), "");
    }
    for step in plan.points_of_no_return() {
        say(
            format!("step {} cannot be taken back: it needs --acknowledge {}", step.id, step.id),
            "",
        );
    }
    lines
}

fn window_text(window: &Window) -> String {
    let days: Vec<&str> = window.days.iter().map(dax_core::Name::as_str).collect();
    format!("{} from {} to {} {}", days.join(", "), window.from, window.to, window.zone)
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
        Reason::Lost => "gone from where it ran",
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

const fn risk_text(risk: Risk) -> &'static str {
    match risk {
        Risk::PointOfNoReturn => "point of no return",
        Risk::Delete => "delete",
        Risk::Replace => "replace",
        Risk::Gap => "serves nobody for a while",
        Risk::Adopt => "takes over what dax did not make",
        Risk::Exposure => "ports change",
        Risk::Traffic => "traffic moves",
        Risk::Compensating => "undone only by starting anew",
        Risk::Drift => "changed outside of dax",
        Risk::Secrets => "other secrets",
        Risk::StateOnly => "only the state",
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

fn risks(plan: &Plan) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for risk in RISKS {
        let wanted = |step: &&Step| match risk {
            Risk::PointOfNoReturn => step.inverse.class == InverseClass::None,
            Risk::Traffic => {
                matches!(step.kind, StepKind::ShiftTraffic { .. })
                    && !step.pre.values().all(is_empty)
            }
            Risk::Compensating => step.inverse.class == InverseClass::Compensating,
            _ => false,
        };
        let bears = |change: &&Change| change.risks.contains(&risk);
        let by_step = matches!(risk, Risk::PointOfNoReturn | Risk::Traffic | Risk::Compensating);
        let places: Vec<String> = if by_step {
            plan.steps
                .iter()
                .filter(wanted)
                .map(|step| format!("{} step {}", step.service, step.id))
                .collect()
        } else {
            plan.changes.iter().filter(bears).map(|change| change.addr.to_string()).collect()
        };
        if !places.is_empty() {
            rows.push(vec![
                risk_text(risk).to_owned(),
                places.len().to_string(),
                shortened(&places),
            ]);
        }
    }
    rows
}

fn is_empty(value: &dax_core::Value) -> bool {
    matches!(value, dax_core::Value::Map(map) if map.is_empty())
}

fn shortened(places: &[String]) -> String {
    const SHOWN: usize = 4;
    let shown = places[..places.len().min(SHOWN)].join(", ");
    if places.len() > SHOWN { format!("{shown} and {} more", places.len() - SHOWN) } else { shown }
}

fn section(plan: &Plan, change: &Change, steps: &[&Step]) -> Section {
    let mut lines: Vec<Line> = Vec::new();
    if let Some(replace) = &change.replace {
        let order = match replace.order {
            ReplaceOrder::CreateFirst => "the new one serves before the old one goes",
            ReplaceOrder::DeleteFirst => {
                "the old one goes before the new one is made: there is a gap"
            }
        };
        let because: Vec<&str> = replace.because.iter().map(dax_core::Name::as_str).collect();
        lines.push(
            Line::at(1)
                .with(Tone::Warn, format!("! replaced because of {}: {order}", because.join(", "))),
        );
    }
    lines.extend(change.blocked.iter().map(|why| Line::at(1).with(Tone::Warn, format!("! {why}"))));
    lines.extend(change.leaves.iter().flat_map(leaf));
    lines.extend(details::place(plan, change));
    lines.extend(details::remembered(plan, change));
    if change.rollback_within_ms != ROLLBACK_WITHIN_MS && !steps.is_empty() {
        let within = format!("undoing a step may take {}", millis(change.rollback_within_ms));
        lines.push(Line::at(1).with(Tone::Dim, within));
    }
    let body = [lines, step_lines(plan, steps)];
    let worst = change
        .risks
        .first()
        .map_or(0, |worst| 1 + RISKS.iter().rev().position(|risk| risk == worst).unwrap_or(0));
    Section {
        head: change_head(change),
        body: body.into_iter().filter(|lines| !lines.is_empty()).map(Block::Lines).collect(),
        weight: u32::try_from(worst).unwrap_or(0),
    }
}

/// The line that says what happens to a service.
pub(crate) fn change_head(change: &Change) -> Line {
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
    if plan.unchanged > 0 {
        tail.push(Line::at(0).with(
            Tone::Dim,
            format!("{} {} unchanged", plan.unchanged, plural(plan.unchanged, "service")),
        ));
    }
    let drift = plan
        .changes
        .iter()
        .flat_map(|c| &c.leaves)
        .filter(|leaf| leaf.owner == Owner::Other)
        .count();
    if drift > 0 {
        tail.push(Line::at(0).with(
            Tone::Warn,
            format!("{drift} {} drifted since the last apply", plural(drift, "leaf")),
        ));
    }
    if !plan.left_out.is_empty() {
        let names: Vec<String> = plan.left_out.iter().map(|addr| addr.name().to_owned()).collect();
        tail.push(
            Line::at(0).with(
                Tone::Warn,
                format!("left out by --target or --exclude: {}", shortened(&names)),
            ),
        );
    }
    tail
}
