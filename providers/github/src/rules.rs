//! Protection rules of environments and of branches.
//!
//! Source: <https://docs.github.com/en/rest/deployments/environments>,
//! <https://docs.github.com/en/rest/deployments/protection-rules>.

use crate::people::User;
use crate::{CONTENTS, GitHub, RULES};
use dax_provider_api::ProviderError;
use dax_provider_api::review::{Branches, Protection, RefPattern, RequiredReviewers};
use dax_provider_client::segment;
use serde::Deserialize;
use serde_json::Value as Json;
use std::time::Duration;

#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    protection_rules: Option<Vec<Rule>>,
    #[serde(default)]
    deployment_branch_policy: Option<BranchPolicy>,
}

#[derive(Deserialize)]
struct Rule {
    #[serde(rename = "type")]
    kind: String,
    /// Minutes.
    #[serde(default)]
    wait_timer: Option<u64>,
    #[serde(default)]
    prevent_self_review: bool,
    #[serde(default)]
    reviewers: Vec<Json>,
}

#[derive(Deserialize)]
#[serde(tag = "type", content = "reviewer")]
enum Reviewer {
    User(User),
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
    total_count: usize,
    branch_policies: Vec<Policy>,
}

#[derive(Deserialize)]
struct Policy {
    name: String,
    /// `branch` or `tag`; an older server has no rules for tags, and no such field.
    #[serde(default, rename = "type")]
    kind: Option<String>,
}

#[derive(Deserialize)]
struct CustomRules {
    #[serde(default)]
    custom_deployment_protection_rules: Vec<CustomRule>,
}

#[derive(Deserialize)]
struct CustomRule {
    #[serde(default = "yes")]
    enabled: bool,
    app: CustomApp,
}

#[derive(Deserialize)]
struct CustomApp {
    slug: String,
}

const fn yes() -> bool {
    true
}

pub(crate) async fn protection(
    github: &GitHub,
    environment: &str,
) -> Result<Option<Protection>, ProviderError> {
    let route = format!("{}/environments/{}", github.repo, segment(environment)?);
    let doing = format!(
        "read what protects the environment `{environment}`, for which the token needs \
         `actions: read`"
    );
    let found: Option<Environment> =
        github.connection.find(RULES, &route).await.map_err(|fault| fault.error(&doing))?;
    let Some(found) = found else {
        seen(github, environment).await?;
        return Ok(None);
    };
    let mut protection = Protection::default();
    for rule in found.protection_rules.unwrap_or_default() {
        add(&mut protection, rule, &github.owner);
    }
    let custom = format!("{route}/deployment_protection_rules");
    // An older Enterprise Server has no such rules, and no such list; the environment itself was shown.
    let custom: Option<CustomRules> =
        github.connection.find(RULES, &custom).await.map_err(|fault| fault.error(&doing))?;
    let custom = custom.map(|custom| custom.custom_deployment_protection_rules).unwrap_or_default();
    for rule in custom.into_iter().filter(|rule| rule.enabled) {
        protection.unread.push(format!("the rule of the App `{}`", rule.app.slug));
    }
    protection.branches = match found.deployment_branch_policy {
        Some(BranchPolicy { protected_branches: true, .. }) => Branches::Protected,
        Some(BranchPolicy { custom_branch_policies: true, .. }) => {
            let policies = policies(github, &route, &doing).await?;
            Branches::Named(named(policies, &mut protection.unread))
        }
        _ => Branches::Any,
    };
    Ok(Some(protection))
}

/// 404 says that there is no environment, or that this token is not shown it: which of both is told
/// by the repository.
async fn seen(github: &GitHub, environment: &str) -> Result<(), ProviderError> {
    let shown: Option<Json> = github
        .connection
        .find(CONTENTS, &github.repo)
        .await
        .map_err(|fault| fault.error("see the repository"))?;
    if shown.is_some() {
        return Ok(());
    }
    Err(ProviderError::Refused {
        message: format!(
            "GitHub shows this token neither the repository nor the environment `{environment}`, \
             so it is not known what protects it: give the token `actions: read` and \
             `contents: read`"
        ),
    })
}

/// Adds a rule of an environment.
fn add(protection: &mut Protection, rule: Rule, owner: &str) {
    match rule.kind.as_str() {
        "wait_timer" => match rule.wait_timer {
            Some(minutes) => protection.wait = Duration::from_secs(minutes.saturating_mul(60)),
            None => protection.unread.push("a wait timer without a time".to_owned()),
        },
        "required_reviewers" => {
            protection.no_self_review |= rule.prevent_self_review;
            let mut required = RequiredReviewers { count: 1, ..RequiredReviewers::default() };
            for reviewer in rule.reviewers {
                match serde_json::from_value(reviewer) {
                    Ok(Reviewer::User(user)) => required.people.push(user.person()),
                    Ok(Reviewer::Team { slug }) => required.teams.push(format!("{owner}/{slug}")),
                    // One fewer of those who may: nothing is allowed by that.
                    Err(_) => {}
                }
            }
            if required.people.is_empty() && required.teams.is_empty() {
                let nobody = "required reviewers, of whom GitHub names none";
                protection.unread.push(nobody.to_owned());
            } else {
                protection.reviewers.push(required);
            }
        }
        // Told by `deployment_branch_policy`.
        "branch_policy" => {}
        other => protection.unread.push(format!("a rule of the kind `{other}`")),
    }
}

async fn policies(github: &GitHub, route: &str, doing: &str) -> Result<Vec<Policy>, ProviderError> {
    let mut all: Vec<Policy> = Vec::new();
    for page in 1.. {
        let route = format!("{route}/deployment-branch-policies?per_page=100&page={page}");
        let found: Policies =
            github.connection.get(RULES, &route).await.map_err(|fault| fault.error(doing))?;
        let empty = found.branch_policies.is_empty();
        all.extend(found.branch_policies);
        if empty || all.len() >= found.total_count {
            break;
        }
    }
    Ok(all)
}

/// Patterns of policies; what is neither for branches nor for tags is not read.
fn named(policies: Vec<Policy>, unread: &mut Vec<String>) -> Vec<RefPattern> {
    let mut patterns = Vec::new();
    for Policy { name, kind } in policies {
        match kind.as_deref() {
            None | Some("branch") => patterns.push(RefPattern { tag: false, pattern: name }),
            Some("tag") => patterns.push(RefPattern { tag: true, pattern: name }),
            Some(other) => unread.push(format!("a pattern `{name}` for a `{other}`")),
        }
    }
    patterns
}

#[derive(Deserialize)]
struct Branch {
    #[serde(default)]
    protected: bool,
}

pub(crate) async fn protected(github: &GitHub, branch: &str) -> Result<bool, ProviderError> {
    let route = format!("{}/branches/{}", github.repo, segment(branch)?);
    let found: Option<Branch> = github
        .connection
        .find(CONTENTS, &route)
        .await
        .map_err(|fault| fault.error("read the branch"))?;
    Ok(found.is_some_and(|branch| branch.protected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn read(rules: Json) -> Protection {
        let mut protection = Protection::default();
        let rules: Vec<Rule> = serde_json::from_value(rules).expect("rules");
        for rule in rules {
            add(&mut protection, rule, "acme");
        }
        protection
    }

    #[test]
    fn each_rule_is_read_or_named_as_not_read() {
        let user = json!({ "type": "User", "reviewer": { "id": 7, "login": "ann" } });
        let team = json!({ "type": "Team", "reviewer": { "id": 1, "slug": "sre" } });
        let protection = read(json!([
            { "type": "wait_timer", "wait_timer": 30 },
            { "type": "required_reviewers", "prevent_self_review": true, "reviewers": [user, team] },
            { "type": "branch_policy" },
            { "type": "moon_phase" },
        ]));
        assert_eq!(protection.wait, Duration::from_mins(30));
        assert!(protection.no_self_review);
        let required = &protection.reviewers[0];
        assert_eq!((required.count, required.people[0].id.as_str()), (1, "7"));
        assert_eq!(required.teams, ["acme/sre"]);
        assert_eq!(protection.unread, ["a rule of the kind `moon_phase`"]);
        // Reviewers whom nobody names let nobody through.
        let nobody = json!([{ "type": "required_reviewers", "reviewers": [{ "type": "Team" }] }]);
        let protection = read(nobody);
        assert!(protection.reviewers.is_empty() && protection.unread.len() == 1, "{protection:?}");
    }

    #[test]
    fn a_pattern_is_for_branches_or_for_tags() {
        let policies: Vec<Policy> = serde_json::from_value(json!([
            { "name": "main" },
            { "name": "release/*", "type": "branch" },
            { "name": "v*", "type": "tag" },
            { "name": "x", "type": "note" },
        ]))
        .expect("policies");
        let mut unread = Vec::new();
        let patterns: Vec<(bool, String)> =
            named(policies, &mut unread).into_iter().map(|one| (one.tag, one.pattern)).collect();
        let pattern = |tag: bool, text: &str| (tag, text.to_owned());
        assert_eq!(
            patterns,
            [pattern(false, "main"), pattern(false, "release/*"), pattern(true, "v*")]
        );
        assert_eq!(unread, ["a pattern `x` for a `note`"]);
    }
}
