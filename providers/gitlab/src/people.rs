//! Merge requests, who approved them, and who belongs where.

use crate::GitLab;
use dax_provider_api::encode;
use dax_provider_api::review::{ChangeRequest, Opinion};
use dax_provider_api::{Fact, ProviderError};
use serde::Deserialize;

#[derive(Deserialize)]
struct MergeRequest {
    iid: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    sha: Option<String>,
    target_branch: String,
    source_project_id: Option<u64>,
    target_project_id: u64,
    #[serde(default)]
    web_url: String,
    author: User,
    #[serde(default)]
    merged_at: Option<String>,
}

#[derive(Deserialize)]
struct User {
    username: String,
}

impl MergeRequest {
    fn change(self) -> ChangeRequest {
        ChangeRequest {
            number: self.iid,
            title: self.title,
            author: self.author.username,
            head: self.sha.unwrap_or_default(),
            base: self.target_branch,
            open: self.state == "opened",
            fork: self.source_project_id != Some(self.target_project_id),
            url: self.web_url,
        }
    }
}

pub(crate) async fn change(gitlab: &GitLab, number: u64) -> Result<ChangeRequest, ProviderError> {
    let found: Option<MergeRequest> =
        gitlab.client.find(&format!("{}/merge_requests/{number}", gitlab.project)).await?;
    let missing = || ProviderError::Refused {
        message: format!(
            "GitLab shows this token no merge request {number}: it needs the scope `api`"
        ),
    };
    found.map(MergeRequest::change).ok_or_else(missing)
}

pub(crate) async fn merged(
    gitlab: &GitLab,
    commit: &str,
) -> Result<Vec<ChangeRequest>, ProviderError> {
    let url = format!("{}/repository/commits/{}/merge_requests", gitlab.project, encode(commit));
    let mut found: Vec<MergeRequest> = gitlab.client.find(&url).await?.unwrap_or_default();
    found.retain(|one| one.state == "merged");
    found.sort_by(|a, b| b.merged_at.cmp(&a.merged_at));
    Ok(found.into_iter().map(MergeRequest::change).collect())
}

#[derive(Deserialize, Default)]
struct Approvals {
    #[serde(default)]
    approved_by: Vec<Approver>,
}

#[derive(Deserialize)]
struct Approver {
    user: User,
}

#[derive(Deserialize, Default)]
struct Rules {
    #[serde(default)]
    reset_approvals_on_push: bool,
}

pub(crate) async fn opinions(gitlab: &GitLab, number: u64) -> Result<Vec<Opinion>, ProviderError> {
    let approvals: Option<Approvals> = gitlab
        .client
        .find(&format!("{}/merge_requests/{number}/approvals", gitlab.project))
        .await?;
    let approvals = approvals.unwrap_or_default();
    if approvals.approved_by.is_empty() {
        return Ok(Vec::new());
    }
    // GitLab does not say which commit somebody looked at; where a push takes approvals away it can only be the newest.
    let rules: Rules =
        gitlab.client.find(&format!("{}/approvals", gitlab.project)).await?.unwrap_or_default();
    let change = change(gitlab, number).await?;
    let commit = rules.reset_approvals_on_push.then_some(change.head);
    let opinion = |one: Approver| Opinion {
        by: one.user.username,
        agrees: true,
        commit: commit.clone(),
        url: change.url.clone(),
    };
    Ok(approvals.approved_by.into_iter().map(opinion).collect())
}

pub(crate) async fn belongs(
    gitlab: &GitLab,
    login: &str,
    team: &str,
) -> Result<bool, ProviderError> {
    let url = format!("{}/groups/{}/members/all?query={}", gitlab.api, encode(team), encode(login));
    let members: Vec<User> = gitlab.client.find(&url).await?.unwrap_or_default();
    Ok(members.iter().any(|member| member.username == login))
}

#[derive(Deserialize)]
struct Project {
    path_with_namespace: String,
}

pub(crate) async fn examine(gitlab: &GitLab) -> Result<Vec<Fact>, ProviderError> {
    let project: Option<Project> = gitlab.client.find(&gitlab.project).await?;
    let project = project.ok_or_else(|| ProviderError::Refused {
        message: "GitLab shows this token no such project".to_owned(),
    })?;
    let mut facts =
        vec![Fact { name: project.path_with_namespace.into(), found: "seen".into(), lacks: None }];
    let rules: Option<Rules> = gitlab.client.find(&format!("{}/approvals", gitlab.project)).await?;
    let reset = rules.is_some_and(|rules| rules.reset_approvals_on_push);
    facts.push(Fact {
        name: "approvals".into(),
        found: if reset { "taken away by a push" } else { "outlive a push" }.into(),
        lacks: (!reset).then(|| {
            "approvals of merge requests count for no plan: let a push remove all approvals"
                .to_owned()
        }),
    });
    Ok(facts)
}
