//! The first lines of a comment: the decision, what to do about it, and how it comes back.

use super::finding;
use super::input::{CommentInput, Content, Deployed, Ending, Frame, NotApplied, PlanShown};
use super::times::utc;
use super::{escaped, inline, request};
use dax_engine::Name;
use dax_engine::render::{self, Progress, Standing};
use std::fmt::Write;

/// Names shown of many.
const NAMES: usize = 8;

/// The decision in one line, without markup.
pub(super) fn decision(input: &CommentInput) -> String {
    let name = render::short_name(&input.environment);
    match &input.content {
        Content::Removed { rules: None } => format!("{name} · no longer in the program"),
        Content::Removed { rules: Some(rules) } => {
            let rules = render::unseparated(rules);
            format!("{name} · no longer in the program, nor are its rules: {rules}")
        }
        // Whoever finds nothing left to do may have lost a race: the run that did it is named.
        Content::NothingMore => match input.outcome.applied() {
            Some(deployed) => format!("{name} · {}", applied(deployed)),
            None => format!("{name} · nothing to change any more"),
        },
        Content::Failed(why) => {
            let first = finding::plain(why.lines().next().unwrap_or_default());
            format!("{name} · cannot be planned: {}", render::unseparated(&first))
        }
        Content::Plan(shown) => {
            if let Some(deployed) = input.outcome.applied() {
                return format!("{name} · {}", applied(deployed));
            }
            let mut ahead = Vec::new();
            match &input.outcome.ending {
                Some(Ending::NotApplied(_)) => ahead.push("not applied".to_owned()),
                Some(Ending::Applied(_)) | None => {}
            }
            if shown.unseen {
                ahead.push("not shown to reviewers".to_owned());
            } else if shown.denied {
                ahead.push("denied by a policy".to_owned());
            }
            let standing = standing(shown);
            if !standing.is_loosened() && !shown.conditions.is_empty() {
                ahead.push(format!("changes the conditions of {name}"));
            }
            render::decision_after(&shown.plan, &standing, &ahead).plain()
        }
    }
}

/// The weight of an environment among others: the one with less is read first.
pub(super) fn weight(input: &CommentInput) -> usize {
    match &input.content {
        Content::Plan(shown) if shown.denied => 0,
        Content::Plan(shown) if standing(shown).is_loosened() => 1,
        Content::Removed { rules: Some(_) } => 1,
        Content::Failed(_) => 2,
        Content::Plan(shown) => 3 + render::gravity(&shown.plan),
        Content::Removed { rules: None } | Content::NothingMore => usize::MAX,
    }
}

/// Blockers and approvals, with the conditions that the change loosens.
fn standing(shown: &PlanShown) -> Standing {
    let mut standing = shown.standing.clone();
    if !standing.is_loosened() {
        for one in shown.conditions.iter().filter(|one| one.loosens) {
            let all = if one.strategy { &mut standing.strategies } else { &mut standing.loosens };
            all.push(one.what.clone());
        }
    }
    standing
}

/// `applied by run 2 at 2026-11-27 05:12 UTC, approved by ann`.
fn applied(deployed: &Deployed) -> String {
    let Deployed { run, at_ms, approved_by } = deployed;
    let by = if approved_by.is_empty() {
        String::new()
    } else {
        let names: Vec<String> = approved_by.iter().map(|one| render::short_name(one)).collect();
        format!(", approved by {}", names.join(", "))
    };
    format!("applied by run {run} at {}{by}", utc(*at_ms))
}

/// The first lines, as Markdown.
pub(super) fn head(input: &CommentInput, frame: &Frame<'_>) -> String {
    let mut out = format!("**{}**\n\n", inline(&decision(input)));
    let name = &input.environment;
    match &input.content {
        Content::Removed { rules: Some(_) } => {
            let text = format!(
                "What runs there stays, and nobody would guard it: run `dax destroy -e {name}` by \
                 a program that still has it, or take these rules out first, in a change of their \
                 own that those whom they name approve."
            );
            let _ = writeln!(out, "{}", inline(&text));
        }
        Content::Removed { rules: None } => {
            let text = format!(
                "What runs there stays until `dax destroy -e {name}`, run by a program that still \
                 has it."
            );
            let _ = writeln!(out, "{}", inline(&text));
        }
        Content::NothingMore if input.outcome.applied().is_some() => {
            let _ = writeln!(out, "Nothing is left to do.");
        }
        Content::NothingMore => {
            let text = "The plan that an earlier push of this change showed here is void; \
                        approvals of it count for nothing.";
            let _ = writeln!(out, "{text}");
        }
        Content::Failed(why) => {
            let _ = writeln!(out, "{}", inline(&finding::remedy(why, name)));
            let more: Vec<String> = why
                .lines()
                .skip(1)
                .filter(|line| !line.trim().is_empty())
                .map(|line| format!("- {}", inline(&finding::plain(line))))
                .collect();
            if !more.is_empty() {
                let _ = writeln!(out, "\n{}", more.join("\n"));
            }
        }
        Content::Plan(shown) => plan_head(&mut out, input, shown, frame),
    }
    out
}

fn plan_head(out: &mut String, input: &CommentInput, shown: &PlanShown, frame: &Frame<'_>) {
    if input.outcome.applied().is_some() {
        let did = render::decision(&shown.plan, &render::Standing::default()).plain();
        let did = did.split_once(" · ").map_or("", |(_, did)| did);
        let did = did.split(" · needs ").next().unwrap_or_default();
        if !did.is_empty() && !shown.plan.is_empty() {
            let _ = writeln!(out, "Done: {}  ", escaped(did));
        }
    } else if let Some(why) = input.outcome.not_applied() {
        not_applied(out, why);
    } else {
        let todo = to_do(shown, frame);
        if !todo.is_empty() {
            let _ = writeln!(out, "{todo}  ");
        }
    }
    if let Some(line) = render::reversal(&shown.plan) {
        let _ = writeln!(out, "{}", inline(&line.plain()));
    }
    if input.outcome.applied().is_none() {
        lapsed(out, shown);
    }
}

fn not_applied(out: &mut String, not: &NotApplied) {
    let since = not.since_ms.map_or_else(String::new, |at| format!(", since {}", utc(at)));
    let _ = writeln!(out, "Why: {}  ", inline(&format!("{}{since}", not.why)));
    if let Some(remedy) = &not.remedy {
        let _ = writeln!(out, "What helps: {}  ", inline(remedy));
    }
}

/// The next thing that a reviewer has to do; nothing where nobody has to do anything.
fn to_do(shown: &PlanShown, frame: &Frame<'_>) -> String {
    let loosens = standing(shown).is_loosened();
    if shown.unseen {
        return format!(
            "A part of this plan was shown for no {} in the queue: take yours out of the queue, and \
             plan it anew on the branch as it is then.",
            request(frame.flavour)
        );
    }
    if shown.denied {
        return "A policy denies this plan: nobody can approve it as it is.".to_owned();
    }
    if shown.plan.is_empty() && !loosens {
        return String::new();
    }
    let progress = shown.standing.progress(&shown.plan);
    let lacking: Vec<&Progress> = progress.iter().filter(|one| one.lacking() > 0).collect();
    if lacking.is_empty() {
        return match shown.standing.obstacles.first() {
            Some(first) => format!("Blocked: {}", inline(first)),
            None if crate::previews::number(&shown.plan.environment).is_some() => format!(
                "Made by `dax ci apply` of this {0}, and removed when the {0} is closed.",
                request(frame.flavour)
            ),
            None => format!("Applied after the merge of this {}.", request(frame.flavour)),
        };
    }
    let who: Vec<String> = lacking.iter().map(|one| who(one)).collect();
    let review = format!(
        "To approve: an approving review of this {} by {}",
        request(frame.flavour),
        escaped(&who.join(" and "))
    );
    // Of a team nobody's command counts.
    if render::by_review(&shown.plan, &shown.standing).is_some() {
        return review;
    }
    format!("{review}, or `{}`", render::approve_command(&shown.plan, &shown.standing))
}

/// `ann or bob (0 of 1)`.
fn who(one: &Progress) -> String {
    let short = |name: &Name| render::short_name(name);
    let waiting = one.members.iter().filter(|name| !one.approved.contains(name));
    let waiting: Vec<String> = waiting.map(short).take(NAMES).collect();
    let count = format!("({} of {})", one.approved.len(), one.needed);
    let names = match waiting.as_slice() {
        [] if one.of.is_empty() => "anybody but its author".to_owned(),
        [] => one.of.iter().map(short).collect::<Vec<_>>().join(" or "),
        [only] => only.clone(),
        [first @ .., last] => format!("{} or {last}", first.join(", ")),
    };
    format!("{names} {count}")
}

fn lapsed(out: &mut String, shown: &PlanShown) {
    if shown.lapsed.is_empty() {
        return;
    }
    out.push('\n');
    for one in &shown.lapsed {
        let text = format!("- **{} must look again**: {}", escaped(&one.who), inline(&one.why));
        let _ = writeln!(out, "{text}");
    }
}
