//! Those who pushed into a pull request.
//!
//! GitHub keeps each push with its actor; the commits themselves only say what git was told.
//! Source: <https://docs.github.com/en/rest/repos/repos#list-repository-activities>.

use crate::people::User;
use crate::pulls::{Pull, pull};
use crate::{CONTENTS, GitHub, PULLS};
use dax_provider_api::review::{ChangeRequest, Person};
use dax_provider_api::{ProviderError, encode};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

/// The account that signs what somebody did in the browser.
const WEB: &str = "web-flow";
/// So many commits of a pull request GitHub lists.
/// Source: <https://docs.github.com/en/rest/pulls/pulls#list-commits-on-a-pull-request>.
const LISTED: usize = 250;

#[derive(Deserialize)]
struct Activity {
    after: String,
    timestamp: String,
    activity_type: String,
    #[serde(default)]
    actor: Option<User>,
}

pub(crate) async fn pushers(
    github: &GitHub,
    change: &ChangeRequest,
) -> Result<Vec<Person>, ProviderError> {
    let pull = pull(github, change.number).await?;
    let pushes = match activity(github, &pull).await? {
        Some(all) => recorded(&all, &pull, &change.head)?,
        None => None,
    };
    let people = match pushes {
        // A bot pushes what somebody let it push: the commits say whose it is.
        Some(people) if people.iter().any(is_bot) => {
            let commits = commits(github, &pull, &change.head).await?;
            people.into_iter().chain(commits.into_iter().flat_map(Commit::people)).collect()
        }
        Some(people) => people,
        None => committed(&pull, commits(github, &pull, &change.head).await?)?,
    };
    Ok(people.into_iter().collect())
}

/// Reports whether an account is that of a bot: no person can have brackets in a login.
fn is_bot(person: &Person) -> bool {
    person.login.as_ref().is_some_and(|login| login.ends_with("[bot]"))
}

/// The pushes to the branch of a pull request; nothing where GitHub shows none.
async fn activity(github: &GitHub, pull: &Pull) -> Result<Option<Vec<Activity>>, ProviderError> {
    let Some(repo) = &pull.head.repo else { return Ok(None) };
    let Some((owner, name)) = repo.full_name.split_once('/') else { return Ok(None) };
    let branch = encode(&format!("refs/heads/{}", pull.head.name));
    let route = format!("/repos/{}/{}/activity?ref={branch}", segment(owner)?, segment(name)?);
    match github.connection.linked(CONTENTS, &route).await {
        Ok(all) => Ok(Some(all)),
        // An older Enterprise Server, or a fork that this token does not see.
        Err(fault) if matches!(fault.status, Some(403 | 404)) => Ok(None),
        Err(fault) => Err(fault.error("see who pushed to the branch of the pull request")),
    }
}

/// Those who pushed to the branch since it was created, and whoever pushed its newest commit;
/// nothing where that push is not among those that are shown.
fn recorded(
    all: &[Activity],
    pull: &Pull,
    head: &str,
) -> Result<Option<BTreeSet<Person>>, ProviderError> {
    let time = |text: &str| {
        timestamp(text).ok_or_else(|| ProviderError::Refused {
            message: format!("GitHub says `{text}` for a time, which dax does not understand"),
        })
    };
    let opened = time(&pull.created_at)?;
    // Another branch may have the name afterwards.
    let closed = pull.closed_at.as_deref().map(time).transpose()?.unwrap_or(u64::MAX);
    // What was pushed before the pull request was opened is part of it, since the branch is this one.
    let mut created = 0;
    for one in all.iter().filter(|one| one.activity_type == "branch_creation") {
        let at = time(&one.timestamp)?;
        created = if at <= opened { created.max(at) } else { created };
    }
    let (mut people, mut whole) = (BTreeSet::new(), false);
    for one in all {
        let at = time(&one.timestamp)?;
        let newest = one.after == head;
        if at > closed || one.activity_type == "branch_deletion" || (at < created && !newest) {
            continue;
        }
        // An account that was deleted cannot approve anything.
        people.extend(one.actor.clone().map(User::person));
        whole |= newest;
    }
    Ok(whole.then_some(people))
}

#[derive(Deserialize)]
struct Commit {
    sha: String,
    #[serde(default)]
    author: Option<Account>,
    #[serde(default)]
    committer: Option<Account>,
}

/// An account, or an empty object where git names an address that no account has.
#[derive(Deserialize)]
#[serde(untagged)]
enum Account {
    Known(User),
    Unknown {},
}

impl Commit {
    /// The accounts of its author and its committer.
    fn people(self) -> impl Iterator<Item = Person> {
        [self.author, self.committer].into_iter().filter_map(|account| match account {
            Some(Account::Known(user)) if user.login != WEB => Some(user.person()),
            _ => None,
        })
    }
}

/// All commits of a pull request.
async fn commits(github: &GitHub, pull: &Pull, head: &str) -> Result<Vec<Commit>, ProviderError> {
    let doing = "read the commits of the pull request";
    let route = format!("{}/pulls/{}/commits", github.repo, pull.number);
    let all: Vec<Commit> =
        github.connection.all(PULLS, &route).await.map_err(|fault| fault.error(doing))?;
    whole(&all, pull, head).map_err(|message| ProviderError::Refused { message })?;
    Ok(all)
}

/// The accounts of authors and committers of the commits of a pull request, each of which has one.
fn committed(pull: &Pull, commits: Vec<Commit>) -> Result<BTreeSet<Person>, ProviderError> {
    let mut all = BTreeSet::new();
    for one in commits {
        let sha = one.sha.clone();
        let known: Vec<Person> = one.people().collect();
        if known.is_empty() {
            return Err(ProviderError::Refused {
                message: format!(
                    "GitHub shows no pushes to the branch of pull request {}, and no account for \
                     commit {sha}, so nobody can tell who pushed it: give the token `contents: \
                     read` for that repository, or add the address of the commit's author to an \
                     account",
                    pull.number
                ),
            });
        }
        all.extend(known);
    }
    Ok(all)
}

/// Whether a list of commits is all of them.
fn whole(all: &[Commit], pull: &Pull, head: &str) -> Result<(), String> {
    if pull.commits.unwrap_or(all.len()) > all.len() || all.len() >= LISTED {
        return Err(format!(
            "GitHub lists {} of the {} commits of pull request {}, and its pushes do not tell whose \
             they are, so it is not known who made them: give the token `contents: read` for the \
             repository of that branch, or open a smaller pull request",
            all.len(),
            pull.commits.unwrap_or(all.len()),
            pull.number
        ));
    }
    if !all.iter().any(|one| one.sha == head) {
        return Err(format!(
            "GitHub does not list commit {head} among those of pull request {}: run the job again",
            pull.number
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn pull(closed: Option<&str>) -> Pull {
        serde_json::from_value(json!({
            "number": 1, "state": "open", "created_at": "2026-01-01T10:00:00Z", "closed_at": closed,
            "commits": 2, "head": { "sha": "h2", "ref": "feature" },
            "base": { "sha": "b", "ref": "main" },
        }))
        .expect("a pull request")
    }

    fn pushed(list: &[(&str, &str, &str, u64)]) -> Vec<Activity> {
        let one = |(time, kind, after, id): &(&str, &str, &str, u64)| {
            serde_json::from_value(json!({
                "timestamp": format!("2026-01-01T{time}:00Z"), "activity_type": kind, "after": after,
                "actor": { "id": id, "login": format!("u{id}"), "type": "User" },
            }))
            .expect("an activity")
        };
        list.iter().map(one).collect()
    }

    fn ids(people: Option<BTreeSet<Person>>) -> Option<Vec<String>> {
        people.map(|people| people.into_iter().map(|person| person.id).collect())
    }

    #[test]
    fn pushes_since_the_branch_was_created_and_the_newest_commit_are_somebodys() {
        let before = ("09:00", "branch_creation", "h0", 1);
        let all = pushed(&[
            before,
            ("11:00", "push", "h1", 2),
            ("12:00", "force_push", "h2", 3),
            ("13:00", "branch_deletion", "0", 4),
        ]);
        let found = recorded(&all, &pull(None), "h2").expect("times");
        assert_eq!(ids(found), Some(["1", "2", "3"].map(str::to_owned).to_vec()));
        // What was pushed to a former branch of the name is no part of it.
        let former = ("08:00", "push", "h9", 9);
        let found =
            recorded(&pushed(&[former, before, ("11:00", "push", "h2", 2)]), &pull(None), "h2");
        assert_eq!(ids(found.expect("times")), Some(["1", "2"].map(str::to_owned).to_vec()));
        // Pushed before it was opened, and the newest commit all the same.
        let all = pushed(&[("09:00", "branch_creation", "h2", 1)]);
        let found = recorded(&all, &pull(None), "h2").expect("times");
        assert_eq!(ids(found), Some(vec!["1".to_owned()]));
        // Another branch of the same name, later.
        let all = pushed(&[("11:00", "push", "h2", 2), ("19:00", "branch_creation", "x", 5)]);
        let found = recorded(&all, &pull(Some("2026-01-01T18:00:00Z")), "h2").expect("times");
        assert_eq!(ids(found), Some(vec!["2".to_owned()]));
        // A list without the push of the newest commit does not tell who pushed it.
        let found = recorded(&pushed(&[before]), &pull(None), "h2").expect("times");
        assert_eq!(ids(found), None);
    }

    #[test]
    fn a_list_of_commits_that_lacks_some_is_an_error() {
        let commits = |shas: &[&str]| -> Vec<Commit> {
            shas.iter()
                .map(|sha| Commit { sha: (*sha).to_owned(), author: None, committer: None })
                .collect()
        };
        assert_eq!(whole(&commits(&["h1", "h2"]), &pull(None), "h2"), Ok(()));
        let said = whole(&commits(&["h2"]), &pull(None), "h2").expect_err("one is missing");
        assert!(said.starts_with("GitHub lists 1 of the 2 commits of pull request 1"), "{said}");
        let said = whole(&commits(&["h1", "h3"]), &pull(None), "h2").expect_err("another head");
        assert!(said.contains("does not list commit h2"), "{said}");
    }
}
