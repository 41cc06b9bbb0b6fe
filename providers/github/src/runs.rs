//! Runs of GitHub Actions: who started them, and who let them go on to an environment.
//!
//! Source: <https://docs.github.com/en/rest/actions/workflow-runs>.

use crate::people::User;
use crate::{GitHub, RULES};
use dax_provider_api::ProviderError;
use dax_provider_api::review::Released;
use dax_provider_client::segment;
use dax_provider_client::time::timestamp;
use serde::Deserialize;

#[derive(Deserialize)]
struct Run {
    #[serde(default)]
    actor: Option<User>,
    #[serde(default)]
    triggering_actor: Option<User>,
    created_at: String,
}

#[derive(Deserialize)]
struct Approval {
    state: String,
    #[serde(default)]
    user: Option<User>,
    #[serde(default)]
    environments: Vec<Environment>,
}

#[derive(Deserialize)]
struct Environment {
    #[serde(default)]
    name: String,
}

pub(crate) async fn released(
    github: &GitHub,
    environment: &str,
) -> Result<Released, ProviderError> {
    let Some(run) = &github.run else { return Ok(Released::default()) };
    let route = format!("{}/actions/runs/{}", github.repo, segment(run)?);
    let doing = "see who let this run go on, for which the token needs `actions: read`";
    let approvals: Option<Vec<Approval>> = github
        .connection
        .find(RULES, &format!("{route}/approvals"))
        .await
        .map_err(|fault| fault.error(doing))?;
    let found: Option<Run> =
        github.connection.find(RULES, &route).await.map_err(|fault| fault.error(doing))?;
    let approvals = approvals.unwrap_or_default();
    let Some(found) = found else {
        if approvals.is_empty() {
            return Ok(Released::default());
        }
        return Err(ProviderError::Refused {
            message: format!(
                "GitHub shows who let run {run} go on, but not who started it: give the token \
                 `actions: read`"
            ),
        });
    };
    Ok(of(found, approvals, environment))
}

/// Approvals of an environment in a run.
fn of(run: Run, approvals: Vec<Approval>, environment: &str) -> Released {
    let mut released = Released { created_ms: timestamp(&run.created_at), ..Released::default() };
    let started: Vec<u64> =
        [run.actor, run.triggering_actor].into_iter().flatten().map(|user| user.id).collect();
    for approval in approvals {
        // Names of environments have no case.
        let meant =
            approval.environments.iter().any(|one| one.name.eq_ignore_ascii_case(environment));
        if approval.state != "approved" || !meant {
            continue;
        }
        released.passed = true;
        released
            .by
            .extend(approval.user.filter(|user| !started.contains(&user.id)).map(User::person));
    }
    released.by.sort();
    released.by.dedup();
    released
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn whoever_started_or_restarted_a_run_released_nothing() {
        let user = |id: u64| json!({ "id": id, "login": format!("u{id}"), "type": "User" });
        let run = json!({
            "actor": user(1), "triggering_actor": user(2), "created_at": "2026-01-01T00:00:00Z",
        });
        let approval = |id: u64, state: &str, name: &str| json!({ "state": state, "user": user(id), "environments": [{ "name": name }] });
        let of = |approvals: &[serde_json::Value]| {
            of(
                serde_json::from_value(run.clone()).expect("a run"),
                serde_json::from_value(json!(approvals)).expect("approvals"),
                "production",
            )
        };
        let own = [approval(1, "approved", "production"), approval(2, "approved", "production")];
        let released = of(&own);
        assert!(released.passed && released.by.is_empty(), "{released:?}");
        assert_eq!(released.created_ms, Some(1_767_225_600_000));
        let others = [
            approval(3, "approved", "Production"),
            approval(3, "approved", "production"),
            approval(4, "rejected", "production"),
            approval(5, "approved", "staging"),
        ];
        let by: Vec<String> = of(&others).by.into_iter().map(|person| person.id).collect();
        assert_eq!(by, ["3"]);
        assert!(!of(&[approval(5, "approved", "staging")]).passed);
    }
}
