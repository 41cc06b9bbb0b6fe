//! Approvals of merge requests, and reviewers who want changes.
//!
//! GitLab does not say which commit somebody looked at: where a push takes all approvals away, it can
//! only be the newest. Source: <https://docs.gitlab.com/api/merge_request_approvals/>.

use crate::people::{User, all, writes};
use crate::{GitLab, requests};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Review, ReviewState};
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// The note that GitLab itself writes when somebody approves.
/// Source: `SystemNotes::MergeRequestsService#approve_mr` of GitLab.
const APPROVED: &str = "approved this merge request";

#[derive(Deserialize, Default)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approver>,
}

#[derive(Deserialize)]
struct Approver {
    user: User,
    /// Told by newer versions.
    #[serde(default)]
    approved_at: Option<String>,
}

#[derive(Deserialize)]
struct Reviewer {
    user: User,
    #[serde(default)]
    state: String,
}

#[derive(Deserialize, Default)]
struct Rules {
    #[serde(default)]
    reset_approvals_on_push: bool,
    /// Only the approvals of owners of files that changed are taken away.
    #[serde(default)]
    selective_code_owner_removals: bool,
}

impl Rules {
    /// Whether a push takes all approvals away.
    const fn resets(&self) -> bool {
        self.reset_approvals_on_push && !self.selective_code_owner_removals
    }
}

/// Whether a push takes all approvals away; no where GitLab does not show it.
pub(crate) async fn resets(gitlab: &GitLab) -> Result<bool, ProviderError> {
    let rules = gitlab.client.look::<Rules>(&format!("{}/approvals", gitlab.project)).await?;
    Ok(rules.is_ok_and(|rules| rules.resets()))
}

pub(crate) async fn reviews(gitlab: &GitLab, number: u64) -> Result<Vec<Review>, ProviderError> {
    let request = format!("{}/merge_requests/{number}", gitlab.project);
    let approvals: Option<Approvals> = gitlab.client.find(&format!("{request}/approvals")).await?;
    let approvals = approvals.unwrap_or_default().approved_by;
    // An older version has no such list.
    let reviewers: Vec<Reviewer> =
        gitlab.client.look(&format!("{request}/reviewers")).await?.unwrap_or_default();
    let wanting: Vec<User> = reviewers
        .into_iter()
        .filter(|one| one.state == "requested_changes")
        .map(|one| one.user)
        .collect();
    if approvals.is_empty() && wanting.is_empty() {
        return Ok(Vec::new());
    }
    let change = requests::change(gitlab, number).await?;
    let commit = resets(gitlab).await?.then(|| change.head.clone());
    let noted = if approvals.iter().all(|one| one.approved_at.is_some()) {
        BTreeMap::new()
    } else {
        noted(&all::<Note>(gitlab, &format!("{request}/notes?sort=asc&order_by=created_at")).await?)
    };
    let mut reviews = Vec::new();
    let wanted: BTreeSet<u64> = wanting.iter().map(|user| user.id).collect();
    for one in approvals {
        if wanted.contains(&one.user.id) {
            continue; // whoever wants changes has approved nothing
        }
        let at_ms = match &one.approved_at {
            Some(text) => timestamp(text),
            None => noted.get(&one.user.id).copied(),
        };
        let by = one.user.person();
        reviews.push(Review {
            state: ReviewState::Approved,
            commit: commit.clone(),
            at_ms,
            writes: writes(gitlab, &by).await?,
            url: change.url.clone(),
            by,
        });
    }
    for user in wanting {
        let by = user.person();
        reviews.push(Review {
            state: ReviewState::ChangesRequested,
            commit: None,
            at_ms: None,
            writes: writes(gitlab, &by).await?,
            url: change.url.clone(),
            by,
        });
    }
    Ok(reviews)
}

#[derive(Deserialize)]
struct Note {
    #[serde(default)]
    body: String,
    #[serde(default)]
    system: bool,
    created_at: String,
    #[serde(default)]
    author: Option<User>,
}

/// When each account approved last, by the notes that GitLab itself wrote.
fn noted(notes: &[Note]) -> BTreeMap<u64, u64> {
    let mut times = BTreeMap::new();
    for note in notes.iter().filter(|note| note.system && note.body == APPROVED) {
        if let (Some(author), Some(at)) = (&note.author, timestamp(&note.created_at)) {
            let last = times.entry(author.id).or_insert(at);
            *last = at.max(*last);
        }
    }
    times
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn approvals_are_of_the_newest_commit_only_where_a_push_takes_all_away() {
        let resets = |reset: bool, selective: bool| {
            Rules { reset_approvals_on_push: reset, selective_code_owner_removals: selective }
                .resets()
        };
        assert!(resets(true, false));
        assert!(!resets(true, true) && !resets(false, true) && !resets(false, false));
    }

    #[test]
    fn the_time_of_an_approval_is_that_of_gitlabs_own_note() {
        let notes: Vec<Note> = serde_json::from_value(json!([
            { "system": true, "body": APPROVED, "created_at": "2026-01-01T00:00:00Z", "author": { "id": 3, "username": "ann" } },
            { "system": true, "body": "unapproved this merge request", "created_at": "2026-01-01T00:01:00Z", "author": { "id": 3, "username": "ann" } },
            { "system": true, "body": APPROVED, "created_at": "2026-01-01T00:02:00Z", "author": { "id": 3, "username": "ann" } },
            { "system": false, "body": APPROVED, "created_at": "2026-01-01T00:03:00Z", "author": { "id": 4, "username": "eve" } },
        ]))
        .expect("notes");
        let times: Vec<(u64, u64)> = noted(&notes).into_iter().collect();
        assert_eq!(times, [(3, 1_767_225_720_000)]);
    }
}
