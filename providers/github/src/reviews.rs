//! Reviews that stand, and whether their authors may write.
//!
//! Source: <https://docs.github.com/en/rest/pulls/reviews>,
//! <https://docs.github.com/en/rest/collaborators/collaborators#get-repository-permissions-for-a-user>.

use crate::people::User;
use crate::{CONTENTS, GitHub, PULLS};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Person, Review, ReviewState};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Submitted {
    id: u64,
    #[serde(default)]
    user: Option<User>,
    state: String,
    #[serde(default)]
    commit_id: Option<String>,
    #[serde(default)]
    submitted_at: Option<String>,
    #[serde(default)]
    author_association: String,
    #[serde(default)]
    html_url: String,
}

pub(crate) async fn reviews(github: &GitHub, number: u64) -> Result<Vec<Review>, ProviderError> {
    let route = format!("{}/pulls/{number}/reviews", github.repo);
    let all: Vec<Submitted> = github
        .connection
        .all(PULLS, &route)
        .await
        .map_err(|fault| fault.error("read the reviews"))?;
    let mut reviews = Vec::new();
    for (review, association) in standing(all) {
        let writes = writes(github, &review.by, &association).await?;
        reviews.push(Review { writes, ..review });
    }
    Ok(reviews)
}

/// The latest review of each person that is more than a remark, each with the association of its
/// author; nothing of those whose latest one was dismissed.
fn standing(mut all: Vec<Submitted>) -> Vec<(Review, String)> {
    let time = |one: &Submitted| one.submitted_at.as_deref().and_then(timestamp);
    all.sort_by_key(|one| (time(one), one.id));
    let mut last: BTreeMap<u64, Option<(Review, String)>> = BTreeMap::new();
    for one in all {
        let at_ms = time(&one);
        // An account that was deleted is nobody.
        let Some(user) = one.user else { continue };
        let state = match one.state.as_str() {
            "APPROVED" => ReviewState::Approved,
            "CHANGES_REQUESTED" => ReviewState::ChangesRequested,
            "DISMISSED" => {
                last.insert(user.id, None);
                continue;
            }
            _ => continue, // a remark takes no earlier review back
        };
        let review = Review {
            state,
            commit: one.commit_id,
            at_ms,
            writes: false,
            url: one.html_url,
            by: user.clone().person(),
        };
        last.insert(user.id, Some((review, one.author_association)));
    }
    last.into_values().flatten().collect()
}

#[derive(Deserialize)]
struct Permission {
    #[serde(default)]
    permission: String,
    #[serde(default)]
    role_name: String,
    #[serde(default)]
    user: Option<User>,
}

/// Whether an account may write to the repository. A member of the organization need not.
async fn writes(
    github: &GitHub,
    person: &Person,
    association: &str,
) -> Result<bool, ProviderError> {
    let login = person.login.as_deref().unwrap_or_default();
    let route = format!("{}/collaborators/{}/permission", github.repo, segment(login)?);
    match github.connection.find::<Permission>(CONTENTS, &route).await {
        // The login may be another account's by now.
        Ok(found) => Ok(found.is_some_and(|found| {
            let same = found.user.as_ref().is_none_or(|user| user.id.to_string() == person.id);
            same && (may_write(&found.permission) || may_write(&found.role_name))
        })),
        Err(fault) if fault.forbidden() => Ok(associated(association)),
        Err(fault) => Err(fault.error(&format!("see whether `{login}` may write"))),
    }
}

/// Whether a permission includes writing. A role of an organization's own has `permission` beside
/// its name.
fn may_write(permission: &str) -> bool {
    matches!(permission, "write" | "maintain" | "admin")
}

/// Whether an author who is so associated with the repository can be taken for one who may write,
/// where permissions may not be asked for.
fn associated(association: &str) -> bool {
    matches!(association, "OWNER" | "MEMBER" | "COLLABORATOR")
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn all(list: &[(u64, u64, &str, u32)]) -> Vec<Submitted> {
        let one = |(id, user, state, minute): &(u64, u64, &str, u32)| {
            let time = format!("2026-01-01T00:{minute:02}:00Z");
            let user = json!({ "id": user, "login": format!("u{user}"), "type": "User" });
            serde_json::from_value(json!({
                "id": id, "user": user, "state": state, "commit_id": format!("c{id}"),
                "submitted_at": time, "author_association": "NONE", "html_url": "",
            }))
            .expect("a review")
        };
        list.iter().map(one).collect()
    }

    fn stands(list: &[(u64, u64, &str, u32)]) -> Vec<(String, ReviewState, Option<String>)> {
        standing(all(list)).into_iter().map(|(one, _)| (one.by.id, one.state, one.commit)).collect()
    }

    #[test]
    fn of_each_person_the_latest_review_stands_unless_it_was_dismissed() {
        let list = [
            (1, 7, "CHANGES_REQUESTED", 1),
            (2, 7, "APPROVED", 2),
            (3, 8, "APPROVED", 3),
            (4, 8, "DISMISSED", 4),
            (5, 9, "APPROVED", 5),
            (6, 9, "COMMENTED", 6),
            (7, 9, "PENDING", 7),
        ];
        let approved = |id: &str, commit: &str| {
            (id.to_owned(), ReviewState::Approved, Some(commit.to_owned()))
        };
        assert_eq!(stands(&list), [approved("7", "c2"), approved("9", "c5")]);
        // In whatever order they are listed.
        let turned: Vec<_> = list.iter().rev().copied().collect();
        assert_eq!(stands(&turned), stands(&list));
        let first = standing(all(&list)).remove(0).0;
        assert_eq!(first.at_ms, Some(1_767_225_720_000));
    }

    #[test]
    fn reading_and_triage_are_not_writing() {
        let may: Vec<bool> = ["admin", "maintain", "write", "triage", "read", "none", ""]
            .into_iter()
            .map(may_write)
            .collect();
        assert_eq!(may, [true, true, true, false, false, false, false]);
        let may: Vec<bool> = ["OWNER", "MEMBER", "COLLABORATOR", "CONTRIBUTOR", "NONE"]
            .into_iter()
            .map(associated)
            .collect();
        assert_eq!(may, [true, true, true, false, false]);
    }
}
