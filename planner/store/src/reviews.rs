//! Plans that were shown to reviewers, so that what is applied later can be held against them.
//!
//! They need no lease: nothing that runs depends on them, and each has a key of its own, which orders by time:
//! `reviews/ENVIRONMENT/CHANGE/MILLISECONDS-ORDER-shown-CHANCE-DIGEST`. Those of older versions lack the two in the
//! middle.

use super::{Result, Store, json};
use dax_core::Name;
use dax_plan::Plan;
use serde::{Deserialize, Serialize};

/// Plans of one change that are kept.
const KEPT: usize = 40;
/// Milliseconds that the plans of a change are kept after the last one of its environment: 90 days.
const OLD_MS: u64 = 90 * 24 * 3_600_000;

/// A plan that was shown to reviewers, or is about to be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ShownPlan {
    /// Change request that it belongs to: `pr-12`, or `commit-…` where there is none.
    pub change: Name,
    /// The commit of the program.
    pub commit: Name,
    /// When it was shown, in milliseconds since 1970.
    pub at_ms: u64,
    /// Its page, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Whether it was shown; one that is about to be may never have been, because the run died before.
    #[serde(default = "yes", skip_serializing_if = "is_true")]
    pub shown: bool,
    /// Digest of the conditions that it was shown with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub conditions: Option<Name>,
    /// Whether it was shown as one that loosens conditions.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub loosens: bool,
    /// The plan.
    pub plan: Plan,
}

const fn yes() -> bool {
    true
}

const fn is_true(flag: &bool) -> bool {
    *flag
}

const SHOWN: &str = "shown";
const ANNOUNCED: &str = "announced";

impl Store {
    /// Keeps a plan that is shown to reviewers, and lets go of those that nobody asks for any more.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn keep_shown(&self, environment: &str, plan: &ShownPlan) -> Result<()> {
        self.exists()?;
        let all = self.blobs.list(&format!("reviews/{environment}/")).await?;
        let folder = format!("reviews/{environment}/{}/", plan.change);
        let at = format!("{folder}{:013}-", plan.at_ms);
        let order = all.iter().filter(|key| key.starts_with(&at)).count();
        let state = if plan.shown { SHOWN } else { ANNOUNCED };
        let bytes = json(plan);
        let key = format!("{at}{order:06}-{state}-{}", self.message_name(&bytes));
        self.blobs.put_new(&key, bytes).await?;
        let (mut of_change, others): (Vec<String>, Vec<String>) =
            all.into_iter().chain([key]).partition(|key| key.starts_with(&folder));
        of_change.sort();
        let newest = of_change.iter().rposition(|key| is_shown(key));
        let many = of_change.len().saturating_sub(KEPT);
        let mut gone: Vec<String> = others
            .into_iter()
            .filter(|key| made(key).is_some_and(|at| at.saturating_add(OLD_MS) < plan.at_ms))
            .collect();
        let dated = of_change.into_iter().enumerate().filter(|(place, key)| {
            let old = made(key).is_some_and(|at| at.saturating_add(OLD_MS) < plan.at_ms);
            (*place < many || old) && Some(*place) != newest
        });
        gone.extend(dated.map(|(_, key)| key));
        if !gone.is_empty() {
            self.blobs.remove(&gone).await?;
        }
        Ok(())
    }

    /// The changes for which a plan of an environment was shown to reviewers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn shown_changes(&self, environment: &str) -> Result<Vec<Name>> {
        let folder = format!("reviews/{environment}/");
        let all = self.blobs.list(&folder).await?;
        let mut found: Vec<Name> = all
            .iter()
            .filter_map(|key| Some(Name::from(key.strip_prefix(&folder)?.split_once('/')?.0)))
            .collect();
        found.dedup();
        Ok(found)
    }

    /// The environments of which a plan for a change was shown to reviewers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn shown_environments(&self, change: &str) -> Result<Vec<Name>> {
        let middle = format!("/{change}/");
        let all = self.blobs.list("reviews/").await?;
        let mut found: Vec<Name> = all
            .iter()
            .filter_map(|key| {
                key.strip_prefix("reviews/")?
                    .split_once(&middle)
                    .map(|(environment, _)| Name::from(environment))
            })
            .collect();
        found.sort();
        found.dedup();
        Ok(found)
    }

    /// The plans of a change that were shown to reviewers or were about to be, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn shown_plans(&self, environment: &str, change: &str) -> Result<Vec<ShownPlan>> {
        let mut found = self.blobs.scan(&format!("reviews/{environment}/{change}/")).await?;
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        let mut all: Vec<ShownPlan> =
            found.iter().map(|(key, bytes)| self.message(key, bytes)).collect::<Result<_>>()?;
        // Stable: within a millisecond the key says what came first.
        all.sort_by_key(|plan| plan.at_ms);
        Ok(all)
    }
}

/// The last part of a key, by its parts.
fn parts(key: &str) -> Option<std::str::Split<'_, char>> {
    Some(key.rsplit('/').next()?.split('-'))
}

/// When a plan was shown, from its key.
fn made(key: &str) -> Option<u64> {
    parts(key)?.next()?.parse().ok()
}

/// Whether a plan was shown, from its key; older versions kept no others.
fn is_shown(key: &str) -> bool {
    parts(key).and_then(|mut parts| parts.nth(2)) != Some(ANNOUNCED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::blobs::{Blobs, MemoryBlobs};
    use crate::testing::{now, plan_of_nothing, store};
    use std::sync::Arc;

    fn plan(at_ms: u64, commit: &str, shown: bool) -> ShownPlan {
        ShownPlan {
            change: "pr-1".into(),
            commit: commit.into(),
            at_ms,
            url: None,
            shown,
            conditions: Some("c0ffee".into()),
            loosens: true,
            plan: plan_of_nothing("dev"),
        }
    }

    fn commits(store: &Store) -> Vec<String> {
        let found = now(store.shown_plans("dev", "pr-1")).unwrap();
        found.iter().map(|plan| plan.commit.to_string()).collect()
    }

    #[test]
    fn a_row_of_an_older_version_was_shown_and_loosens_nothing() {
        let blobs = Arc::new(MemoryBlobs::default());
        let store = store(blobs.clone());
        let mut old = serde_json::to_value(plan(7, "old", true)).unwrap();
        for field in ["conditions", "loosens", "shown"] {
            old.as_object_mut().unwrap().remove(field);
        }
        let bytes = serde_json::to_vec(&old).unwrap();
        let key = format!("reviews/dev/pr-1/{:013}-{}", 7, store.message_name(&bytes));
        assert!(now(blobs.put_new(&key, bytes)).unwrap());
        let found = now(store.shown_plans("dev", "pr-1")).unwrap();
        let ShownPlan { shown, conditions, loosens, .. } = &found[0];
        assert_eq!((*shown, conditions, *loosens), (true, &None, false));
        // It counts as the newest shown one, too.
        for at in 8..60 {
            now(store.keep_shown("dev", &plan(at, "new", false))).unwrap();
        }
        assert_eq!(commits(&store)[0], "old");
    }

    #[test]
    fn what_is_kept_is_read_as_it_was_written() {
        let store = store(Arc::new(MemoryBlobs::default()));
        for (at, shown) in [(5, false), (6, true)] {
            now(store.keep_shown("dev", &plan(at, "one", shown))).unwrap();
        }
        let found = now(store.shown_plans("dev", "pr-1")).unwrap();
        assert_eq!(found, [plan(5, "one", false), plan(6, "one", true)]);
        assert_eq!(now(store.shown_environments("pr-1")).unwrap(), ["dev"]);
        assert!(now(store.shown_environments("pr-2")).unwrap().is_empty());
    }

    #[test]
    fn plans_of_one_millisecond_both_stay_in_their_order() {
        let store = store(Arc::new(MemoryBlobs::default()));
        for commit in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            now(store.keep_shown("dev", &plan(9, commit, commit != "c"))).unwrap();
        }
        now(store.keep_shown("dev", &plan(3, "before", true))).unwrap();
        assert_eq!(commits(&store), ["before", "a", "b", "c", "d", "e", "f", "g", "h"]);
    }

    #[test]
    fn forty_are_kept_and_always_the_newest_that_was_shown() {
        let store = store(Arc::new(MemoryBlobs::default()));
        now(store.keep_shown("dev", &plan(1, "first", true))).unwrap();
        now(store.keep_shown("dev", &plan(2, "shown", true))).unwrap();
        for at in 3..103 {
            now(store.keep_shown("dev", &plan(at, "announced", false))).unwrap();
        }
        let kept = commits(&store);
        assert_eq!(kept.len(), KEPT + 1);
        assert_eq!(kept[..2], ["shown", "announced"]);
        // Not for its age, either, while its change goes on.
        now(store.keep_shown("dev", &plan(OLD_MS * 2, "late", false))).unwrap();
        assert_eq!(commits(&store), ["shown", "late"]);
        now(store.keep_shown("dev", &plan(OLD_MS * 2 + 1, "last", true))).unwrap();
        assert_eq!(commits(&store), ["late", "last"]);
    }
}
