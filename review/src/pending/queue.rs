//! Change requests of a merge queue.

use super::{Changes, Pending};
use crate::ReviewError;
use crate::place::Place;
use crate::scope::{Options, tracked};
use dax_engine::EngineError;
use dax_provider_api::review::ChangeRequest;
use std::rc::Rc;

impl Changes<'_> {
    /// The change requests of a merge queue whose commits are in front of a commit, with the one
    /// at its end, in the order of their commits. Anybody writes what they like into the subject
    /// of a commit: a number that it names counts where that change request is in the queue.
    pub(crate) fn queued(
        &self,
        options: &Options,
        place: &Place,
        base: Option<&str>,
        number: u64,
    ) -> Result<Pending, ReviewError> {
        let folder = &options.folder;
        let line = match base {
            Some(base) => dax_engine::commits(folder, Some(base), "HEAD")?,
            None => Vec::new(),
        };
        let entries = entries(options, place)?;
        let mut changes: Vec<Rc<ChangeRequest>> = Vec::new();
        for commit in &line {
            let own = entries.iter().filter(|(of, _)| of == commit).map(|(_, number)| *number);
            let own: Vec<u64> = own.collect();
            let named = named(&dax_engine::subject(folder, commit)?);
            for one in own.iter().copied().chain(named) {
                if one == number || changes.iter().any(|known| known.number == one) {
                    continue;
                }
                let change = match self.change(one) {
                    // A number of something else, such as an issue.
                    Err(ReviewError::Forge(error)) if !error.is_transient() => continue,
                    found => found?,
                };
                if own.contains(&one) || is_within(options, &change, base, &line)? {
                    changes.push(change);
                }
            }
        }
        changes.push(self.change(number)?);
        Ok(Pending { commits: line.into_iter().collect(), changes, brought: Vec::new() })
    }
}

/// Entries of the merge queue of a job by the branches that GitHub makes for them, such as
/// `gh-readonly-queue/main/pr-12-0123…`: each one's commit and number.
fn entries(options: &Options, place: &Place) -> Result<Vec<(String, u64)>, ReviewError> {
    let own = place.branch.rsplit_once('/').map(|(queue, _)| queue);
    let Some(queue) = own.filter(|queue| queue.starts_with("gh-readonly-queue/")) else {
        return Ok(Vec::new());
    };
    let branches = dax_engine::branches_below(&options.folder, &tracked(queue))?;
    let entry = |(name, commit): (String, String)| {
        let number = name.strip_prefix("pr-")?.split('-').next()?.parse().ok()?;
        Some((commit, number))
    };
    Ok(branches.into_iter().filter_map(entry).collect())
}

/// Reports whether a change request came to a line of commits since `base`: with the commit that
/// its merge left, or with its own newest one.
fn is_within(
    options: &Options,
    change: &ChangeRequest,
    base: Option<&str>,
    line: &[String],
) -> Result<bool, ReviewError> {
    if change.merge_commit.as_ref().is_some_and(|merge| line.contains(merge)) {
        return Ok(true);
    }
    let has = |of: &str| match dax_engine::is_ancestor(&options.folder, &change.head, of) {
        Err(EngineError::MissingCommit { .. }) => Ok(false),
        found => found,
    };
    let Some(base) = base else { return Ok(false) };
    Ok(has("HEAD")? && !has(base)?)
}

/// Numbers of change requests that the subject of a merge names: `Merge pull request #12 from …`,
/// `A title (#12)`.
fn named(subject: &str) -> Option<u64> {
    let (_, after) = subject.rsplit_once('#')?;
    let digits: String = after.chars().take_while(char::is_ascii_digit).collect();
    let rest = &after[digits.len()..];
    let ends = rest.is_empty() || rest.starts_with(')') || rest.starts_with(' ');
    digits.parse().ok().filter(|_| ends)
}

#[cfg(test)]
mod tests {
    use super::named;

    #[test]
    fn a_merge_names_its_change_request() {
        assert_eq!(named("Merge pull request #12 from acme/web"), Some(12));
        assert_eq!(named("More replicas (#7)"), Some(7));
        assert_eq!(named("Fix #7a"), None);
        assert_eq!(named("More replicas"), None);
    }
}
