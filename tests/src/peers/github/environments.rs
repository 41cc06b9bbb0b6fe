//! Environments with their protection rules, and runs with those who started and approved them.

use super::REPOSITORY;
use super::router::{Call, gone};
use super::world::{BEGIN, Run, World, written};
use crate::peers::http::Reply;
use serde_json::{Value as Json, json};

/// Answers what is about environments and runs; nothing where it is about something else.
pub(super) fn answer(world: &mut World, call: &Call<'_>, rest: &[&str]) -> Option<Reply> {
    Some(match (call.asked.method(), rest) {
        ("GET", ["environments", name]) => environment(world, name),
        ("GET", ["environments", name, "deployment-branch-policies"]) => {
            policies(world, call, name)
        }
        ("GET", ["environments", name, "deployment_protection_rules"]) => custom(world, name),
        ("GET", ["actions", "runs", _, "approvals"]) => approvals(world, call),
        ("GET", ["actions", "runs", id]) => {
            let id = id.parse().unwrap_or(0);
            let run = world.run(id);
            of_run(call, id, &run)
        }
        _ => return None,
    })
}

fn environment(world: &World, name: &str) -> Reply {
    let Some(rules) = world.environments.get(name) else { return gone() };
    let time = written(BEGIN);
    let mut whole = json!({
        "id": 1, "node_id": "x", "name": name, "url": "https://api.github.com/e", "html_url": "https://github.com/e",
        "created_at": time, "updated_at": time,
    });
    for (field, value) in rules.as_object().into_iter().flatten() {
        whole[field] = value.clone();
    }
    Reply::json(200, &whole)
}

fn policies(world: &World, call: &Call<'_>, name: &str) -> Reply {
    let branch = |name: &String| json!({ "id": 1, "node_id": "x", "name": name, "type": "branch" });
    let mut all: Vec<Json> = world.patterns.get(name).into_iter().flatten().map(branch).collect();
    all.extend(world.policies.get(name).and_then(Json::as_array).into_iter().flatten().cloned());
    let number = |name: &str, other: usize| {
        call.parameter(name).and_then(|text| text.parse().ok()).unwrap_or(other)
    };
    let (size, page) = (number("per_page", 30), number("page", 1));
    let shown: Vec<&Json> = all.iter().skip((page - 1) * size).take(size).collect();
    Reply::json(200, &json!({ "total_count": all.len(), "branch_policies": shown }))
}

fn custom(world: &World, name: &str) -> Reply {
    let of = |slug: &String| {
        let url = format!("https://api.github.com/apps/{slug}");
        let app = json!({ "id": 1, "node_id": "x", "slug": slug, "integration_url": url });
        json!({ "id": 1, "node_id": "x", "enabled": true, "app": app })
    };
    let all: Vec<Json> = world.custom_rules.get(name).into_iter().flatten().map(of).collect();
    Reply::json(
        200,
        &json!({ "total_count": all.len(), "custom_deployment_protection_rules": all }),
    )
}

fn approvals(world: &World, call: &Call<'_>) -> Reply {
    let one = |(login, environment): &(String, String)| {
        let environments = json!([{ "id": 1, "node_id": "x", "name": environment }]);
        json!({ "state": "approved", "comment": "", "user": call.user(login), "environments": environments })
    };
    let all: Vec<Json> = world.released.iter().map(one).collect();
    Reply::json(200, &json!(all))
}

fn of_run(call: &Call<'_>, id: u64, run: &Run) -> Reply {
    let mut repository = call.get(&format!("/repos/{REPOSITORY}"));
    // emulate tells less of an organization than GitHub does.
    repository["owner"] = call.user("admin");
    let url = format!("https://api.github.com/repos/{REPOSITORY}/actions/runs/{id}");
    let time = written(run.created_ms);
    let mut whole = json!({
        "id": id, "node_id": "x", "name": "dax", "head_branch": "main", "head_sha": "0".repeat(40), "path": ".github/workflows/dax.yml",
        "display_title": "a run", "run_number": 1, "event": "push", "status": "in_progress", "conclusion": null, "workflow_id": 1,
        "created_at": time, "updated_at": time, "run_started_at": time, "pull_requests": [], "head_commit": null,
        "actor": call.user(&run.actor), "triggering_actor": call.user(&run.triggering_actor),
        "repository": repository, "head_repository": repository, "url": url, "html_url": url,
    });
    for field in [
        "jobs_url",
        "logs_url",
        "check_suite_url",
        "artifacts_url",
        "cancel_url",
        "rerun_url",
        "workflow_url",
    ] {
        whole[field] = json!(format!("{url}/{field}"));
    }
    Reply::json(200, &whole)
}
