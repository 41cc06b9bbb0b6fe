//! Protection rules of environments, and jobs that GitLab let through to them.
//!
//! Source: <https://docs.gitlab.com/api/protected_environments/>,
//! <https://docs.gitlab.com/api/deployments/>.

use crate::GitLab;
use crate::people::{self, User, all};
use dax_provider_api::review::{Branches, Person, Protection, Released, RequiredReviewers};
use dax_provider_api::{ProviderError, encode};
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;
use std::time::Duration;

/// The access level that only administrators of the server have.
const ADMIN: u32 = 60;

#[derive(Deserialize)]
struct ProtectedEnvironment {
    #[serde(default)]
    approval_rules: Vec<Rule>,
    /// How many of those who may deploy must approve, as older versions have it.
    #[serde(default)]
    required_approval_count: u32,
    #[serde(default)]
    deploy_access_levels: Vec<Rule>,
}

/// Those whom an entry means, of rules and of access levels alike.
#[derive(Deserialize)]
struct Rule {
    #[serde(default)]
    user_id: Option<u64>,
    #[serde(default)]
    group_id: Option<u64>,
    #[serde(default)]
    access_level: Option<u32>,
    #[serde(default)]
    access_level_description: Option<String>,
    #[serde(default)]
    required_approvals: u32,
    /// 0 for direct members of the group alone, 1 for inherited ones, too.
    #[serde(default)]
    group_inheritance_type: Option<u32>,
}

/// Those whom entries mean, and in words those whom dax cannot list.
#[derive(Debug, Default, PartialEq, Eq)]
struct Meant {
    people: Vec<Person>,
    teams: Vec<String>,
    unread: Vec<String>,
}

pub(crate) async fn protection(
    gitlab: &GitLab,
    environment: &str,
) -> Result<Option<Protection>, ProviderError> {
    let name = segment(environment)?;
    let url = format!("{}/protected_environments/{name}", gitlab.project);
    let found = match gitlab.client.look::<ProtectedEnvironment>(&url).await? {
        Ok(found) => found,
        // 404 counts where the project itself is shown.
        Err(denied) if denied.status == 404 && people::shown(gitlab).await? => return Ok(None),
        Err(denied) => {
            return Err(ProviderError::Refused {
                message: format!(
                    "GitLab does not show what protects the environment `{environment}` ({}): set \
                     GITLAB_TOKEN to a project access token with the scope `api` and the role \
                     Maintainer",
                    denied.message
                ),
            });
        }
    };
    let mut protection = Protection {
        reviewers: Vec::new(),
        // Source: <https://docs.gitlab.com/ci/environments/deployment_approvals/#allow-self-approval>.
        no_self_review: true,
        wait: Duration::ZERO,
        branches: Branches::Any,
        unread: Vec::new(),
    };
    for rule in found.approval_rules.iter().filter(|rule| rule.required_approvals > 0) {
        let one = meant(gitlab, std::slice::from_ref(rule)).await?;
        add(&mut protection, rule.required_approvals, one);
    }
    let deployers = meant(gitlab, &found.deploy_access_levels).await?;
    if !found.deploy_access_levels.is_empty() {
        protection.unread.extend(starter_lacks(gitlab, &deployers).await?);
    }
    if found.required_approval_count > 0 {
        add(&mut protection, found.required_approval_count, deployers);
    }
    Ok(Some(protection))
}

/// Adds a rule: so many of those who are meant.
fn add(protection: &mut Protection, count: u32, meant: Meant) {
    let Meant { mut people, teams, unread } = meant;
    people.sort();
    people.dedup();
    if people.is_empty() && teams.is_empty() {
        let of = if unread.is_empty() { "nobody".to_owned() } else { unread.join(" or ") };
        protection.unread.push(format!("{count} approvals of {of}"));
    } else {
        protection.reviewers.push(RequiredReviewers { count, people, teams });
    }
}

/// Lists those whom entries mean. An account or a group that is not shown is an error: a rule that
/// is not known in full is not taken as kept.
async fn meant(gitlab: &GitLab, rules: &[Rule]) -> Result<Meant, ProviderError> {
    let mut meant = Meant::default();
    for rule in rules {
        match (rule.user_id, rule.group_id, rule.access_level) {
            (Some(id), ..) => meant.people.push(user(gitlab, id).await?.person()),
            (_, Some(id), _) if rule.group_inheritance_type == Some(1) => {
                meant.teams.push(group(gitlab, id).await?);
            }
            (_, Some(id), _) => {
                let group = group(gitlab, id).await?;
                let members = format!("{}/groups/{id}/members", gitlab.api);
                match members_of(gitlab, &members).await? {
                    Some(members) => meant.people.extend(active(members, 0)),
                    None => meant.unread.push(format!("direct members of `{group}`")),
                }
            }
            (_, _, Some(level)) if (1..ADMIN).contains(&level) => {
                let members = format!("{}/members/all", gitlab.project);
                match members_of(gitlab, &members).await? {
                    Some(members) => meant.people.extend(active(members, level)),
                    None => meant.unread.push(described(rule)),
                }
            }
            _ => meant.unread.push(described(rule)),
        }
    }
    Ok(meant)
}

/// An entry in words.
fn described(rule: &Rule) -> String {
    let level = rule.access_level.map_or_else(|| "unknown".to_owned(), |level| level.to_string());
    rule.access_level_description.clone().unwrap_or_else(|| format!("access level {level}"))
}

/// Those of a list of members who may do something, with an access level at least.
fn active(members: Vec<User>, level: u32) -> Vec<Person> {
    let fits = |member: &User| member.active() && member.access_level >= level;
    members.into_iter().filter(fits).map(User::person).collect()
}

/// The members of a group or a project; nothing where this token is not shown them.
async fn members_of(gitlab: &GitLab, url: &str) -> Result<Option<Vec<User>>, ProviderError> {
    if gitlab.client.look::<Vec<User>>(&format!("{url}?per_page=1")).await?.is_err() {
        return Ok(None);
    }
    Ok(Some(all(gitlab, url).await?))
}

async fn user(gitlab: &GitLab, id: u64) -> Result<User, ProviderError> {
    let found: Option<User> = gitlab.client.find(&format!("{}/users/{id}", gitlab.api)).await?;
    found.ok_or_else(|| ProviderError::Refused {
        message: format!(
            "GitLab does not show account {id}, whom a rule of a protected environment names: take \
             it out of the rule, or give the token the scope `api`"
        ),
    })
}

#[derive(Deserialize)]
struct Group {
    full_path: String,
}

async fn group(gitlab: &GitLab, id: u64) -> Result<String, ProviderError> {
    let found: Option<Group> = gitlab.client.find(&format!("{}/groups/{id}", gitlab.api)).await?;
    found.map(|group| group.full_path).ok_or_else(|| ProviderError::Refused {
        message: format!(
            "GitLab does not show group {id}, which a rule of a protected environment names: give \
             the token the scope `api` in that group, or take it out of the rule"
        ),
    })
}

#[derive(Deserialize)]
struct Pipeline {
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    created_at: String,
}

async fn pipeline(gitlab: &GitLab) -> Result<Option<Pipeline>, ProviderError> {
    let Some(run) = &gitlab.run else { return Ok(None) };
    gitlab.client.find(&format!("{}/pipelines/{}", gitlab.project, segment(run)?)).await
}

/// A rule that the starter of this pipeline does not keep: only some may deploy. GitLab keeps it for
/// jobs that name the environment.
async fn starter_lacks(
    gitlab: &GitLab,
    deployers: &Meant,
) -> Result<Option<String>, ProviderError> {
    let starter = pipeline(gitlab).await?.and_then(|pipeline| pipeline.user).map(User::person);
    let Some(starter) = starter else {
        return Ok(Some("who may deploy, because it is not known who started this".to_owned()));
    };
    if deployers.people.iter().any(|person| person.id == starter.id) {
        return Ok(None);
    }
    for team in &deployers.teams {
        if people::belongs(gitlab, &starter, team).await? {
            return Ok(None);
        }
    }
    Ok(Some(format!("who may deploy, and `{}` is not known to", starter.shown)))
}

#[derive(Deserialize)]
struct Deployment {
    id: u64,
    #[serde(default)]
    status: String,
    #[serde(default)]
    deployable: Option<Job>,
}

#[derive(Deserialize)]
struct Job {
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    pipeline: Option<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
}

#[derive(Deserialize)]
struct Approvals {
    #[serde(default)]
    approvals: Vec<Approval>,
}

#[derive(Deserialize)]
struct Approval {
    user: User,
    status: String,
}

/// The job of this pipeline that names the environment, which GitLab starts once its rules are kept.
pub(crate) async fn released(
    gitlab: &GitLab,
    environment: &str,
) -> Result<Released, ProviderError> {
    let (Some(run), Some(pipeline)) = (&gitlab.run, pipeline(gitlab).await?) else {
        return Ok(Released::default());
    };
    let mut released =
        Released { created_ms: timestamp(&pipeline.created_at), ..Released::default() };
    let url = format!(
        "{}/deployments?environment={}&order_by=id&sort=desc&per_page=100",
        gitlab.project,
        encode(environment)
    );
    let deployments = gitlab.client.look::<Vec<Deployment>>(&url).await?.unwrap_or_default();
    let mut starters: Vec<u64> = pipeline.user.iter().map(|user| user.id).collect();
    for one in deployments.iter().filter(|one| one.status == "running") {
        let job = one.deployable.as_ref();
        let here = job.and_then(|job| job.pipeline.as_ref());
        if here.is_none_or(|pipeline| pipeline.id.to_string() != *run) {
            continue;
        }
        starters.extend(job.and_then(|job| job.user.as_ref()).map(|user| user.id));
        let url = format!("{}/deployments/{}", gitlab.project, one.id);
        let whole: Option<Approvals> = gitlab.client.find(&url).await?;
        for approval in whole.map(|whole| whole.approvals).unwrap_or_default() {
            if approval.status == "approved" {
                released.passed = true;
                released.by.push(approval.user.person());
            }
        }
    }
    released.by.retain(|person| starters.iter().all(|id| id.to_string() != person.id));
    released.by.sort();
    released.by.dedup();
    Ok(released)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_rule_that_nobody_is_known_of_is_named_and_not_left_out() {
        let person = |id: &str| Person { id: id.to_owned(), ..Person::default() };
        let mut protection = Protection::default();
        let people = vec![person("2"), person("1"), person("2")];
        add(&mut protection, 2, Meant { people, ..Meant::default() });
        let unread = vec!["Administrators".to_owned()];
        add(&mut protection, 1, Meant { unread, ..Meant::default() });
        add(&mut protection, 1, Meant::default());
        let rule = &protection.reviewers[0];
        assert_eq!((protection.reviewers.len(), rule.count, rule.people.len()), (1, 2, 2));
        assert_eq!(protection.unread, ["1 approvals of Administrators", "1 approvals of nobody"]);
    }

    #[test]
    fn an_access_level_means_those_members_who_have_it_and_are_active() {
        let members: Vec<User> = serde_json::from_value(json!([
            { "id": 1, "username": "a", "access_level": 30, "state": "active" },
            { "id": 2, "username": "b", "access_level": 40, "state": "active" },
            { "id": 3, "username": "c", "access_level": 50, "state": "blocked" },
        ]))
        .expect("members");
        let ids: Vec<String> = active(members, 40).into_iter().map(|one| one.id).collect();
        assert_eq!(ids, ["2"]);
        let rule: Rule = serde_json::from_value(json!({ "access_level": 60 })).expect("a rule");
        assert_eq!(described(&rule), "access level 60");
    }
}
