//! What a place wants before an environment is deployed to, held against what is known.
//!
//! GitHub enforces an environment's rules for jobs that name it. dax enforces them for everybody, so that a job that
//! forgets to name it, or another pipeline altogether, does not get past them.

use crate::approving::belongs;
use crate::place::Place;
use crate::{Forge, ReviewError};
use dax_provider_api::review::{Branches, Protection};
use std::collections::BTreeSet;
use std::time::Duration;

/// What stands in the way of a deployment.
///
/// # Errors
/// The place cannot be asked.
pub(crate) fn obstacles(
    place: &Place,
    forge: &Forge,
    rules: &Protection,
    agree: &BTreeSet<String>,
    author: Option<&str>,
    since: Duration,
    remarks: &mut Vec<String>,
) -> Result<Vec<String>, ReviewError> {
    let name = forge.remote().name();
    let mut obstacles = Vec::new();
    if !rules.reviewers.is_empty() && !reviewed(forge, rules, agree, author, remarks) {
        let who = rules.reviewers.join(", ");
        let other = if rules.no_self_review { ", who did not make the change" } else { "" };
        obstacles.push(format!("{name} wants the agreement of one of {who}{other}"));
    }
    if since < rules.wait {
        let left = rules.wait.saturating_sub(since).as_secs().div_ceil(60);
        obstacles.push(format!(
            "{name} wants {} minutes to pass first, {left} are left: run this job again then",
            rules.wait.as_secs() / 60
        ));
    }
    match &rules.branches {
        Branches::Any => {}
        Branches::Protected if forge.ask(|remote| remote.protected(&place.branch))? => {}
        Branches::Protected => obstacles.push(format!(
            "{name} lets only protected branches deploy, and `{}` is not one",
            place.branch
        )),
        Branches::Named(patterns)
            if patterns.iter().any(|pattern| fits(pattern, &place.branch)) => {}
        Branches::Named(patterns) => {
            obstacles.push(format!(
                "{name} lets only {} deploy, and this is `{}`",
                patterns.join(", "),
                place.branch
            ));
        }
    }
    Ok(obstacles)
}

/// Whether one of the reviewers agrees; one is enough.
fn reviewed(
    forge: &Forge,
    rules: &Protection,
    agree: &BTreeSet<String>,
    author: Option<&str>,
    remarks: &mut Vec<String>,
) -> bool {
    for login in
        agree.iter().filter(|login| !rules.no_self_review || Some(login.as_str()) != author)
    {
        for reviewer in &rules.reviewers {
            let is = if reviewer.contains('/') {
                belongs(forge, login, reviewer, remarks)
            } else {
                reviewer == login
            };
            if is {
                return true;
            }
        }
    }
    false
}

/// Whether a name fits a pattern: `*` stands for anything but `/`, `**` for anything, `?` for one character.
/// Source: Ruby's `File.fnmatch` with `FNM_PATHNAME`, as GitHub has it for deployment branches.
fn fits(pattern: &str, name: &str) -> bool {
    let (pattern, name): (Vec<char>, Vec<char>) =
        (pattern.chars().collect(), name.chars().collect());
    // Which positions of the name can be reached with the pattern so far: no pattern takes more than its length times the name's.
    let mut reached: BTreeSet<usize> = BTreeSet::from([0]);
    let mut at = 0;
    while at < pattern.len() {
        let deep = pattern[at] == '*' && pattern.get(at + 1) == Some(&'*');
        let mut next = BTreeSet::new();
        for from in reached {
            match pattern[at] {
                '*' => {
                    let end = (from..name.len())
                        .find(|to| !deep && name[*to] == '/')
                        .unwrap_or(name.len());
                    next.extend(from..=end);
                }
                '?' if name.get(from).is_some_and(|c| *c != '/') => drop(next.insert(from + 1)),
                '?' => {}
                c if name.get(from) == Some(&c) => drop(next.insert(from + 1)),
                _ => {}
            }
        }
        reached = next;
        at += if deep { 2 } else { 1 };
    }
    reached.contains(&name.len())
}

#[cfg(test)]
mod tests {
    use super::fits;

    #[test]
    fn a_star_stops_at_a_slash() {
        assert!(fits("main", "main"));
        assert!(!fits("main", "mainline"));
        assert!(fits("release/*", "release/1.2"));
        assert!(!fits("release/*", "release/1/2"));
        assert!(fits("release/**", "release/1/2"));
        assert!(fits("v?.*", "v1.20"));
        assert!(!fits("*", "a/b"));
        assert!(fits("a*b*c", "aXbYc"));
    }
}
