//! Merge requests.
//!
//! Source: <https://docs.gitlab.com/api/merge_requests/>.

use crate::GitLab;
use crate::people::{User, all};
use dax_provider_api::ProviderError;
use dax_provider_api::review::ChangeRequest;
use dax_provider_client::segment;
use serde::Deserialize;

#[derive(Deserialize)]
pub(crate) struct MergeRequest {
    iid: u64,
    #[serde(default)]
    title: String,
    state: String,
    #[serde(default)]
    sha: Option<String>,
    #[serde(default)]
    pub(crate) source_branch: String,
    target_branch: String,
    pub(crate) source_project_id: Option<u64>,
    target_project_id: u64,
    #[serde(default)]
    web_url: String,
    #[serde(default)]
    author: Option<User>,
    #[serde(default)]
    pub(crate) created_at: String,
    #[serde(default)]
    pub(crate) merged_at: Option<String>,
    #[serde(default)]
    pub(crate) closed_at: Option<String>,
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

pub(crate) async fn request(gitlab: &GitLab, number: u64) -> Result<MergeRequest, ProviderError> {
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

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::json;

    /// An open merge request with these fields as well.
    pub(crate) fn request(more: &serde_json::Value) -> MergeRequest {
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
        let commit = |more: serde_json::Value| request(&more).change().merge_commit;
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
}
