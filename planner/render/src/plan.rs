//! A plan as a tree: verdict, risks, changes by service, steps, and what only the state learns.

use crate::tree::{Block, Line, Tone};
use crate::values::{self, millis};
use dax_core::ResourceAddr;
use dax_plan::model::{Action, Change, InverseClass, LeafChange, Mode, Owner, Reason};
use dax_plan::{Plan, Step, StepKind};
use std::collections::BTreeMap;

/// The tree of a plan.
pub fn plan(plan: &Plan) -> Vec<Block> {
    let mut blocks = vec![Block::Heading(1, verdict(plan)), Block::Lines(facts(plan))];
    let blocked: Vec<Line> = plan
        .gates
        .iter()
        .filter_map(|gate| {
            let why = gate.blocked.as_ref()?;
            Some(Line::at(0).with(Tone::Warn, format!("comes after `{}`: {why}", gate.after)).with(Tone::Dim, format!("  {}", gate.span)))
        })
        .collect();
    let blocked: Vec<Line> = blocked
        .into_iter()
        .chain(plan.approvals.iter().map(|one| {
            let of: Vec<&str> = one.of.iter().map(dax_core::Name::as_str).collect();
            let text = format!("needs the approval of {} of {}", one.count, of.join(", "));
            Line::at(0).with(Tone::Warn, text).with(Tone::Dim, format!("  {}", one.span))
        }))
        .collect();
    if !blocked.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, "Not allowed yet")));
        blocks.push(Block::Lines(blocked));
    }
    let risks = risks(plan);
    if !risks.is_empty() {
        blocks.push(Block::Heading(2, Line::at(0).with(Tone::Strong, "Risks")));
        blocks.push(Block::Table(vec!["risk", "count", "where"], risks));
    }
    let mut of_service: BTreeMap<&ResourceAddr, Vec<&Step>> = BTreeMap::new();
    for step in &plan.steps {
        of_service.entry(&step.service).or_default().push(step);
    }
    for change in &plan.changes {
        blocks.push(Block::Heading(2, change_head(change)));
        blocks.push(Block::Lines(change.leaves.iter().flat_map(leaf).collect()));
        let steps: Vec<Line> = of_service.remove(&change.addr).unwrap_or_default().into_iter().map(|step| step_line(plan, step)).collect();
        if !steps.is_empty() {
            blocks.push(Block::Lines(steps));
        }
    }
    let mut tail = Vec::new();
    if plan.unchanged > 0 {
        tail.push(Line::at(0).with(Tone::Dim, format!("{} {} unchanged", plan.unchanged, plural(plan.unchanged, "service"))));
    }
    let drift = plan.changes.iter().flat_map(|c| &c.leaves).filter(|leaf| leaf.owner == Owner::Other).count();
    if drift > 0 {
        tail.push(Line::at(0).with(Tone::Warn, format!("{drift} {} drifted since the last apply", plural(drift, "leaf"))));
    }
    if !tail.is_empty() {
        blocks.push(Block::Lines(tail));
    }
    blocks.retain(|block| !matches!(block, Block::Lines(lines) if lines.is_empty()));
    blocks
}

fn plural(count: usize, word: &str) -> String {
    match (count, word) {
        (1, _) => word.to_owned(),
        (_, "leaf") => "leaves".to_owned(),
        _ => format!("{word}s"),
    }
}

fn verdict(plan: &Plan) -> Line {
    let line = Line::at(0).with(Tone::Strong, format!("{} / {}: ", plan.project, plan.environment));
    if plan.is_empty() {
        return line.with(Tone::Add, "nothing to do");
    }
    let mut line = line;
    let mut first = true;
    for action in [Action::Create, Action::Rollout, Action::Update, Action::Delete, Action::Forget] {
        let count = plan.changes.iter().filter(|change| change.action == action).count();
        if count > 0 {
            let gap = if std::mem::take(&mut first) { "" } else { ", " };
            line = line.with(Tone::Plain, gap).with(tone(action), format!("{count} to {}", word(action)));
        }
    }
    line
}

fn facts(plan: &Plan) -> Vec<Line> {
    if plan.is_empty() {
        return Vec::new();
    }
    let steps = plan.steps.len();
    let calls: u32 = plan.steps.iter().map(|step| step.calls).sum();
    let waits: u64 = plan.steps.iter().map(|step| step.expected_ms).sum();
    let mode = match plan.mode {
        Mode::Apply => "",
        Mode::Rollback => "rollback, ",
        Mode::Destroy => "destroy, ",
    };
    let waiting = if waits > 0 { format!(", {} of watching", millis(waits)) } else { String::new() };
    let text = format!("{mode}{steps} {}, {calls} provider {}{waiting}", plural(steps, "step"), plural(calls as usize, "call"));
    vec![Line::at(0).with(Tone::Dim, text), Line::at(0).with(Tone::Dim, format!("digest {}", &dax_plan::digest::digest(plan)[..16]))]
}

const fn word(action: Action) -> &'static str {
    match action {
        Action::Create => "create",
        Action::Update => "update",
        Action::Rollout => "roll out",
        Action::Delete => "delete",
        Action::Forget => "forget",
    }
}

const fn tone(action: Action) -> Tone {
    match action {
        Action::Create => Tone::Add,
        Action::Update | Action::Rollout => Tone::Change,
        Action::Delete => Tone::Remove,
        Action::Forget => Tone::Dim,
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
    }
}

fn risks(plan: &Plan) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    let mut row = |risk: &str, places: Vec<String>| {
        if !places.is_empty() {
            rows.push(vec![risk.to_owned(), places.len().to_string(), shortened(&places)]);
        }
    };
    let changes = |wanted: fn(&Change) -> bool| plan.changes.iter().filter(|c| wanted(c)).map(|c| c.addr.to_string()).collect();
    row("delete", changes(|c| c.action == Action::Delete));
    let steps = |wanted: fn(&Step) -> bool| {
        plan.steps.iter().filter(|s| wanted(s)).map(|s| format!("{} step {}", s.service, s.id)).collect::<Vec<_>>()
    };
    row("point of no return", steps(|s| s.inverse.class == InverseClass::None));
    row("undone only by starting anew", steps(|s| s.inverse.class == InverseClass::Compensating));
    row("traffic moves", steps(|s| matches!(s.kind, StepKind::ShiftTraffic { .. }) && !s.pre.values().all(is_empty)));
    let exposed = |leaf: &LeafChange| leaf.path.starts_with("ports");
    row("ports change", plan.changes.iter().filter(|c| c.leaves.iter().any(exposed)).map(|c| c.addr.to_string()).collect());
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

fn change_head(change: &Change) -> Line {
    let mark = match change.action {
        Action::Create => "+",
        Action::Update | Action::Rollout => "~",
        Action::Delete => "-",
        Action::Forget => "·",
    };
    let mut line = Line::at(0).with(tone(change.action), format!("{mark} ")).with(Tone::Strong, change.addr.as_str());
    line = line.with(tone(change.action), format!("  {}", word(change.action)));
    if let Some((name, kind)) = &change.strategy {
        let text = if name == kind { format!(" by {name}") } else { format!(" by {name} ({kind})") };
        line = line.with(Tone::Plain, text);
    }
    match (&change.from, &change.to) {
        (Some(from), Some(to)) => line = line.with(Tone::Plain, format!("  revision {from} → {to}")),
        (None, Some(to)) => line = line.with(Tone::Plain, format!("  revision {to}")),
        _ => {}
    }
    line = line.with(Tone::Dim, format!("  ({})", reason(change.reason)));
    match &change.span {
        Some(span) => line.with(Tone::Dim, format!("  {span}")),
        None => line,
    }
}

fn leaf(leaf: &LeafChange) -> Vec<Line> {
    let (mark, tone) = match (&leaf.before, &leaf.after) {
        (None, _) => ("+", Tone::Add),
        (_, None) => ("-", Tone::Remove),
        _ if leaf.owner == Owner::Other => ("!", Tone::Warn),
        _ => ("~", Tone::Change),
    };
    let before = if leaf.before == leaf.after { leaf.live.as_ref() } else { leaf.before.as_ref() };
    let (shown, more) = values::change(before, leaf.after.as_ref(), 3);
    let mut line = Line::at(1).with(tone, format!("{mark} ")).with(Tone::Plain, format!("{}: ", leaf.path));
    line.pieces.extend(shown.pieces);
    if let Some(live) = &leaf.live {
        line = line.with(Tone::Warn, format!("  live is {live}, changed outside of dax"));
    }
    if let Some(origin) = &leaf.origin {
        line = line.with(Tone::Dim, format!("  {origin}"));
    }
    std::iter::once(line).chain(more).collect()
}

/// What a step does, in a few words.
pub fn step_text(kind: &StepKind) -> String {
    match kind {
        StepKind::CreateService { .. } => "create the service".to_owned(),
        StepKind::UpdateService { .. } => "update the service's settings".to_owned(),
        StepKind::DeleteService => "delete the service".to_owned(),
        StepKind::CreateRevision { revision, replicas, .. } => {
            format!("start revision {revision} with {replicas} {}", plural(usize::try_from(*replicas).unwrap_or(0), "replica"))
        }
        StepKind::DeleteRevision { revision } => format!("delete revision {revision}"),
        StepKind::Scale { revision, replicas: 0 } => format!("put revision {revision} to rest"),
        StepKind::Scale { revision, replicas } => format!("scale revision {revision} to {replicas}"),
        StepKind::AwaitReady { revision } => format!("wait until revision {revision} is ready"),
        StepKind::ShiftTraffic { traffic } if traffic.is_empty() => "take all traffic away".to_owned(),
        StepKind::ShiftTraffic { traffic } => {
            let shares: Vec<String> = traffic.iter().map(|(id, share)| format!("{id} {}%", f64::from(*share) / 100.0)).collect();
            format!("shift traffic: {}", shares.join(", "))
        }
        StepKind::Hold { ms } => format!("hold for {}", millis(*ms)),
        StepKind::Analyse { revision, ms, analysis } => {
            format!("watch revision {revision} for {}, every {}", millis(*ms), millis(analysis.every_ms))
        }
    }
}

fn step_line(plan: &Plan, step: &Step) -> Line {
    let mut line = Line::at(1).with(Tone::Dim, format!("{:>3}. ", step.id.0 + 1)).with(Tone::Plain, step_text(&step.kind));
    line = match step.inverse.class {
        InverseClass::Nothing => line,
        InverseClass::Exact => line.with(Tone::Dim, "  undo: exact"),
        InverseClass::Compensating => line.with(Tone::Warn, "  undo: compensating"),
        InverseClass::None => line.with(Tone::Remove, "  undo: none"),
    };
    // Waiting for the step before it goes without saying.
    let foreign: Vec<String> = step
        .after
        .iter()
        .filter(|id| plan.steps.get(id.0 as usize).is_some_and(|before| before.service != step.service))
        .map(ToString::to_string)
        .collect();
    if !foreign.is_empty() {
        line = line.with(Tone::Dim, format!("  after step {}", foreign.join(", ")));
    }
    if step.rollback_point { line.with(Tone::Dim, "  rollback point before") } else { line }
}
