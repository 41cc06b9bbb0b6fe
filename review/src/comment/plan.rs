//! The part below the decision about a plan: loosened conditions, policies, the difference to what
//! was shown, and the plan itself, folded.

use super::finding;
use super::input::{Before, CommentInput, Condition, Ending, Frame, PlanShown};
use super::{inline, short};
use dax_engine::render::{self, Block, Cut, Flavour, Line, Section, Tone};
use std::fmt::Write;

/// Bytes that conditions, policies and the difference to an earlier plan may take of a comment,
/// each.
const LIST: usize = 12_000;
/// Such lists in a comment, with one share of the room that is left to the plan in any case.
const LISTS: usize = 6;

/// Bytes that each list may take of so many.
pub(super) fn share(room: usize) -> usize {
    LIST.min(room / LISTS)
}

/// A part of a comment, with what it leaves out.
pub(super) struct Part {
    /// The text.
    pub(super) text: String,
    /// Everything that was left out, in words; nothing where nothing was.
    pub(super) cut: Option<String>,
    /// The reason why whoever reads it was not shown the plan; nothing where it was.
    pub(super) lacks: Option<String>,
}

/// All below the decision.
pub(super) fn body(
    input: &CommentInput,
    shown: &PlanShown,
    frame: &Frame<'_>,
    room: usize,
) -> Part {
    let mut out = String::new();
    let applied = input.outcome.applied().is_some();
    let most = share(room);
    let mut lacks = None;
    if !applied {
        let conditions = conditions(&input.environment, shown, frame.flavour, most);
        out.push_str(&conditions.text);
        lacks = conditions.lacks;
        out.push_str(&policies(shown, frame.flavour, most));
        if let Some(Ending::NotApplied(not)) = &input.outcome.ending
            && !not.lines.is_empty()
        {
            let lines = lines(Tone::Warn, &not.lines);
            out.push_str(&render::markdown(&[lines], frame.flavour, most));
        }
        out.push_str(&since(shown, frame, most));
    }
    if let Some(other) = &input.same_as {
        let text = format!("The same change as in `{other}`, whose comment has the details.");
        let _ = writeln!(out, "{}\n", inline(&text));
        return Part { text: out, cut: None, lacks };
    }
    let room = room.saturating_sub(out.len());
    let blocks = if applied { bare(&shown.plan) } else { render::details(&shown.plan) };
    let details = render::fitted(&blocks, frame.flavour, room);
    out.push_str(&details.text);
    let lacks = lacks.or_else(|| unnamed(&details.cut));
    Part { text: out, cut: details.cut.text(), lacks }
}

/// The reason why details do not show a plan: a change of which not even the name and what decides
/// about it is there.
pub(super) fn unnamed(cut: &Cut) -> Option<String> {
    let why = || {
        format!(
            "its plan is too long, the comment would lack {}; make the change in smaller parts",
            cut.text().unwrap_or_default()
        )
    };
    (!cut.names_all()).then(why)
}

/// The details of a plan without what was to be thought of before.
fn bare(plan: &dax_engine::Plan) -> Vec<Block> {
    let blocks = render::details(plan).into_iter();
    blocks.filter(|block| matches!(block, Block::Section(_))).collect()
}

/// Lines of texts; those after the first of a text stand behind a bar, so that none passes for a
/// text of its own.
pub(super) fn lines(tone: Tone, texts: impl IntoIterator<Item = impl AsRef<str>>) -> Block {
    let mut lines = Vec::new();
    for text in texts {
        for (number, line) in text.as_ref().lines().enumerate() {
            let bar = if number > 0 { "  │ " } else { "" };
            lines.push(Line::at(0).with(tone, format!("{bar}{line}")));
        }
    }
    Block::Lines(lines)
}

/// Conditions that the change alters, before → after, in lists of at most so many bytes.
pub(super) fn conditions(
    environment: &str,
    shown: &PlanShown,
    flavour: Flavour,
    most: usize,
) -> Part {
    let mut part = Part { text: String::new(), cut: None, lacks: None };
    let all = &shown.conditions;
    let titles = [
        (true, false, format!("loosens the conditions of {environment}")),
        (true, true, format!("changes how {environment} is rolled out")),
        (false, false, format!("changes the conditions of {environment}")),
    ];
    for (loosens, strategy, title) in titles {
        let belongs = |one: &&Condition| one.loosens == loosens && one.strategy == strategy;
        let some: Vec<&Condition> = all.iter().filter(belongs).collect();
        if some.is_empty() {
            continue;
        }
        let is_old = |one: &render::Progress| one.rule != render::Rule::Program;
        let named = shown.standing.approvals.iter().any(is_old);
        part.text.push_str(&alert(&title, loosens, named, flavour));
        let lines: Vec<Line> = some.iter().flat_map(|one| condition(one)).collect();
        let fitted = render::fitted(&[Block::Lines(lines)], flavour, most);
        part.text.push_str(&fitted.text);
        if loosens && fitted.cut != Cut::default() {
            let why = "it changes more conditions than fit into the comment: change fewer at once";
            part.lacks = Some(why.to_owned());
        }
    }
    part
}

/// A title; red where it is one to stop at.
fn alert(title: &str, loosens: bool, named: bool, flavour: Flavour) -> String {
    let title = super::escaped(title);
    let who = if named {
        "those of the old rule must approve it too"
    } else {
        "the old rules name nobody who would have to approve it"
    };
    match (loosens, flavour) {
        (true, Flavour::GitHub | Flavour::GitLab) => {
            format!("> [!CAUTION]\n> **{title}**: {who}\n\n")
        }
        (true, Flavour::Bitbucket) => format!("### {title}: {who}\n\n"),
        (false, _) => format!("### {title}\n\n"),
    }
}

fn condition(one: &Condition) -> Vec<Line> {
    let line = |tone: Tone, mark: &str, text: &str| {
        Line::at(0).with(tone, format!("{mark} {}: {text}", one.what))
    };
    match (&one.before, &one.after) {
        (None, None) => vec![Line::at(0).with(Tone::Warn, &one.what)],
        (Some(before), None) => {
            vec![line(Tone::Remove, "-", &format!("{before} (removed)"))]
        }
        (None, Some(after)) => vec![line(Tone::Add, "+", after)],
        (Some(before), Some(after)) => {
            vec![line(Tone::Remove, "-", before), line(Tone::Add, "+", after)]
        }
    }
}

fn policies(shown: &PlanShown, flavour: Flavour, most: usize) -> String {
    if shown.policies.is_empty() {
        return String::new();
    }
    let (title, tone) = if shown.unseen {
        ("Not shown to reviewers", Tone::Remove)
    } else if shown.denied {
        ("Denied by a policy", Tone::Remove)
    } else {
        ("Policies warn", Tone::Warn)
    };
    let texts: Vec<String> = shown.policies.iter().map(|text| finding::plain(text)).collect();
    let heading = Block::Heading(2, Line::at(0).with(Tone::Strong, title));
    render::markdown(&[heading, lines(tone, &texts)], flavour, most)
}

/// The difference to what reviewers saw before.
fn since(shown: &PlanShown, frame: &Frame<'_>, most: usize) -> String {
    let Some(Before { commit, plan, same }) = &shown.before else { return String::new() };
    let from = short(commit);
    if *same {
        let text = format!("It does the same as the plan for commit {from}, which you have seen.");
        return format!("{}\n\n", inline(&text));
    }
    let mut body = render::diff(plan, &shown.plan);
    let count = match body.first() {
        Some(Block::Heading(_, line)) => {
            line.plain().rsplit_once(": ").map_or_else(String::new, |(_, count)| count.to_owned())
        }
        _ => String::new(),
    };
    let body: Vec<Block> = body.drain(..).skip(1).collect();
    let head = Line::at(0).with(Tone::Change, format!("Since commit {from}: {count}"));
    let section = Section { head, body, steps: None, group: None, weight: u32::MAX };
    render::markdown(&[Block::Section(section)], frame.flavour, most)
}

#[cfg(test)]
mod tests {
    use crate::comment::input::{Before, Condition, Content, Outcome, PlanShown};
    use crate::comment::{CommentInput, Frame, comment};
    use dax_engine::render::{Flavour, Standing};
    use dax_engine::{Plan, digest};

    /// A plan that changes so many fields of one service, each to a value.
    fn plan(fields: usize, value: &str) -> Plan {
        let leaf = |at: usize| {
            serde_json::json!({
                "path": format!("env.F{at}"), "before": { "str": "a" },
                "after": { "str": value }, "live": null, "owner": "dax", "origin": null,
                "changed_by": null,
            })
        };
        let plan = serde_json::json!({
            "format_version": 2, "project": "shop", "environment": "production", "mode": "apply",
            "params": {}, "sources": "", "base": { "lineage": "", "serial": 0 }, "gates": [],
            "approvals": [], "unchanged": 0, "steps": [], "observed": {}, "result": {},
            "changes": [{
                "addr": "service.web", "action": "update", "reason": "changed", "strategy": null,
                "from": null, "to": null, "risks": [], "span": null, "rollback_within_ms": 0,
                "leaves": (0..fields).map(leaf).collect::<Vec<_>>(),
            }],
        });
        serde_json::from_value(plan).unwrap()
    }

    #[test]
    fn a_comment_keeps_to_its_budget_and_its_lists_leave_room_for_the_plan() {
        let condition = |loosens: bool, at: usize| Condition {
            what: format!("policy {at}"),
            before: Some("x".repeat(200)),
            after: None,
            loosens,
            strategy: false,
        };
        let plan_now = plan(2_000, "c");
        let shown = PlanShown {
            digest: digest::digest(&plan_now),
            plan: plan_now,
            standing: Standing::default(),
            policies: vec!["y".repeat(2_000); 100],
            denied: true,
            unseen: false,
            conditions: (0..200).map(|at| condition(at < 100, at)).collect(),
            lapsed: Vec::new(),
            before: Some(Before { commit: "c".repeat(40), plan: plan(2_000, "b"), same: false }),
        };
        let input = CommentInput {
            project: "shop".into(),
            environment: "production".into(),
            content: Content::Plan(Box::new(shown)),
            outcome: Outcome::default(),
            same_as: None,
        };
        for flavour in [Flavour::GitHub, Flavour::Bitbucket] {
            let budget = flavour.budget();
            let text = comment(&input, &Frame { flavour, commit: "abc", url: None, budget });
            assert!(text.len() <= budget, "{} of {budget}", text.len());
            let of = |value: &str| text.matches(&format!(" → \"{value}\"")).count();
            // Each list is as full as its share allows.
            let all = [text.matches("policy ").count(), text.matches("yyyy").count(), of("c")];
            assert!(all.iter().all(|count| *count >= 15), "{all:?}");
            assert!(text.len() > budget * 2 / 3, "{} of {budget}", text.len());
        }
    }
}
