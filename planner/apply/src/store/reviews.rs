//! Plans that were shown to reviewers, so that what is applied later can be held against them.
//!
//! They need no lease: nothing that runs depends on them, and each has a key of its own.

use super::{Result, Store, json};
use dax_core::Name;
use dax_plan::Plan;
use serde::{Deserialize, Serialize};

/// So many plans of one change are kept.
const KEPT: usize = 20;
/// How long the plans of a change are kept after the last one: 90 days in milliseconds.
const OLD_MS: u64 = 90 * 24 * 3_600_000;

/// A plan that was shown to reviewers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Review {
    /// What was reviewed: `pr-12`, or `commit-…` where there was no change request.
    pub change: Name,
    /// The commit of the program.
    pub commit: Name,
    /// When it was shown, in milliseconds since 1970.
    pub at_ms: u64,
    /// Where, if it has a page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The plan.
    pub plan: Plan,
}

impl Store {
    /// Keeps a plan that is shown to reviewers, and lets go of those that nobody asks for any more.
    ///
    /// # Errors
    /// The store cannot be written.
    pub async fn keep_review(&self, environment: &str, review: &Review) -> Result<()> {
        let bytes = json(review);
        let key = format!(
            "reviews/{environment}/{}/{:013}-{}",
            review.change,
            review.at_ms,
            self.message_name(&bytes)
        );
        self.blobs.put_new(&key, bytes).await?;
        let all = self.blobs.list(&format!("reviews/{environment}/")).await?;
        let mut gone: Vec<String> = all
            .iter()
            .filter(|key| made(key).is_some_and(|at| at + OLD_MS < review.at_ms))
            .cloned()
            .collect();
        let mut of_change: Vec<&String> = all
            .iter()
            .filter(|key| key.starts_with(&format!("reviews/{environment}/{}/", review.change)))
            .collect();
        of_change.sort();
        let many = of_change.len().saturating_sub(KEPT);
        gone.extend(of_change.into_iter().take(many).cloned());
        if !gone.is_empty() {
            self.blobs.remove(&gone).await?;
        }
        Ok(())
    }

    /// The environments of which a plan for a change was shown to reviewers.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn reviewed(&self, change: &str) -> Result<Vec<Name>> {
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

    /// The plans of a change that were shown to reviewers, the oldest first.
    ///
    /// # Errors
    /// The store cannot be read.
    pub async fn reviews(&self, environment: &str, change: &str) -> Result<Vec<Review>> {
        let found = self.blobs.scan(&format!("reviews/{environment}/{change}/")).await?;
        let mut all: Vec<Review> =
            found.iter().map(|(key, bytes)| self.message(key, bytes)).collect::<Result<_>>()?;
        all.sort_by_key(|review| review.at_ms);
        Ok(all)
    }
}

/// When a review was made, from its key.
fn made(key: &str) -> Option<u64> {
    key.rsplit('/').next()?.split('-').next()?.parse().ok()
}
