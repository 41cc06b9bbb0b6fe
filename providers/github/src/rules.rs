//! What protects an environment, and who let a run pass.

use crate::{CONTENTS, GitHub, RULES};
use dax_provider_api::ProviderError;
use dax_provider_api::encode;
use dax_provider_api::review::{Branches, Protection};
use serde::Deserialize;
use std::time::Duration;

#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    protection_rules: Vec<Rule>,
    #[serde(default)]
    deployment_branch_policy: Option<BranchPolicy>,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
enum Rule {
    WaitTimer {
        /// Minutes.
        #[serde(default)]
        wait_timer: u64,
    },
    RequiredReviewers {
        #[serde(default)]
        prevent_self_review: bool,
        #[serde(default)]
        reviewers: Vec<Reviewer>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "reviewer")]
enum Reviewer {
    User { login: String },
    Team { slug: String },
}

#[derive(Deserialize)]
struct BranchPolicy {
    #[serde(default)]
    protected_branches: bool,
    #[serde(default)]
    custom_branch_policies: bool,
}

#[derive(Deserialize)]
struct Policies {
    branch_policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    #[serde(default)]
    name: String,
}

pub(crate) async fn protection(
    github: &GitHub,
    environment: &str,
) -> Result<Option<Protection>, ProviderError> {
    let route = format!("{}/environments/{}", github.repo, encode(environment));
    let doing = format!(
        "read what protects the environment `{environment}`, for which the token needs `actions: read`"
    );
    let found: Option<Environment> =
        github.connection.find(RULES, &route).await.map_err(|fault| fault.error(&doing))?;
    let Some(found) = found else { return Ok(None) };
    let mut protection = Protection::default();
    for rule in found.protection_rules {
        match rule {
            Rule::WaitTimer { wait_timer } => protection.wait = Duration::from_mins(wait_timer),
            Rule::RequiredReviewers { prevent_self_review, reviewers } => {
                protection.no_self_review = prevent_self_review;
                protection.reviewers.extend(reviewers.into_iter().map(|reviewer| match reviewer {
                    Reviewer::User { login } => login,
                    Reviewer::Team { slug } => format!("{}/{slug}", github.owner),
                }));
            }
            Rule::Other => {}
        }
    }
    protection.branches = match found.deployment_branch_policy {
        Some(BranchPolicy { protected_branches: true, .. }) => Branches::Protected,
        Some(BranchPolicy { custom_branch_policies: true, .. }) => {
            let route = format!("{route}/deployment-branch-policies?per_page=100");
            let policies: Policies =
                github.connection.get(RULES, &route).await.map_err(|fault| fault.error(&doing))?;
            Branches::Named(
                policies.branch_policies.into_iter().map(|policy| policy.name).collect(),
            )
        }
        _ => Branches::Any,
    };
    Ok(Some(protection))
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
}

pub(crate) async fn protected(github: &GitHub, branch: &str) -> Result<bool, ProviderError> {
    let route = format!("{}/branches/{}", github.repo, encode(branch));
    let found: Option<Branch> = github
        .connection
        .find(CONTENTS, &route)
        .await
        .map_err(|fault| fault.error("read the branch"))?;
    Ok(found.is_some_and(|branch| branch.protected))
}

#[derive(Deserialize)]
struct Release {
    state: String,
    user: Login,
    #[serde(default)]
    environments: Vec<Policy>,
}

#[derive(Deserialize)]
struct Login {
    login: String,
}

pub(crate) async fn released(
    github: &GitHub,
    environment: &str,
) -> Result<Vec<String>, ProviderError> {
    let Some(run) = &github.run else { return Ok(Vec::new()) };
    let route = format!("{}/actions/runs/{}/approvals", github.repo, encode(run));
    let found: Option<Vec<Release>> = github
        .connection
        .find(RULES, &route)
        .await
        .map_err(|fault| fault.error("see who let this run go on"))?;
    let all = found.unwrap_or_default().into_iter().filter(|one| one.state == "approved");
    Ok(all
        .filter(|one| one.environments.iter().any(|known| known.name == environment))
        .map(|one| one.user.login)
        .collect())
}
