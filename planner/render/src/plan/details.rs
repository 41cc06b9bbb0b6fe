//! Everything that a step does beside its few words: commands that undo it, what an analysis
//! measures and requires.
//!
//! Whatever a plan does stands in what reviewers are shown of it: nobody can hide in a saved plan
//! what is not here.

use crate::shorten;
use crate::tree::{Line, Tone};
use crate::values::{self, millis};
use dax_core::{Name, ResourceAddr, Value};
use dax_model::Operation;
use dax_plan::analysis::{Analysis, Limits, NoData, Semantics, Worse};
use dax_plan::model::{Action, AppliedService, Change, Idempotency};
use dax_plan::{Plan, Step, Task};

/// Program and arguments as a shell would take them.
pub(super) fn words(command: &[Name]) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_=+.,:/@%".contains(c);
    let word = |word: &Name| {
        let quoted = word.is_empty() || !word.chars().all(plain);
        if quoted { format!("{word:?}") } else { word.to_string() }
    };
    command.iter().map(word).collect::<Vec<_>>().join(" ")
}

/// The command that undoes a migration.
pub(super) fn undo(step: &Step) -> Option<String> {
    match step.inverse.operations.as_slice() {
        [Operation::Migrate { command, .. }] => Some(format!(", by {}", words(command))),
        _ => None,
    }
}

/// The time that a command may take, and who decides about it when its outcome is not known.
pub(super) fn command(step: &Step) -> Option<String> {
    if !matches!(step.task, Task::Call(Operation::Run { .. } | Operation::Migrate { .. })) {
        return None;
    }
    let asks = match step.idempotency {
        Idempotency::Ask => "; if it is interrupted, a person says what became of it",
        Idempotency::ByKey | Idempotency::ByTag | Idempotency::ReadToDecide => "",
    };
    Some(format!("  at most {}{asks}", millis(step.timeout_ms)))
}

/// The place of a new service, and the settings that its provider gets.
pub(super) fn place(plan: &Plan, change: &Change) -> Option<Line> {
    let applied = plan.result.get(&change.addr)?.as_ref()?;
    if change.action != Action::Create {
        return None;
    }
    let named =
        if applied.object.is_empty() { String::new() } else { format!(" as {}", applied.object) };
    let said = settings(applied);
    let gap = if said.is_empty() { "" } else { ": " };
    let text = format!("on {}{named}{gap}{}", applied.provider, said.join(", "));
    Some(Line::at(1).vital().with(Tone::Dim, text))
}

/// Things that the state remembers of a service beside its fields.
pub(super) fn remembered(plan: &Plan, change: &Change) -> Option<Line> {
    let applied = plan.result.get(&change.addr)?.as_ref()?;
    let needs: Vec<&str> = applied.needs.iter().map(ResourceAddr::as_str).collect();
    let needs = (!needs.is_empty()).then(|| format!("needs {}", needs.join(", ")));
    let protected = applied.protected.then(|| "protected from being destroyed".to_owned());
    let said: Vec<String> = needs.into_iter().chain(protected).collect();
    let line = if applied.protected { Line::at(1).vital() } else { Line::at(1) };
    (!said.is_empty()).then(|| line.with(Tone::Dim, said.join("; ")))
}

/// The configuration of the providers that take one.
pub(super) fn reached(plan: &Plan) -> Vec<Line> {
    let said = |config: &Value| -> Vec<String> {
        let said = config.entries().filter(|(_, value)| says(value));
        said.map(setting).collect()
    };
    let line = |(name, config): (&Name, &Value)| {
        let text = format!("{name} is reached with {}", said(config).join(", "));
        Line::at(0).with(Tone::Dim, text)
    };
    plan.providers.iter().map(line).collect()
}

fn says(value: &Value) -> bool {
    match value {
        Value::None => false,
        Value::List(items) => !items.is_empty(),
        Value::Map(map) => !map.is_empty(),
        _ => true,
    }
}

fn settings(applied: &AppliedService) -> Vec<String> {
    // Ports and objects are fields of the service and stand there.
    let settings = applied.settings.iter().filter(|(name, value)| {
        !matches!(name.as_str(), "ports" | dax_plan::desired::OBJECT) && says(value)
    });
    settings.map(setting).collect()
}

fn setting((name, value): (&Name, &Value)) -> String {
    match values::secrets(value) {
        Some(from) => format!("{name} {} from {from}", shorten::value(value)),
        None => format!("{name} {}", shorten::value(value)),
    }
}

/// Measurements and requirements of analyses; each once, at the first step that has it.
pub(super) fn analysis<'p>(step: &'p Step, shown: &mut Vec<&'p Analysis>) -> Vec<Line> {
    let Task::Analyse { analysis, .. } = &step.task else { return Vec::new() };
    if shown.contains(&analysis) {
        return Vec::new();
    }
    shown.push(analysis);
    lines(analysis).into_iter().map(|text| Line::at(3).with(Tone::Dim, text)).collect()
}

/// The number of the analysis among those shown that a step has, where it is not its first one.
pub(super) fn same_as(step: &Step, shown: &[&Analysis]) -> Option<String> {
    let Task::Analyse { analysis, .. } = &step.task else { return None };
    let at = shown.iter().position(|one| *one == analysis)?;
    let which = if shown.len() > 1 { format!(" {}", at + 1) } else { String::new() };
    Some(format!("  by analysis{which} above"))
}

fn lines(analysis: &Analysis) -> Vec<String> {
    let Analysis { from, window_ms, initial_delay_ms, metrics, baseline, .. } = analysis;
    let delay = if *initial_delay_ms > 0 {
        format!(", first after {}", millis(*initial_delay_ms))
    } else {
        String::new()
    };
    let mut lines = vec![format!("from {from} over {}{delay}", millis(*window_ms))];
    lines.extend(
        metrics
            .iter()
            .map(|(name, metric)| format!("{name}: {} = {:?}", metric.ty, metric.query.as_str())),
    );
    for (word, conditions) in
        [("require", &analysis.require), ("forbid", &analysis.forbid), ("advise", &analysis.advise)]
    {
        lines.extend(conditions.iter().map(|condition| format!("{word} {condition}")));
    }
    let share = |hundredths: u32| format!("{}%", f64::from(hundredths) / 100.0);
    for one in baseline {
        let worse = match one.worse {
            Worse::Increase => "more",
            Worse::Decrease => "less",
            Worse::Either => "more or less",
        };
        let (tolerance, sure) = (share(one.tolerance), share(one.confidence));
        lines.push(format!("baseline {}: not {worse} by {tolerance}, {sure} sure", one.metric));
    }
    lines.push(borne(analysis));
    lines
}

fn borne(analysis: &Analysis) -> String {
    let Limits { failures, consecutive_failures, inconclusive, errors, successes } =
        analysis.limits;
    let counted = |word: &str, limit: Option<u32>| limit.map(|limit| format!("{limit} {word}"));
    let borne = [
        counted("failed", failures),
        counted("failed in a row", consecutive_failures),
        counted("inconclusive", inconclusive),
        counted("errors in a row", Some(errors)),
    ];
    let borne: Vec<String> = borne.into_iter().flatten().collect();
    let enough = if successes > 0 {
        format!("; {successes} good in a row are enough")
    } else {
        String::new()
    };
    let none = match analysis.on_no_data {
        NoData::Inconclusive => "inconclusive",
        NoData::Fail => "failed",
        NoData::Pass => "good",
        NoData::Error => "an error",
    };
    let rules = match analysis.semantics {
        Semantics::Native => "",
        Semantics::Argo => "; by the rules of Argo Rollouts",
        Semantics::Flagger => "; by the rules of Flagger",
    };
    format!("bears {}{enough}; no data is {none}{rules}", borne.join(", "))
}
