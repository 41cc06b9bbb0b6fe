//! What people read: the comment of an environment, and the page about all of them.

use crate::plans::{Planned, Report, Verdict};
use dax_engine::model::Risk;
use dax_engine::render::{self, Block, Flavour, Line, Section, Tone};
use dax_engine::{Plan, printable};

/// Bytes that the difference to an earlier plan may take of a comment.
const DIFFERENCE: usize = 12_000;
/// A commit as people write it.
const SHORT: usize = 10;

/// What stands around a plan.
pub struct Frame<'f> {
    /// Whose Markdown.
    pub flavour: Flavour,
    /// The commit.
    pub commit: &'f str,
    /// The run's page.
    pub url: Option<&'f str>,
    /// Bytes that there are.
    pub budget: usize,
}

/// The marker of a comment, as nobody sees it.
pub(crate) fn marker(flavour: Flavour, of: &str) -> String {
    match flavour {
        Flavour::GitHub | Flavour::GitLab => format!("<!-- dax:{of} -->"),
        // Bitbucket shows HTML comments; a definition that nothing refers to it does not.
        Flavour::Bitbucket => format!("[//]: # (dax:{of})"),
    }
}

/// The marker of an environment's comment.
pub(crate) fn marker_of(flavour: Flavour, report: &Report) -> String {
    marker(flavour, &format!("{}:{}", report.project, report.environment))
}

/// A commit as people write it.
pub(crate) fn short(commit: &str) -> &str {
    commit.get(..SHORT).unwrap_or(commit)
}

/// One line about an environment.
pub(crate) fn headline(report: &Report) -> String {
    let name = format!("{} / {}", report.project, report.environment);
    match &report.verdict {
        Verdict::Removed => {
            format!("{name}: no longer in the program; what runs there stays until it is destroyed")
        }
        Verdict::Failed(_) => format!("{name}: cannot be planned"),
        Verdict::Plan(planned) => {
            let denied = if planned.denied { " (denied by a policy)" } else { "" };
            match render::plan(&planned.plan, &planned.standing).first() {
                Some(Block::Heading(_, line)) => format!("{}{denied}", line.plain()),
                _ => format!("{name}{denied}"),
            }
        }
    }
}

/// The comment of an environment.
pub fn comment(report: &Report, frame: &Frame<'_>) -> String {
    let marker = marker_of(frame.flavour, report);
    let foot = foot(frame);
    let room = frame.budget.saturating_sub(marker.len() + foot.len() + 4);
    let body = render::markdown(&blocks(report, frame), frame.flavour, room);
    format!("{marker}\n{body}\n{foot}")
}

/// Where it comes from.
fn foot(frame: &Frame<'_>) -> String {
    let run = match frame.url {
        Some(url) => format!(" · [the run]({})", printable::Line::new(url)),
        None => String::new(),
    };
    format!(
        "_Planned for commit {} by dax {}{run}._\n",
        printable::Line::new(short(frame.commit)),
        env!("CARGO_PKG_VERSION")
    )
}

fn heading(level: usize, text: &str) -> Block {
    Block::Heading(level, Line::at(0).with(Tone::Strong, text))
}

/// Lines of texts; those after the first of a text stand behind a bar, so that none passes for a
/// text of its own.
fn lines(tone: Tone, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Block {
    let mut lines = Vec::new();
    for text in texts {
        for (number, line) in text.as_ref().lines().enumerate() {
            let bar = if number > 0 { "  │ " } else { "" };
            lines.push(Line::at(0).with(tone, format!("{bar}{line}")));
        }
    }
    Block::Lines(lines)
}

fn blocks(report: &Report, frame: &Frame<'_>) -> Vec<Block> {
    let planned = match &report.verdict {
        Verdict::Plan(planned) => planned,
        Verdict::Failed(why) => {
            return vec![heading(1, &headline(report)), lines(Tone::Remove, [why])];
        }
        Verdict::Removed => return vec![heading(1, &headline(report))],
    };
    let mut plan = render::plan(&planned.plan, &planned.standing).into_iter();
    let mut blocks: Vec<Block> = plan.by_ref().take(1).collect();
    if planned.altered {
        let text = "this change alters the conditions themselves: who must agree or who that is, what comes first, or when";
        blocks.push(lines(Tone::Warn, [text]));
    }
    if !planned.policies.is_empty() {
        blocks
            .push(heading(2, if planned.denied { "Denied by a policy" } else { "Policies warn" }));
        blocks
            .push(lines(if planned.denied { Tone::Remove } else { Tone::Warn }, &planned.policies));
    }
    blocks.extend(since(planned, frame));
    blocks.extend(plan);
    if !planned.plan.is_empty() && !planned.plan.approvals.is_empty() {
        let how = format!("dax approve -e {} {}", planned.plan.environment, planned.digest);
        blocks.push(heading(2, "To approve"));
        let text = "an approving review of this commit by one of those named above, or";
        blocks.push(lines(Tone::Plain, [text.to_owned(), how]));
    }
    blocks
}

/// What is other than what reviewers saw before.
fn since(planned: &Planned, frame: &Frame<'_>) -> Vec<Block> {
    let Some(before) = &planned.before else { return Vec::new() };
    let from = short(&before.commit);
    if planned.same_as_before() {
        return vec![lines(
            Tone::Plain,
            [format!("it does the same as the plan for commit {from}, which you have seen")],
        )];
    }
    let mut body: Vec<Block> = render::diff(&before.plan, &planned.plan);
    let count = match body.first() {
        Some(Block::Heading(_, line)) => {
            line.plain().split_once(": ").map_or_else(String::new, |(_, count)| count.to_owned())
        }
        _ => String::new(),
    };
    body = flat(body);
    if render::markdown(&body, frame.flavour, DIFFERENCE).len() > DIFFERENCE {
        body = vec![lines(
            Tone::Warn,
            ["too much to show here: `dax diff` of the two saved plans has it"],
        )];
    }
    // Shown before anything else goes: it is what who reviewed the last push wants to know.
    let head = Line::at(0).with(Tone::Change, format!("Since the plan for commit {from}: {count}"));
    vec![Block::Section(Section { head, body, weight: u32::MAX })]
}

/// The page about all environments; of a single one its own.
pub(crate) fn page(
    reports: &[Report],
    faults: &[String],
    passed: usize,
    frame: &Frame<'_>,
) -> String {
    let mut all = Vec::new();
    if !faults.is_empty() {
        all.push(heading(2, "The program"));
        all.push(lines(Tone::Remove, faults));
    }
    if let [one] = reports {
        all.extend(blocks(one, frame));
    } else {
        all.push(heading(1, &format!("{} environments planned", reports.len())));
        let rows: Vec<Vec<String>> = reports.iter().map(row).collect();
        if !reports.is_empty() {
            let heads = vec!["project", "environment", "plan", "digest"];
            all.push(Block::Table(heads, render::rows(&rows)));
        }
        for report in reports
            .iter()
            .filter(|report| report.planned().is_none_or(|planned| !planned.plan.is_empty()))
        {
            let head = Line::at(0).with(Tone::Strong, headline(report));
            all.push(Block::Section(Section {
                head,
                body: flat(blocks(report, frame)),
                weight: weight(report),
            }));
        }
    }
    if passed > 0 {
        all.push(lines(Tone::Plain, [format!("{passed} tests of the program passed")]));
    }
    let foot = foot(frame);
    let body = render::markdown(&all, frame.flavour, frame.budget.saturating_sub(foot.len() + 2));
    format!("{body}\n{foot}")
}

/// A row of the table.
fn row(report: &Report) -> Vec<String> {
    let headline = headline(report);
    let (_, plan) = headline.split_once(": ").unwrap_or(("", &headline));
    let digest = report
        .planned()
        .map_or_else(String::new, |planned| planned.digest.chars().take(16).collect());
    vec![report.project.to_string(), report.environment.to_string(), plan.to_owned(), digest]
}

/// Blocks inside of a section: headings would stand out of it.
fn flat(blocks: Vec<Block>) -> Vec<Block> {
    blocks.into_iter().skip(1).collect()
}

/// How much a reviewer would miss an environment.
fn weight(report: &Report) -> u32 {
    if report.failed() {
        return u32::MAX;
    }
    let worst = |plan: &Plan| plan.changes.iter().flat_map(|change| &change.risks).min().copied();
    match report.planned().and_then(|planned| worst(&planned.plan)) {
        Some(Risk::PointOfNoReturn | Risk::Delete | Risk::Replace | Risk::Gap) => 3,
        Some(_) => 2,
        None => 1,
    }
}
