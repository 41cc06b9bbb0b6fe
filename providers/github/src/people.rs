//! Accounts: whose they are, which one asks, and who belongs where.

use crate::{CONTENTS, GitHub, MEMBERS};
use dax_provider_api::review::Person;
use dax_provider_api::{Fact, ProviderError};
use dax_provider_client::segment;
use serde::Deserialize;
use std::collections::BTreeMap;

/// The account that the token of a job of GitHub Actions acts as.
/// Source: <https://docs.github.com/en/actions/concepts/security/github_token>.
const ACTIONS: &str = "github-actions[bot]";

/// An account as GitHub tells of it.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct User {
    pub(crate) id: u64,
    pub(crate) login: String,
    #[serde(default, rename = "type")]
    kind: String,
}

impl User {
    pub(crate) fn person(self) -> Person {
        Person { id: self.id.to_string(), shown: self.login.clone(), login: Some(self.login) }
    }
}

/// The account that asks.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    /// Its id, where GitHub tells.
    id: Option<u64>,
    /// Its login.
    login: String,
}

impl Account {
    /// Whether something was written by this account: by its id, and where that is not known, by
    /// the login of a bot, which no person can have because of its brackets.
    pub(crate) fn wrote(&self, author: &User) -> bool {
        match self.id {
            Some(id) => id == author.id,
            None => author.kind == "Bot" && author.login.eq_ignore_ascii_case(&self.login),
        }
    }

    /// The account of the author of something that was just written.
    pub(crate) fn of(author: &User) -> Self {
        Self { id: Some(author.id), login: author.login.clone() }
    }
}

/// The account that asks, which is asked for once.
pub(crate) async fn asks(github: &GitHub) -> Result<Account, ProviderError> {
    let known = github.account.lock().expect("nobody fails with this lock").clone();
    if let Some(known) = known {
        return Ok(known);
    }
    let account = find(github).await?;
    known_as(github, account.clone());
    Ok(account)
}

/// Keeps the account that asks.
pub(crate) fn known_as(github: &GitHub, account: Account) {
    *github.account.lock().expect("nobody fails with this lock") = Some(account);
}

#[derive(Deserialize)]
struct Answer {
    data: Viewer,
}

#[derive(Deserialize)]
struct Viewer {
    viewer: Bot,
}

#[derive(Deserialize)]
struct Bot {
    login: String,
    #[serde(default, rename = "databaseId")]
    id: Option<u64>,
}

async fn find(github: &GitHub) -> Result<Account, ProviderError> {
    let doing = "ask which account it acts as";
    let connection = &github.connection;
    if connection.is_app() {
        let app = connection.app().await.map_err(|fault| fault.error(doing))?;
        return Ok(Account { id: None, login: format!("{}[bot]", app.slug) });
    }
    match connection.get::<User>(&[], "/user").await {
        Ok(user) => return Ok(Account::of(&user)),
        // A token of an installation acts as no person; that of a job of Actions is one of them.
        Err(fault) if matches!(fault.status, Some(403 | 404)) => {}
        Err(fault) => return Err(fault.error(doing)),
    }
    let query = "query { viewer { login databaseId } }";
    match connection.query::<Answer>(query).await {
        Ok(Answer { data: Viewer { viewer } }) => {
            Ok(Account { id: viewer.id, login: viewer.login })
        }
        Err(fault) if matches!(fault.status, Some(400..=499)) || fault.senseless() => {
            Ok(Account { id: None, login: ACTIONS.to_owned() })
        }
        Err(fault) => Err(fault.error(doing)),
    }
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

pub(crate) async fn belongs(
    github: &GitHub,
    person: &Person,
    team: &str,
) -> Result<bool, ProviderError> {
    let Some(login) = &person.login else { return Ok(false) };
    let (org, team) = team.split_once('/').unwrap_or((github.owner.as_str(), team));
    let route =
        format!("/orgs/{}/teams/{}/memberships/{}", segment(org)?, segment(team)?, segment(login)?);
    let found: Option<Membership> =
        github.connection.find(MEMBERS, &route).await.map_err(|fault| {
            fault.error(&format!(
                "see who belongs to the team `{org}/{team}`, for which the token needs \
                 `members: read`"
            ))
        })?;
    Ok(found.is_some_and(|membership| membership.state == "active"))
}

/// The time of GitHub when it answered.
pub(crate) async fn clock(github: &GitHub) -> Result<u64, ProviderError> {
    // The one call that counts against no limit.
    // Source: <https://docs.github.com/en/rest/rate-limit/rate-limit>.
    let time = github.connection.date(CONTENTS, "/rate_limit").await;
    time.map_err(|fault| fault.error("ask what time it is"))?.ok_or_else(|| {
        ProviderError::Refused {
            message: "GitHub does not say what time it is: its answers have no `Date` header; let \
                      the proxy in front of it pass that header on"
                .to_owned(),
        }
    })
}

#[derive(Deserialize)]
struct Visible {
    full_name: String,
    #[serde(default)]
    permissions: BTreeMap<String, bool>,
}

pub(crate) async fn examine(github: &GitHub) -> Result<Vec<Fact>, ProviderError> {
    let mut facts = Vec::new();
    if github.connection.is_app() {
        let app = github.connection.app().await.map_err(|fault| fault.error("ask who it is"))?;
        facts.push(Fact {
            name: "asks as".into(),
            found: format!("the App {}", app.name).into(),
            lacks: None,
        });
    }
    let repo: Visible = github
        .connection
        .get(CONTENTS, &github.repo)
        .await
        .map_err(|fault| fault.error("see the repository"))?;
    let may: Vec<&str> =
        repo.permissions.iter().filter(|(_, may)| **may).map(|(name, _)| name.as_str()).collect();
    let may = if may.is_empty() { "seen".to_owned() } else { may.join(", ") };
    facts.push(Fact { name: repo.full_name.into(), found: may.into(), lacks: None });
    if !github.connection.is_app() {
        let found = asks(github).await?.login;
        let lacks = Some(
            "checks are written by Apps and by jobs of GitHub Actions; others write commit statuses"
                .to_owned(),
        );
        facts.push(Fact { name: "asks as".into(), found: found.into(), lacks });
    }
    Ok(facts)
}
