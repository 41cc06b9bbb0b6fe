//! Those who made the commits of a pull request.
//!
//! Bitbucket keeps who gave it other commits once it was there, and nothing of pushes before: of
//! these the commits say whose they are.
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/api-group-pullrequests/>.

use crate::Bitbucket;
use crate::pages::all;
use crate::people::User;
use crate::pulls::{Commit, Side};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Person};
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

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
    let commits: Option<Vec<Listed>> =
        all(bitbucket, &format!("{request}/commits?pagelen=100")).await?;
    let pushes = updated(updates, &change.head)?;
    let authors = accounts(commits.unwrap_or_default(), pushes.opened.as_deref(), change)
        .map_err(|message| ProviderError::Refused { message })?;
    Ok(pushes.people.union(&authors).cloned().collect())
}

/// Whether two hashes are of one commit: Bitbucket writes them short in places.
fn same(one: &str, other: &str) -> bool {
    one.len().min(other.len()) >= 7 && (one.starts_with(other) || other.starts_with(one))
}

/// Those who gave a pull request other commits after it was opened.
struct Pushed {
    people: BTreeSet<Person>,
    /// The commit that it was opened with; nothing where what came after it need not be a person's.
    opened: Option<String>,
}

fn updated(mut updates: Vec<Update>, head: &str) -> Result<Pushed, ProviderError> {
    let time = |one: &Update| {
        timestamp(&one.date).ok_or_else(|| ProviderError::Refused {
            message: format!("Bitbucket says `{}` for a time, which is none", one.date),
        })
    };
    for one in &updates {
        time(one)?;
    }
    updates.sort_by_key(|one| timestamp(&one.date));
    let (mut people, mut persons) = (BTreeSet::new(), true);
    let (mut opened, mut last) = (None::<String>, None::<String>);
    for one in updates {
        // What else is changed, as the title, is an update as well.
        let Some(Commit { hash }) = one.source.commit else { continue };
        if last.as_deref().is_some_and(|last| !same(last, &hash)) {
            // A bot pushes what somebody let it push.
            persons &= one.author.as_ref().is_some_and(User::is_person);
            people.extend(one.author.map(|author| author.person()));
        }
        opened.get_or_insert_with(|| hash.clone());
        last = Some(hash);
    }
    let whole = persons && last.is_some_and(|last| same(&last, head));
    Ok(Pushed { people, opened: opened.filter(|_| whole) })
}

#[derive(Deserialize)]
struct Listed {
    hash: String,
    #[serde(default)]
    author: Option<Author>,
    #[serde(default)]
    committer: Option<Author>,
    #[serde(default)]
    parents: Vec<Commit>,
}

#[derive(Deserialize)]
struct Author {
    #[serde(default)]
    user: Option<User>,
}

impl Author {
    fn account(one: Option<&Self>) -> Option<Person> {
        let user = one.and_then(|author| author.user.as_ref());
        user.filter(|user| user.id().is_some()).map(User::person)
    }
}

/// The accounts of authors and committers of the commits of a pull request. The author of each that
/// was there when it was opened has one; of all, where that commit is not told or is gone.
fn accounts(
    commits: Vec<Listed>,
    opened: Option<&str>,
    change: &ChangeRequest,
) -> Result<BTreeSet<Person>, String> {
    if !commits.iter().any(|one| same(&one.hash, &change.head)) {
        return Err(format!(
            "Bitbucket does not list commit {} among those of pull request {}, so it is not known \
             who made it: give the token the scope `pullrequest`, or run the pipeline again",
            change.head, change.number
        ));
    }
    let pushed = opened.map_or_else(Vec::new, |opened| since(&commits, opened));
    let mut people = BTreeSet::new();
    for (at, one) in commits.iter().enumerate() {
        let author = Author::account(one.author.as_ref());
        if author.is_none() && !pushed.contains(&at) {
            return Err(format!(
                "Bitbucket shows no push by a person of commit {} into pull request {}, and no \
                 account for its author, so it is not known who made it: add the address of its \
                 author to an account",
                one.hash, change.number
            ));
        }
        people.extend(author);
        people.extend(Author::account(one.committer.as_ref()));
    }
    Ok(people)
}

/// The places of the commits that came to a pull request after it was opened with one; none where
/// that one is not among them, for others of then may be.
fn since(commits: &[Listed], opened: &str) -> Vec<usize> {
    let place = |hash: &str| commits.iter().position(|one| same(&one.hash, hash));
    let Some(first) = place(opened) else { return Vec::new() };
    let (mut then, mut rest) = (BTreeSet::new(), vec![first]);
    while let Some(at) = rest.pop() {
        if then.insert(at) {
            rest.extend(commits[at].parents.iter().filter_map(|parent| place(&parent.hash)));
        }
    }
    (0..commits.len()).filter(|at| !then.contains(at)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value as Json, json};

    const OPENED: &str = "1111111aaaaa";
    const HEAD: &str = "2222222bbbbb";

    fn updates(kind: &str, list: &[(&str, &str, &str)]) -> Vec<Update> {
        let one = |(time, id, hash): &(&str, &str, &str)| {
            serde_json::from_value(json!({
                "date": format!("2026-01-01T{time}:00+00:00"),
                "author": { "uuid": id, "type": kind },
                "source": { "commit": { "hash": hash } },
            }))
            .expect("an update")
        };
        list.iter().map(one).collect()
    }

    fn ids(people: &BTreeSet<Person>) -> Vec<&str> {
        people.iter().map(|person| person.id.as_str()).collect()
    }

    fn commit(hash: &str, author: Option<&str>, parent: &str) -> Json {
        let author = author.map_or_else(
            || json!({ "raw": "x <x@y>" }),
            |id| json!({ "raw": "x <x@y>", "user": { "uuid": id } }),
        );
        json!({ "hash": hash, "author": author, "parents": [{ "hash": parent }] })
    }

    fn accounts_of(commits: Json, opened: Option<&str>) -> Result<Vec<String>, String> {
        let change = ChangeRequest { number: 4, head: HEAD.to_owned(), ..ChangeRequest::default() };
        let people = accounts(serde_json::from_value(commits).expect("commits"), opened, &change)?;
        Ok(people.into_iter().map(|person| person.id).collect())
    }

    #[test]
    fn who_gave_it_other_commits_pushed_and_who_changed_its_title_did_not() {
        let list = [
            ("12:00", "{c}", HEAD),
            ("11:00", "{b}", HEAD),
            ("10:30", "{d}", OPENED),
            ("10:00", "{a}", OPENED),
        ];
        let whole = "2222222bbbbb0000000000000000000000000000";
        let found = updated(updates("user", &list), whole).expect("times");
        assert_eq!((ids(&found.people), found.opened.as_deref()), (vec!["{b}"], Some(OPENED)));
        // What a bot pushed is not known to be its own.
        let found = updated(updates("app_user", &list), whole).expect("times");
        assert_eq!((ids(&found.people), found.opened), (vec!["{b}"], None));
        // Nor is a newest commit that nobody is said to have pushed.
        let found = updated(updates("user", &list), "3333333ccccc").expect("times");
        assert_eq!((ids(&found.people), found.opened), (vec!["{b}"], None));
        // Whoever opened it need not have pushed what it was opened with.
        let found = updated(updates("user", &[("10:00", "{a}", OPENED)]), OPENED).expect("times");
        assert_eq!((ids(&found.people), found.opened.as_deref()), (vec![], Some(OPENED)));
    }

    #[test]
    fn authors_of_commits_that_were_there_count_beside_those_who_pushed_since() {
        let both =
            json!([commit(HEAD, Some("{b}"), OPENED), commit(OPENED, Some("{a}"), "0000000"),]);
        assert_eq!(accounts_of(both, Some(OPENED)), Ok(vec!["{a}".to_owned(), "{b}".to_owned()]));
        let mut merged = commit(HEAD, Some("{b}"), OPENED);
        merged["committer"] = json!({ "raw": "y <y@y>", "user": { "uuid": "{c}" } });
        let found = accounts_of(json!([merged]), Some(HEAD));
        assert_eq!(found, Ok(vec!["{b}".to_owned(), "{c}".to_owned()]), "a committer that is told");
    }

    #[test]
    fn a_commit_without_an_account_is_an_error_unless_a_person_pushed_it_since() {
        let (known, unknown) = (Some("{a}"), None);
        let list = |head: Option<&str>, opened: Option<&str>| {
            json!([commit(HEAD, head, OPENED), commit(OPENED, opened, "0000000")])
        };
        assert_eq!(accounts_of(list(unknown, known), Some(OPENED)), Ok(vec!["{a}".to_owned()]));
        for (list, opened) in [
            (list(known, unknown), Some(OPENED)),
            (list(unknown, known), Some(HEAD)),
            (list(unknown, known), None),
            // The commit that it was opened with is gone, and one before it may still be there.
            (list(known, unknown), Some("4444444ddddd")),
        ] {
            let said = accounts_of(list, opened).expect_err("nobody");
            assert!(said.contains("no account for its author"), "{said}");
        }
        let said = accounts_of(json!([]), None).expect_err("no commit");
        assert!(said.contains("does not list commit 2222222bbbbb"), "{said}");
    }
}
