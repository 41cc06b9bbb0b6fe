//! Pull requests, who reviewed them, and who belongs where.

use crate::connect::Fault;
use crate::{CONTENTS, GitHub, MEMBERS, PULLS};
use dax_provider_api::encode;
use dax_provider_api::review::{ChangeRequest, Opinion};
use dax_provider_api::{Fact, ProviderError};
use serde::Deserialize;
use std::collections::BTreeMap;

#[derive(Deserialize)]
struct Pull {
    number: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    merged_at: Option<String>,
    #[serde(default)]
    html_url: String,
    user: Option<User>,
    head: Side,
    base: Side,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct Side {
    sha: String,
    #[serde(rename = "ref")]
    name: String,
    #[serde(default)]
    repo: Option<Repo>,
}

#[derive(Deserialize)]
struct Repo {
    #[serde(default)]
    full_name: String,
}

impl Pull {
    fn change(self) -> ChangeRequest {
        let home = self.base.repo.as_ref().map(|repo| &repo.full_name);
        // A fork that was deleted has no repository any more.
        let fork = self.head.repo.as_ref().map(|repo| &repo.full_name) != home;
        ChangeRequest {
            number: self.number,
            title: self.title,
            author: self.user.map(|user| user.login).unwrap_or_default(),
            head: self.head.sha,
            base: self.base.name,
            open: self.state == "open",
            fork,
            url: self.html_url,
        }
    }
}

pub(crate) async fn change(github: &GitHub, number: u64) -> Result<ChangeRequest, ProviderError> {
    let pull: Pull = github
        .connection
        .get(PULLS, &format!("{}/pulls/{number}", github.repo))
        .await
        .map_err(|fault: Fault| fault.error(&format!("read pull request {number}")))?;
    Ok(pull.change())
}

pub(crate) async fn merged(
    github: &GitHub,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let route = format!("{}/commits/{commit}/pulls", github.repo);
    let found: Option<Vec<Pull>> = github
        .connection
        .find(PULLS, &route)
        .await
        .map_err(|fault| fault.error("find the pull request of a commit"))?;
    let mut merged: Vec<Pull> =
        found.unwrap_or_default().into_iter().filter(|pull| pull.merged_at.is_some()).collect();
    merged.sort_by(|a, b| b.merged_at.cmp(&a.merged_at));
    Ok(merged.into_iter().map(Pull::change).collect())
}

#[derive(Deserialize)]
struct Review {
    user: Option<User>,
    state: String,
    #[serde(default)]
    commit_id: Option<String>,
    #[serde(default)]
    html_url: String,
}

pub(crate) async fn opinions(github: &GitHub, number: u64) -> Result<Vec<Opinion>, ProviderError> {
    let route = format!("{}/pulls/{number}/reviews", github.repo);
    let reviews: Vec<Review> = github
        .connection
        .all(PULLS, &route)
        .await
        .map_err(|fault| fault.error("read the reviews"))?;
    let mut last: BTreeMap<String, Opinion> = BTreeMap::new();
    for review in reviews {
        let Some(User { login }) = review.user else { continue };
        let agrees = match review.state.as_str() {
            "APPROVED" => true,
            "CHANGES_REQUESTED" => false,
            "DISMISSED" => {
                last.remove(&login);
                continue;
            }
            _ => continue, // a remark takes no earlier word back
        };
        last.insert(
            login.clone(),
            Opinion { by: login, agrees, commit: review.commit_id, url: review.html_url },
        );
    }
    Ok(last.into_values().collect())
}

#[derive(Deserialize)]
struct Membership {
    state: String,
}

pub(crate) async fn belongs(
    github: &GitHub,
    login: &str,
    team: &str,
) -> Result<bool, ProviderError> {
    let (org, team) = team.split_once('/').unwrap_or((github.owner.as_str(), team));
    let route =
        format!("/orgs/{}/teams/{}/memberships/{}", encode(org), encode(team), encode(login));
    let found: Option<Membership> =
        github.connection.find(MEMBERS, &route).await.map_err(|fault| {
            fault.error(&format!("see who belongs to the team `{org}/{team}`, for which the token needs `members: read`"))
        })?;
    Ok(found.is_some_and(|membership| membership.state == "active"))
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
        let name =
            github.connection.app_name().await.map_err(|fault| fault.error("ask who it is"))?;
        facts.push(Fact {
            name: "asks as".into(),
            found: format!("the App {name}").into(),
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
        let lacks = Some("checks are written by Apps and by jobs of GitHub Actions; others write commit statuses".to_owned());
        facts.push(Fact { name: "asks as".into(), found: "whoever has the token".into(), lacks });
    }
    Ok(facts)
}
