//! Accounts: whose they are, which one asks, and who belongs where.
//!
//! Source: <https://docs.gitlab.com/api/users/>, <https://docs.gitlab.com/api/group_members/>.

use crate::GitLab;
use dax_provider_api::review::Person;
use dax_provider_api::{Fact, ProviderError, encode};
use dax_provider_client::segment;
use serde::Deserialize;
use serde::de::DeserializeOwned;

/// An account as GitLab tells of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) username: String,
    /// The role that the account has in a group or a project, in lists of members.
    #[serde(default)]
    pub(crate) access_level: u32,
    /// `active`, or why the account may do nothing.
    #[serde(default)]
    pub(crate) state: Option<String>,
    /// Whether it is that of a bot, a service account or a project's or group's access token, where
    /// one account is asked for.
    #[serde(default)]
    pub(crate) bot: Option<bool>,
}

impl User {
    pub(crate) fn person(self) -> Person {
        Person { id: self.id.to_string(), shown: self.username.clone(), login: Some(self.username) }
    }

    /// Whether it is one that may do something.
    pub(crate) fn active(&self) -> bool {
        self.state.as_deref().is_none_or(|state| state == "active")
    }
}

/// All pages of a list.
pub(crate) async fn all<T: DeserializeOwned>(
    gitlab: &GitLab,
    url: &str,
) -> Result<Vec<T>, ProviderError> {
    const PAGE: usize = 100;
    let join = if url.contains('?') { '&' } else { '?' };
    let mut all = Vec::new();
    for page in 1.. {
        let found: Option<Vec<T>> =
            gitlab.client.find(&format!("{url}{join}per_page={PAGE}&page={page}")).await?;
        let mut found = found.unwrap_or_default();
        let last = found.len() < PAGE;
        all.append(&mut found);
        if last {
            break;
        }
    }
    Ok(all)
}

#[derive(Deserialize)]
struct Job {
    user: User,
}

/// The id of the account that asks, which is asked for once; nothing where GitLab does not tell a
/// credential of this kind.
pub(crate) async fn asks(gitlab: &GitLab) -> Result<Option<u64>, ProviderError> {
    let known = *gitlab.account.lock().expect("nobody fails with this lock");
    if known.is_some() {
        return Ok(known);
    }
    let account = match gitlab.client.look::<User>(&format!("{}/user", gitlab.api)).await? {
        Ok(user) => Some(user.id),
        // The token of a job is that of whoever started the job, and may ask for the job alone.
        // Source: <https://docs.gitlab.com/ci/jobs/ci_job_token/#job-token-access>.
        Err(_) => match gitlab.client.look::<Job>(&format!("{}/job", gitlab.api)).await? {
            Ok(job) => Some(job.user.id),
            Err(_) => None,
        },
    };
    known_as(gitlab, account);
    Ok(account)
}

/// Keeps the account that asks.
pub(crate) fn known_as(gitlab: &GitLab, account: Option<u64>) {
    *gitlab.account.lock().expect("nobody fails with this lock") = account;
}

pub(crate) async fn belongs(
    gitlab: &GitLab,
    person: &Person,
    team: &str,
) -> Result<bool, ProviderError> {
    let group = segment(team)?;
    let url = format!("{}/groups/{group}/members/all/{}", gitlab.api, segment(&person.id)?);
    let member: Option<User> = gitlab.client.find(&url).await?;
    Ok(member.is_some_and(|member| member.active() && member.id.to_string() == person.id))
}

/// Whether an account may write to the repository: the role Developer and those above it.
/// Source: <https://docs.gitlab.com/api/access_requests/#valid-access-levels>.
pub(crate) async fn writes(gitlab: &GitLab, person: &Person) -> Result<bool, ProviderError> {
    const DEVELOPER: u32 = 30;
    let url = format!("{}/members/all/{}", gitlab.project, segment(&person.id)?);
    match gitlab.client.look::<User>(&url).await? {
        Ok(member) => Ok(member.active() && member.access_level >= DEVELOPER),
        Err(denied) if denied.status == 404 => Ok(false),
        // Only those who may write name reviewers.
        Err(_) => Ok(true),
    }
}

/// The time of GitLab when it answered.
pub(crate) async fn clock(gitlab: &GitLab) -> Result<u64, ProviderError> {
    gitlab.client.clock(&format!("{}/version", gitlab.api)).await
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

/// Whether GitLab shows the project itself to this token.
pub(crate) async fn shown(gitlab: &GitLab) -> Result<bool, ProviderError> {
    let project: Option<Project> = gitlab.client.find(&gitlab.project).await?;
    Ok(project.is_some())
}

/// Whether an account is known to be a person's.
pub(crate) async fn is_person(gitlab: &GitLab, user: &User) -> Result<bool, ProviderError> {
    // What a deleted account did, that of a revoked token too, is that of one account for them all.
    // Source: <https://docs.gitlab.com/user/profile/account/delete_account/#associated-records>.
    let ghost = user.username.strip_prefix("ghost");
    if ghost.is_some_and(|rest| rest.chars().all(|one| one.is_ascii_digit())) {
        return Ok(false);
    }
    let found = gitlab.client.look::<User>(&format!("{}/users/{}", gitlab.api, user.id)).await?;
    Ok(found.is_ok_and(|user| user.bot == Some(false)))
}

/// The account of an address that git names; nothing where GitLab shows none that is certain.
pub(crate) async fn by_email(gitlab: &GitLab, email: &str) -> Result<Option<User>, ProviderError> {
    #[derive(Deserialize)]
    struct Found {
        #[serde(flatten)]
        user: User,
        #[serde(default)]
        email: Option<String>,
        #[serde(default)]
        public_email: Option<String>,
    }
    // `12-ann@users.noreply.gitlab.com` is the private address of account 12.
    // Source: <https://docs.gitlab.com/user/profile/#use-an-automatically-generated-private-commit-email>.
    if let Some((id, host)) = email.split_once('-')
        && host.contains("@users.noreply.")
        && let Ok(id) = id.parse::<u64>()
    {
        return gitlab.client.find(&format!("{}/users/{id}", gitlab.api)).await;
    }
    let url = format!("{}/users?search={}", gitlab.api, encode(email));
    let found: Vec<Found> = gitlab.client.find(&url).await?.unwrap_or_default();
    let is = |address: &Option<String>| {
        address.as_deref().is_some_and(|address| address.eq_ignore_ascii_case(email))
    };
    Ok(found.into_iter().find(|one| is(&one.email) || is(&one.public_email)).map(|one| one.user))
}

pub(crate) async fn examine(gitlab: &GitLab) -> Result<Vec<Fact>, ProviderError> {
    let project: Option<Project> = gitlab.client.find(&gitlab.project).await?;
    let project = project.ok_or_else(|| ProviderError::Refused {
        message: "GitLab shows this token no such project".to_owned(),
    })?;
    let mut facts =
        vec![Fact { name: project.path_with_namespace.into(), found: "seen".into(), lacks: None }];
    let reset = crate::reviews::resets(gitlab).await?;
    facts.push(Fact {
        name: "approvals".into(),
        found: if reset { "taken away by a push" } else { "outlive a push" }.into(),
        lacks: (!reset).then(|| {
            "approvals of merge requests count for no plan: let a push remove all approvals, not \
             only those of owners of the files that changed"
                .to_owned()
        }),
    });
    Ok(facts)
}
