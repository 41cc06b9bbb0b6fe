//! Comments that are not true any more: marked, folded away, and without the command that approves.

use super::inline;
use std::fmt::Write;

/// First words of a comment that is not true any more.
const WORDS: &str = "**Superseded by ";
/// Bytes beyond which the old plan is left out.
const MOST: usize = 60_000;

/// A comment of dax as one that something else has superseded: `the plan for commit 3aae454973`.
///
/// The marker stays, so that the comment is found again.
pub fn superseded(body: &str, why: &str) -> String {
    let (marker, rest) = body.split_once('\n').unwrap_or((body, ""));
    let first = format!("{marker}\n{WORDS}{}**\n", inline(why).trim_end_matches('.'));
    let old = match rest.strip_prefix(WORDS) {
        // It was marked before: the newer reason counts, and the old plan is folded already.
        Some(rest) => rest.split_once('\n').map_or("", |(_, old)| old).trim_start().to_owned(),
        None => folded(rest, marker.starts_with("<!--")),
    };
    if old.is_empty() || first.len() + old.len() > MOST {
        return first;
    }
    format!("{first}\n{old}")
}

/// Reports whether a comment says that it is not true any more.
pub(crate) fn is_superseded(body: &str) -> bool {
    body.split_once('\n').is_some_and(|(_, rest)| rest.starts_with(WORDS))
}

/// The old plan behind its decision; nothing but the decision where nothing can be folded.
fn folded(old: &str, folds: bool) -> String {
    let mut lines = old.lines().filter(|line| !line.contains("dax approve "));
    let decision = lines.find(|line| !line.trim().is_empty()).unwrap_or_default();
    let decision = decision.trim_start_matches('#').trim().trim_matches('*').trim();
    if !folds {
        return format!("~~{decision}~~\n");
    }
    let mut out = format!("~~{decision}~~\n\n<details><summary>The plan as it was</summary>\n\n");
    let mut blank = false;
    for line in lines {
        // What was taken out leaves no gap.
        let empty = line.trim().is_empty();
        if !(empty && blank) {
            let _ = writeln!(out, "{line}");
        }
        blank = empty;
    }
    out.push_str("\n</details>\n");
    out
}
