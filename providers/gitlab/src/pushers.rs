//! Those who pushed into a merge request.
//!
//! GitLab keeps each push with its account, for three years; the commits themselves only say what
//! git was told. Source: <https://docs.gitlab.com/api/events/>.

use crate::GitLab;
use crate::people::{User, all, by_email, is_person};
use crate::requests::{MergeRequest, request};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Person};
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// So many pages of pushes are looked through for those of a merge request.
const PAGES: usize = 100;

#[derive(Deserialize)]
struct Event {
    created_at: String,
    #[serde(default)]
    author: Option<User>,
    #[serde(default)]
    push_data: Option<Push>,
}

#[derive(Deserialize)]
struct Push {
    /// `created`, `removed` or `pushed`: what became of the branch.
    #[serde(default)]
    action: String,
    ref_type: String,
    /// Absent where one push changed many branches.
    /// Source: `BulkPushEventPayloadService` of GitLab.
    #[serde(default, rename = "ref")]
    name: Option<String>,
    #[serde(default)]
    commit_to: Option<String>,
}

pub(crate) async fn pushers(
    gitlab: &GitLab,
    change: &ChangeRequest,
) -> Result<Vec<Person>, ProviderError> {
    let request = request(gitlab, change.number).await?;
    let pushes = pushed(gitlab, &request, &change.head).await?;
    let users: Vec<User> = pushes.users.into_values().collect();
    let mut doubt = (!pushes.whole).then(|| "GitLab does not show all pushes".to_owned());
    for user in &users {
        // A bot pushes what somebody let it push: the commits say whose it is.
        if doubt.is_none() && !is_person(gitlab, user).await? {
            doubt = Some(format!("`{}`, which need not be a person, pushed", user.username));
        }
    }
    let mut people: BTreeSet<Person> = users.iter().cloned().map(User::person).collect();
    if let Some(doubt) = doubt {
        people.extend(committed(gitlab, change, &users, &doubt).await?);
    }
    Ok(people.into_iter().collect())
}

/// The pushes to the branch of a merge request, as far as GitLab shows them.
async fn pushed(
    gitlab: &GitLab,
    request: &MergeRequest,
    head: &str,
) -> Result<Pushed, ProviderError> {
    const PAGE: usize = 100;
    let mut pushes = Pushes::new(request, head)?;
    let Some(source) = request.source_project_id else { return Ok(pushes.end()) };
    for page in 1..=PAGES {
        let url = format!(
            "{}/projects/{source}/events?action=pushed&sort=desc&per_page={PAGE}&page={page}",
            gitlab.api
        );
        let Ok(events) = gitlab.client.look::<Vec<Event>>(&url).await? else { break };
        let last = events.len() < PAGE;
        for event in events {
            pushes.add(event)?;
        }
        if last || pushes.ended {
            break;
        }
    }
    Ok(pushes.end())
}

/// Those who pushed to a branch.
struct Pushed {
    users: BTreeMap<u64, User>,
    /// Whether these are all, since the branch was created.
    whole: bool,
}

/// Pushes to the branch of a merge request, the newest first.
struct Pushes<'p> {
    branch: &'p str,
    head: &'p str,
    opened: u64,
    closed: u64,
    users: BTreeMap<u64, User>,
    /// Whether the push of the newest commit was seen.
    newest: bool,
    /// Whether the push that created the branch was seen.
    created: bool,
    /// Whether a push is not known to be anybody's.
    nobody: bool,
    /// Whether whatever is older is of another branch.
    ended: bool,
}

impl<'p> Pushes<'p> {
    fn new(request: &'p MergeRequest, head: &'p str) -> Result<Self, ProviderError> {
        let closed = request.merged_at.as_ref().or(request.closed_at.as_ref());
        Ok(Self {
            branch: &request.source_branch,
            head,
            opened: time(&request.created_at)?,
            // Another branch may have the name afterwards.
            closed: closed.map(|text| time(text)).transpose()?.unwrap_or(u64::MAX),
            users: BTreeMap::new(),
            newest: false,
            created: false,
            nobody: false,
            ended: false,
        })
    }

    fn end(self) -> Pushed {
        Pushed { users: self.users, whole: self.newest && self.created && !self.nobody }
    }

    fn add(&mut self, event: Event) -> Result<(), ProviderError> {
        let at = time(&event.created_at)?;
        let before = at < self.opened;
        // One push can create the branch and open the request, and is kept a moment later.
        self.ended |= before && self.created;
        let Some(push) = event.push_data.filter(|push| push.ref_type == "branch") else {
            return Ok(());
        };
        let here = push.name.as_deref().is_none_or(|name| name == self.branch);
        if self.ended || at > self.closed || !here {
            return Ok(());
        }
        if push.action == "removed" {
            // The request was there already: what was pushed before is part of it all the same.
            self.created &= before;
            return Ok(());
        }
        self.newest |= push.commit_to.as_deref() == Some(self.head);
        self.nobody |= event.author.is_none();
        self.users.extend(event.author.map(|user| (user.id, user)));
        if push.action == "created" && push.name.is_some() {
            self.created = true;
            self.ended = before;
        }
        Ok(())
    }
}

fn time(text: &str) -> Result<u64, ProviderError> {
    timestamp(text).ok_or_else(|| ProviderError::Refused {
        message: format!("GitLab says `{text}` for a time, which dax does not understand"),
    })
}

#[derive(Deserialize)]
struct Commit {
    id: String,
    #[serde(default)]
    author_email: String,
    #[serde(default)]
    committer_email: String,
}

/// The accounts of authors and committers of the commits of a merge request, by their addresses,
/// each of which has one; `doubt` says why those who pushed do not do.
async fn committed(
    gitlab: &GitLab,
    change: &ChangeRequest,
    pushers: &[User],
    doubt: &str,
) -> Result<BTreeSet<Person>, ProviderError> {
    let url = format!("{}/merge_requests/{}/commits", gitlab.project, change.number);
    let commits: Vec<Commit> = all(gitlab, &url).await?;
    let addresses =
        addresses(&commits, &change.head).map_err(|why| unknown(change, doubt, &why))?;
    let mut people = BTreeSet::new();
    for (email, commit) in addresses {
        let user = match pushers.iter().find(|user| is_own(user, email)) {
            Some(user) => Some(user.clone()),
            None => by_email(gitlab, email).await?,
        };
        let why = format!("shows no account for the address in commit {commit}");
        people.insert(user.ok_or_else(|| unknown(change, doubt, &why))?.person());
    }
    Ok(people)
}

/// Whether an address is the one that GitLab gave the account of an access token, which it shows
/// nobody else. Source: `ResourceAccessTokens::CreateService` of GitLab.
fn is_own(user: &User, email: &str) -> bool {
    email.split_once('@').is_some_and(|(name, host)| {
        name.eq_ignore_ascii_case(&user.username) && host.starts_with("noreply.")
    })
}

/// The addresses in commits, each with a commit that has it; else what is missing.
fn addresses<'c>(commits: &'c [Commit], head: &str) -> Result<BTreeMap<&'c str, &'c str>, String> {
    if !commits.iter().any(|commit| commit.id == head) {
        return Err(format!("does not list commit {head}"));
    }
    let mut all = BTreeMap::new();
    for commit in commits {
        let both = [commit.author_email.as_str(), commit.committer_email.as_str()];
        let known = both.into_iter().filter(|email| !email.is_empty());
        let known: Vec<(&str, &str)> = known.map(|email| (email, commit.id.as_str())).collect();
        if known.is_empty() {
            return Err(format!("shows no address in commit {}", commit.id));
        }
        all.extend(known);
    }
    Ok(all)
}

fn unknown(change: &ChangeRequest, doubt: &str, why: &str) -> ProviderError {
    ProviderError::Refused {
        message: format!(
            "{doubt} to the branch of merge request {}, and GitLab {why}, so it is not known whose \
             commits they are: give the token the scope `api` in the project of that branch, and \
             make the address of the commit's author public in their profile",
            change.number
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::requests::tests::request;
    use serde_json::{Value as Json, json};

    /// A push: when, who, what, to which branch, and its commit.
    type One = (&'static str, u64, &'static str, Option<&'static str>, Option<&'static str>);

    const FEATURE: Option<&str> = Some("feature");

    /// Those who pushed, and whether these are all.
    fn pushers(events: &[One], more: &Json) -> (Vec<u64>, bool) {
        let request = request(more);
        let mut pushes = Pushes::new(&request, "h2").expect("times");
        for (time, id, action, branch, commit) in events {
            let event = json!({
                "created_at": format!("2026-01-01T{time}:00Z"),
                "author": { "id": id, "username": format!("u{id}") },
                "push_data": {
                    "action": action, "ref_type": "branch", "ref": branch, "commit_to": commit,
                },
            });
            pushes.add(serde_json::from_value(event).expect("an event")).expect("a time");
        }
        let found = pushes.end();
        (found.users.into_keys().collect(), found.whole)
    }

    #[test]
    fn pushes_to_the_branch_since_it_was_created_are_somebodys() {
        let events = [
            ("19:00", 6, "pushed", FEATURE, Some("x")),
            ("13:00", 5, "removed", Some("other"), None),
            ("12:00", 2, "pushed", FEATURE, Some("h2")),
            ("11:30", 3, "pushed", Some("main"), Some("h2")),
            ("11:00", 4, "pushed", FEATURE, Some("h1")),
            ("09:00", 1, "pushed", FEATURE, Some("h0")),
            ("08:00", 7, "created", FEATURE, Some("g")),
            ("07:00", 8, "removed", FEATURE, None),
            ("06:00", 9, "pushed", FEATURE, Some("f")),
        ];
        let merged = json!({ "state": "merged", "merged_at": "2026-01-01T18:00:00Z" });
        assert_eq!(pushers(&events, &merged), (vec![1, 2, 4, 7], true));
        let one = [("09:00", 1, "created", FEATURE, Some("h2"))];
        assert_eq!(pushers(&one, &json!({})), (vec![1], true));
    }

    #[test]
    fn a_list_without_the_newest_push_or_the_first_one_is_not_whole() {
        let first = ("09:00", 1, "created", FEATURE, Some("h1"));
        let newest = ("11:00", 2, "pushed", FEATURE, Some("h2"));
        assert_eq!(pushers(&[first], &json!({})), (vec![1], false));
        assert_eq!(pushers(&[newest], &json!({})), (vec![2], false));
        assert_eq!(pushers(&[newest, first], &json!({})), (vec![1, 2], true));
    }

    #[test]
    fn a_push_of_many_branches_may_be_to_any() {
        let events = [
            ("11:00", 2, "pushed", FEATURE, Some("h2")),
            ("10:30", 3, "pushed", None, None),
            ("09:00", 1, "created", FEATURE, Some("h1")),
            ("08:00", 4, "created", None, None),
        ];
        assert_eq!(pushers(&events, &json!({})), (vec![1, 2, 3], true));
        // The push that created it says neither its name nor its commit.
        let events = [events[0], events[3]];
        assert_eq!(pushers(&events, &json!({})), (vec![2, 4], false));
    }

    #[test]
    fn a_branch_that_was_created_after_the_request_is_an_older_one_only_where_it_was_removed() {
        // `git push -o merge_request.create` opens the request before the push is kept.
        let created = ("10:01", 2, "created", FEATURE, Some("h2"));
        let former =
            [("07:00", 8, "removed", FEATURE, None), ("06:00", 9, "created", FEATURE, Some("h2"))];
        assert_eq!(pushers(&[created, former[0], former[1]], &json!({})), (vec![2], true));
        assert_eq!(pushers(&[created], &json!({})), (vec![2], true));
        let late = ("12:00", 2, "created", FEATURE, Some("h2"));
        let first = ("09:00", 1, "created", FEATURE, Some("h2"));
        let again = ("11:00", 3, "removed", FEATURE, None);
        let many = ("11:00", 3, "removed", None, None);
        assert_eq!(pushers(&[late, again, first], &json!({})), (vec![1, 2], true));
        assert_eq!(pushers(&[late, many, first], &json!({})), (vec![1, 2], true));
    }

    #[test]
    fn each_commit_names_an_address() {
        let commits = |list: Json| serde_json::from_value::<Vec<Commit>>(list).expect("commits");
        let known = commits(json!([
            { "id": "h2", "author_email": "a@x", "committer_email": "b@x" },
            { "id": "h1", "author_email": "a@x" },
        ]));
        let found = addresses(&known, "h2").expect("addresses");
        assert_eq!(found.into_keys().collect::<Vec<&str>>(), ["a@x", "b@x"]);
        assert_eq!(addresses(&known, "h3"), Err("does not list commit h3".to_owned()));
        let none = commits(json!([{ "id": "h2" }]));
        assert_eq!(addresses(&none, "h2"), Err("shows no address in commit h2".to_owned()));
    }

    #[test]
    fn the_address_of_an_access_token_is_its_own() {
        let user = |name: &str| -> User {
            serde_json::from_value(json!({ "id": 1, "username": name })).expect("an account")
        };
        let bot = user("project_7_bot_0f");
        assert!(is_own(&bot, "project_7_bot_0f@noreply.gitlab.example"));
        assert!(!is_own(&bot, "project_7_bot@noreply.gitlab.example"));
        assert!(!is_own(&bot, "project_7_bot_0f@example.com"));
    }
}
