//! Merge requests, and those who pushed into them.
//!
//! Source: <https://docs.gitlab.com/api/merge_requests/>, <https://docs.gitlab.com/api/events/>.

use crate::GitLab;
use crate::people::{User, all, by_email};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{ChangeRequest, Person};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::collections::BTreeSet;

/// So many pages of pushes are looked through for those of a merge request.
const PAGES: usize = 100;

#[derive(Deserialize)]
pub(crate) struct MergeRequest {
    iid: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    source_branch: String,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    #[serde(default)]
    web_url: String,
    #[serde(default)]
    author: Option<User>,
    #[serde(default)]
    created_at: String,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    closed_at: Option<String>,
    #[serde(default)]
    merge_commit_sha: Option<String>,
    #[serde(default)]
    squash_commit_sha: Option<String>,
}

impl MergeRequest {
    fn change(self) -> ChangeRequest {
        let merged = self.state == "merged";
        // Of a merge by fast-forward without squashing, the newest commit itself is what is left.
        let commit = self.merge_commit_sha.or(self.squash_commit_sha).or_else(|| self.sha.clone());
        ChangeRequest {
            number: self.iid,
            title: self.title,
            author: self.author.map(User::person).unwrap_or_default(),
            head: self.sha.unwrap_or_default(),
            base: self.target_branch,
            open: self.state == "opened",
            merged,
            merge_commit: commit.filter(|_| merged),
            fork: self.source_project_id != Some(self.target_project_id),
            url: self.web_url,
        }
    }
}

async fn request(gitlab: &GitLab, number: u64) -> Result<MergeRequest, ProviderError> {
    let found: Option<MergeRequest> =
        gitlab.client.find(&format!("{}/merge_requests/{number}", gitlab.project)).await?;
    found.ok_or_else(|| ProviderError::Refused {
        message: format!(
            "GitLab shows this token no merge request {number}: it needs the scope `api`"
        ),
    })
}

pub(crate) async fn change(gitlab: &GitLab, number: u64) -> Result<ChangeRequest, ProviderError> {
    Ok(request(gitlab, number).await?.change())
}

pub(crate) async fn merged(
    gitlab: &GitLab,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let commit = segment(commit)?;
    let url = format!("{}/repository/commits/{commit}/merge_requests", gitlab.project);
    let mut found: Vec<MergeRequest> = all(gitlab, &url).await?;
    found.retain(|one| one.state == "merged");
    found.sort_by(|a, b| b.merged_at.cmp(&a.merged_at));
    Ok(found.into_iter().map(MergeRequest::change).collect())
}

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
    ref_type: String,
    /// Absent where one push changed many branches.
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
    let people = match pushed(gitlab, &request, &change.head).await? {
        Some(people) => people,
        None => committed(gitlab, change).await?,
    };
    Ok(people.into_iter().collect())
}

/// Those who pushed while the merge request was open, and whoever pushed its newest commit; nothing
/// where GitLab does not show that push.
async fn pushed(
    gitlab: &GitLab,
    request: &MergeRequest,
    head: &str,
) -> Result<Option<BTreeSet<Person>>, ProviderError> {
    const PAGE: usize = 100;
    let Some(source) = request.source_project_id else { return Ok(None) };
    let mut pushes = Pushes::new(request, head)?;
    for page in 1..=PAGES {
        let url = format!(
            "{}/projects/{source}/events?action=pushed&sort=desc&per_page={PAGE}&page={page}",
            gitlab.api
        );
        let Ok(events) = gitlab.client.look::<Vec<Event>>(&url).await? else { return Ok(None) };
        let last = events.len() < PAGE;
        for event in events {
            pushes.add(event)?;
        }
        if last || pushes.whole() {
            break;
        }
    }
    Ok(pushes.newest.then_some(pushes.people))
}

/// Pushes to the branch of a merge request, the newest first.
struct Pushes<'p> {
    branch: &'p str,
    head: &'p str,
    opened: u64,
    closed: u64,
    people: BTreeSet<Person>,
    /// Whether the push of the newest commit was seen.
    newest: bool,
    /// Whether a push was seen that is older than the merge request.
    older: bool,
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
            people: BTreeSet::new(),
            newest: false,
            older: false,
        })
    }

    /// Whether nothing that comes later in the list matters.
    const fn whole(&self) -> bool {
        self.newest && self.older
    }

    fn add(&mut self, event: Event) -> Result<(), ProviderError> {
        let at = time(&event.created_at)?;
        self.older |= at < self.opened;
        let Some(push) = event.push_data else { return Ok(()) };
        let here = push.ref_type == "branch" && push.name.as_deref() == Some(self.branch);
        // A branch that was removed has no commit.
        let Some(commit) = push.commit_to.filter(|_| here && at <= self.closed) else {
            return Ok(());
        };
        let newest = commit == self.head && !self.newest;
        if newest || at >= self.opened {
            self.people.extend(event.author.map(User::person));
        }
        self.newest |= newest;
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

/// The accounts of authors and committers of the commits of a merge request, by their addresses.
async fn committed(
    gitlab: &GitLab,
    change: &ChangeRequest,
) -> Result<BTreeSet<Person>, ProviderError> {
    let url = format!("{}/merge_requests/{}/commits", gitlab.project, change.number);
    let commits: Vec<Commit> = all(gitlab, &url).await?;
    let unknown = |commit: &str, why: &str| ProviderError::Refused {
        message: format!(
            "GitLab shows no push of commit {commit} to the branch of merge request {}, and {why}, \
             so it is not known who pushed it: give the token the scope `api` in the project of \
             that branch, or make the address of the commit's author public in their profile",
            change.number
        ),
    };
    if !commits.iter().any(|commit| commit.id == change.head) {
        return Err(unknown(&change.head, "does not list that commit"));
    }
    let mut emails: Vec<(&str, &str)> = Vec::new();
    for commit in &commits {
        for email in [commit.author_email.as_str(), commit.committer_email.as_str()] {
            if !email.is_empty() && !emails.iter().any(|(known, _)| *known == email) {
                emails.push((email, &commit.id));
            }
        }
    }
    let mut people = BTreeSet::new();
    for (email, commit) in emails {
        let user = by_email(gitlab, email).await?;
        let user = user.ok_or_else(|| unknown(commit, "no account for the address in it"))?;
        people.insert(user.person());
    }
    if people.is_empty() {
        return Err(unknown(&change.head, "no address in it"));
    }
    Ok(people)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn request(more: serde_json::Value) -> MergeRequest {
        let mut whole = json!({
            "iid": 4, "state": "opened", "sha": "h2", "source_branch": "feature",
            "target_branch": "main", "source_project_id": 7, "target_project_id": 7,
            "created_at": "2026-01-01T10:00:00Z",
        });
        for (field, value) in more.as_object().into_iter().flatten() {
            whole[field] = value.clone();
        }
        serde_json::from_value(whole).expect("a merge request")
    }

    #[test]
    fn the_commit_that_a_merge_left_depends_on_how_it_was_merged() {
        let commit = |more: serde_json::Value| request(more).change().merge_commit;
        assert_eq!(commit(json!({ "merge_commit_sha": "m" })), None, "it is open");
        let merged = |more: serde_json::Value| {
            let mut whole = json!({ "state": "merged" });
            for (field, value) in more.as_object().into_iter().flatten() {
                whole[field] = value.clone();
            }
            commit(whole)
        };
        assert_eq!(
            merged(json!({ "merge_commit_sha": "m", "squash_commit_sha": "s" })).as_deref(),
            Some("m")
        );
        assert_eq!(merged(json!({ "squash_commit_sha": "s" })).as_deref(), Some("s"));
        assert_eq!(merged(json!({})).as_deref(), Some("h2"));
    }

    fn pushers(events: &[(&str, u64, &str, Option<&str>)], more: serde_json::Value) -> Vec<String> {
        let request = request(more);
        let mut pushes = Pushes::new(&request, "h2").expect("times");
        for (time, id, branch, commit) in events {
            let event = json!({
                "created_at": format!("2026-01-01T{time}:00Z"),
                "author": { "id": id, "username": format!("u{id}") },
                "push_data": { "ref_type": "branch", "ref": branch, "commit_to": commit },
            });
            pushes.add(serde_json::from_value(event).expect("an event")).expect("a time");
        }
        assert!(pushes.newest, "the newest commit was pushed");
        pushes.people.into_iter().map(|person| person.id).collect()
    }

    #[test]
    fn pushes_to_the_branch_while_it_was_open_and_the_newest_commit_are_somebodys() {
        let events = [
            ("19:00", 6, "feature", Some("x")),
            ("13:00", 5, "feature", None),
            ("12:00", 2, "feature", Some("h2")),
            ("11:30", 3, "main", Some("h2")),
            ("11:00", 4, "feature", Some("h1")),
            ("09:00", 1, "feature", Some("h0")),
        ];
        let merged = json!({ "state": "merged", "merged_at": "2026-01-01T18:00:00Z" });
        assert_eq!(pushers(&events, merged), ["2", "4"]);
        assert_eq!(pushers(&[("09:00", 1, "feature", Some("h2"))], json!({})), ["1"]);
    }
}
