//! Pull requests, their reviews, and those who pushed into them.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/>.

use crate::Bitbucket;
use crate::pages::all;
use crate::people::{self, User};
use crate::restrictions::{RESETS, covers};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Person, Review, ReviewState};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

#[derive(Deserialize)]
struct Pull {
    id: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    author: Option<User>,
    source: Side,
    destination: Side,
    #[serde(default)]
    merge_commit: Option<Commit>,
    #[serde(default)]
    participants: Vec<Participant>,
    #[serde(default)]
    links: Links,
    #[serde(default)]
    updated_on: String,
}

#[derive(Deserialize)]
struct Side {
    #[serde(default)]
    commit: Option<Commit>,
    #[serde(default)]
    branch: Option<Named>,
    #[serde(default)]
    repository: Option<Repository>,
}

#[derive(Deserialize)]
struct Commit {
    hash: String,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[derive(Deserialize, PartialEq)]
struct Repository {
    full_name: String,
}

#[derive(Deserialize, Default)]
pub(crate) struct Links {
    #[serde(default)]
    pub(crate) html: Link,
}

#[derive(Deserialize, Default)]
pub(crate) struct Link {
    #[serde(default)]
    pub(crate) href: String,
}

#[derive(Deserialize)]
struct Participant {
    user: User,
    #[serde(default)]
    role: String,
    #[serde(default)]
    approved: bool,
    #[serde(default)]
    state: Option<String>,
    /// Of those who approved, when they did.
    #[serde(default)]
    participated_on: Option<String>,
}

impl Pull {
    fn change(self) -> ChangeRequest {
        let merged = self.state == "MERGED";
        ChangeRequest {
            number: self.id,
            title: self.title,
            author: self.author.map(|author| author.person()).unwrap_or_default(),
            // A fork that was deleted has no repository any more.
            fork: self.source.repository.is_none()
                || self.source.repository != self.destination.repository,
            head: self.source.commit.map(|commit| commit.hash).unwrap_or_default(),
            base: self.destination.branch.map(|branch| branch.name).unwrap_or_default(),
            open: self.state == "OPEN",
            merged,
            merge_commit: self.merge_commit.map(|commit| commit.hash).filter(|_| merged),
            url: self.links.html.href,
        }
    }
}

async fn pull(bitbucket: &Bitbucket, number: u64) -> Result<Pull, ProviderError> {
    let found: Option<Pull> =
        bitbucket.client.find(&format!("{}/pullrequests/{number}", bitbucket.repo)).await?;
    found.ok_or_else(|| ProviderError::Refused {
        message: format!("Bitbucket shows this token no pull request {number}"),
    })
}

pub(crate) async fn change(
    bitbucket: &Bitbucket,
    number: u64,
) -> Result<ChangeRequest, ProviderError> {
    Ok(pull(bitbucket, number).await?.change())
}

pub(crate) async fn merged(
    bitbucket: &Bitbucket,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let url = format!("{}/commit/{}/pullrequests", bitbucket.repo, segment(commit)?);
    let mut found: Vec<Pull> = all(bitbucket, &url).await?.unwrap_or_default();
    found.retain(|one| one.state == "MERGED");
    found.sort_by(|a, b| b.updated_on.cmp(&a.updated_on));
    Ok(found.into_iter().map(Pull::change).collect())
}

pub(crate) async fn reviews(
    bitbucket: &Bitbucket,
    number: u64,
) -> Result<Vec<Review>, ProviderError> {
    let mut pull = pull(bitbucket, number).await?;
    let participants = std::mem::take(&mut pull.participants);
    let change = pull.change();
    // Which commit somebody looked at is not told; where a push takes approvals away it can only be
    // the newest. What counts is the branch that the change goes to.
    let resets = participants.iter().any(|one| one.approved)
        && covers(bitbucket, RESETS, &change.base).await?;
    let mut reviews = Vec::new();
    for one in participants {
        let state = match one.state.as_deref() {
            Some("changes_requested") => ReviewState::ChangesRequested,
            _ if one.approved => ReviewState::Approved,
            _ => continue,
        };
        let by = one.user.person();
        if state == ReviewState::Approved && by.id.is_empty() {
            continue; // an account that was deleted is nobody
        }
        // Only those who may write choose reviewers.
        let writes = people::writes(bitbucket, &by).await?.unwrap_or(one.role == "REVIEWER");
        reviews.push(Review {
            state,
            commit: resets.then(|| change.head.clone()),
            at_ms: one.participated_on.as_deref().and_then(timestamp),
            writes,
            url: change.url.clone(),
            by,
        });
    }
    Ok(reviews)
}

#[derive(Deserialize)]
struct Activity {
    #[serde(default)]
    update: Option<Update>,
}

#[derive(Deserialize)]
struct Update {
    date: String,
    #[serde(default)]
    author: Option<User>,
    source: Side,
}

pub(crate) async fn pushers(
    bitbucket: &Bitbucket,
    change: &ChangeRequest,
) -> Result<Vec<Person>, ProviderError> {
    let request = format!("{}/pullrequests/{}", bitbucket.repo, change.number);
    let activity: Option<Vec<Activity>> =
        all(bitbucket, &format!("{request}/activity?pagelen=50")).await?;
    let updates: Vec<Update> =
        activity.unwrap_or_default().into_iter().filter_map(|one| one.update).collect();
    let people = match updated(updates, &change.head)? {
        Some(people) => people,
        None => committed(bitbucket, &request, change).await?,
    };
    Ok(people.into_iter().collect())
}

/// Whether two hashes are of one commit: Bitbucket writes them short in places.
fn same(one: &str, other: &str) -> bool {
    one.len().min(other.len()) >= 7 && (one.starts_with(other) || other.starts_with(one))
}

/// Those who gave a pull request other commits after it was opened; nothing where the newest commit
/// is not among these, for whoever opened it need not have pushed it.
fn updated(
    mut updates: Vec<Update>,
    head: &str,
) -> Result<Option<BTreeSet<Person>>, ProviderError> {
    let time = |one: &Update| {
        timestamp(&one.date).ok_or_else(|| ProviderError::Refused {
            message: format!("Bitbucket says `{}` for a time, which is none", one.date),
        })
    };
    for one in &updates {
        time(one)?;
    }
    updates.sort_by_key(|one| timestamp(&one.date));
    let (mut people, mut newest, mut last) = (BTreeSet::new(), false, None::<String>);
    for one in updates {
        // What else is changed, as the title, is an update as well.
        let Some(Commit { hash }) = one.source.commit else { continue };
        let pushed = last.as_deref().is_some_and(|last| !same(last, &hash));
        if pushed {
            people.extend(one.author.map(|author| author.person()));
            newest |= same(&hash, head);
        }
        last = Some(hash);
    }
    Ok(newest.then_some(people))
}

#[derive(Deserialize)]
struct Listed {
    hash: String,
    #[serde(default)]
    author: Option<Author>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    user: Option<User>,
}

/// The accounts of the authors of the commits of a pull request; Bitbucket tells of no committers.
async fn committed(
    bitbucket: &Bitbucket,
    request: &str,
    change: &ChangeRequest,
) -> Result<BTreeSet<Person>, ProviderError> {
    let commits: Vec<Listed> =
        all(bitbucket, &format!("{request}/commits?pagelen=100")).await?.unwrap_or_default();
    accounts(commits, change).map_err(|message| ProviderError::Refused { message })
}

fn accounts(commits: Vec<Listed>, change: &ChangeRequest) -> Result<BTreeSet<Person>, String> {
    if !commits.iter().any(|one| same(&one.hash, &change.head)) {
        return Err(format!(
            "Bitbucket does not list commit {} among those of pull request {}, so it is not known \
             who pushed it: give the token the scope `pullrequest`, or run the pipeline again",
            change.head, change.number
        ));
    }
    let mut people = BTreeSet::new();
    for one in commits {
        let user = one.author.and_then(|author| author.user).filter(|user| user.id().is_some());
        let user = user.ok_or_else(|| {
            format!(
                "Bitbucket shows no push of commit {} into pull request {}, and no account for its \
                 author, so it is not known who pushed it: add the address of its author to an \
                 account",
                one.hash, change.number
            )
        })?;
        people.insert(user.person());
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn updates(list: &[(&str, &str, &str)]) -> Vec<Update> {
        let one = |(time, id, hash): &(&str, &str, &str)| {
            serde_json::from_value(json!({
                "date": format!("2026-01-01T{time}:00+00:00"), "author": { "uuid": id },
                "source": { "commit": { "hash": hash } },
            }))
            .expect("an update")
        };
        list.iter().map(one).collect()
    }

    fn ids(people: Option<BTreeSet<Person>>) -> Option<Vec<String>> {
        people.map(|people| people.into_iter().map(|person| person.id).collect())
    }

    #[test]
    fn who_gave_it_other_commits_pushed_and_who_changed_its_title_did_not() {
        let list = updates(&[
            ("12:00", "{c}", "2222222bbbbb"),
            ("11:00", "{b}", "2222222bbbbb"),
            ("10:30", "{d}", "1111111aaaaa"),
            ("10:00", "{a}", "1111111aaaaa"),
        ]);
        let found = updated(list, "2222222bbbbb0000000000000000000000000000");
        assert_eq!(ids(found.expect("times")), Some(vec!["{b}".to_owned()]));
        // Whoever opened it need not have pushed what it was opened with.
        let list = updates(&[("10:00", "{a}", "1111111aaaaa")]);
        assert_eq!(ids(updated(list, "1111111aaaaa").expect("times")), None);
    }

    #[test]
    fn a_commit_without_an_account_is_an_error() {
        let change = ChangeRequest {
            number: 4,
            head: "2222222bbbbb".to_owned(),
            ..ChangeRequest::default()
        };
        let accounts = |list: serde_json::Value| {
            accounts(serde_json::from_value(list).expect("commits"), &change)
        };
        let known = json!([{ "hash": "2222222bbbbb", "author": { "user": { "uuid": "{b}" } } }]);
        assert_eq!(accounts(known).map(|people| people.len()), Ok(1));
        let unknown = json!([{ "hash": "2222222bbbbb", "author": { "raw": "x <x@y>" } }]);
        assert!(accounts(unknown).expect_err("nobody").contains("no account for its author"));
        assert!(accounts(json!([])).expect_err("no commit").contains("does not list commit"));
    }
}
