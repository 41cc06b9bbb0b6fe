//! Remarks on lines of the program: what is wrong with it, what policies say, and what its changes lead to.

use dax_engine::model::{Action, Change, Risk};
use dax_engine::printable::{Line, Text};
use dax_engine::{Diagnostic, Plan, Sources};
use dax_provider_api::review::{Annotation, Level};

/// So many remarks are made; each batch of them is a call that counts against GitHub's limit on content.
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

/// What a plan changes, where the program says so.
pub(crate) fn changes(folder: &str, plan: &Plan) -> Vec<Annotation> {
    let lost: Vec<_> = plan.points_of_no_return().map(|step| &step.service).collect();
    plan.changes
        .iter()
        .filter_map(|change| one(folder, plan, change, lost.contains(&&change.addr)))
        .collect()
}

fn one(folder: &str, plan: &Plan, change: &Change, no_return: bool) -> Option<Annotation> {
    let origin = change.leaves.iter().find_map(|leaf| leaf.origin.as_deref());
    let (path, line) = split(origin.or(change.span.as_deref())?)?;
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
    let shown = |value: &Option<_>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    let leaves: Vec<String> = change
        .leaves
        .iter()
        .take(5)
        .map(|leaf| format!("{}: {} → {}", leaf.path, shown(&leaf.before), shown(&leaf.after)))
        .collect();
    let more = change.leaves.len().saturating_sub(5);
    let mut message = leaves.join("\n");
    if more > 0 {
        message.push_str(&format!("\nand {more} more"));
    }
    if no_return {
        message.push_str("\nIt cannot be taken back.");
    }
    if message.is_empty() {
        message = format!("{} in {}", change.addr, plan.environment);
    }
    Some(Annotation {
        level: if grave || no_return { Level::Warning } else { Level::Notice },
        path: from_top(folder, path),
        line,
        title: format!("{word} {} in {}", change.addr.name(), plan.environment),
        message: message.trim().to_owned(),
    })
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
