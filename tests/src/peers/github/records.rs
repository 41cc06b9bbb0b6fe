//! Records of the router: check runs by commit, commit statuses, deployments and their statuses.

use super::REPOSITORY;
use super::router::{Call, gone};
use super::world::{World, written};
use crate::peers::http::Reply;
use serde_json::{Value as Json, json};

/// Answers what is about records; nothing where it is about something else.
pub(super) fn answer(world: &mut World, call: &Call<'_>, rest: &[&str]) -> Option<Reply> {
    Some(match (call.asked.method(), rest) {
        ("POST", ["check-runs"]) => {
            let reply = call.through();
            let made: Json = serde_json::from_str(&reply.body).unwrap_or_default();
            if let Some(id) = made["id"].as_u64() {
                let commit = call.body["head_sha"].as_str().unwrap_or_default();
                world.checks.push((commit.to_owned(), id));
            }
            reply
        }
        ("GET", ["commits", sha, "check-runs"]) => {
            let of = world.checks.iter().filter(|(commit, _)| commit == sha);
            let one =
                |(_, id): &(String, u64)| call.get(&format!("/repos/{REPOSITORY}/check-runs/{id}"));
            let runs: Vec<Json> = of.map(one).filter(Json::is_object).collect();
            Reply::json(200, &json!({ "total_count": runs.len(), "check_runs": runs }))
        }
        ("POST", ["statuses", sha]) => status(world, call, sha),
        ("POST", ["deployments"]) => deploy(world, call),
        ("GET", ["deployments"]) => {
            let wanted = call.parameter("environment");
            let fits =
                |made: &&Json| wanted.as_deref().is_none_or(|wanted| made["environment"] == wanted);
            let made = world.deployments.iter().rev().map(|(made, _)| made);
            let all: Vec<&Json> = made.filter(fits).collect();
            Reply::json(200, &json!(all))
        }
        ("POST", ["deployments", id, "statuses"]) => deployed(world, call, id),
        ("GET", ["deployments", id, "statuses"]) => match world.deployments.get(place(id)) {
            None => gone(),
            Some((_, statuses)) => {
                let all: Vec<&Json> = statuses.iter().rev().collect();
                Reply::json(200, &json!(all))
            }
        },
        ("POST", ["actions", "workflows", _, "dispatches"]) => {
            Reply { status: 204, headers: Vec::new(), body: String::new() }
        }
        _ => return None,
    })
}

fn place(id: &str) -> usize {
    id.parse::<usize>().unwrap_or(0).wrapping_sub(1)
}

fn status(world: &mut World, call: &Call<'_>, sha: &str) -> Reply {
    let (id, time, body) = (world.statuses.len() + 1, written(world.now_ms), &call.body);
    let status = json!({
        "url": format!("https://api.github.com/repos/{REPOSITORY}/statuses/{sha}"), "avatar_url": null, "id": id, "node_id": "x",
        "state": body["state"], "description": body["description"], "target_url": body["target_url"], "context": body["context"],
        "created_at": time, "updated_at": time, "creator": null,
    });
    world.statuses.push(status.clone());
    Reply::json(201, &status)
}

fn deploy(world: &mut World, call: &Call<'_>) -> Reply {
    let (id, time, body) = (world.deployments.len() + 1, written(world.now_ms), &call.body);
    let url = format!("https://api.github.com/repos/{REPOSITORY}/deployments/{id}");
    let made = json!({
        "url": url, "id": id, "node_id": "x", "sha": body["ref"], "ref": body["ref"], "task": body["task"], "payload": {},
        "environment": body["environment"], "description": body["description"], "creator": null, "created_at": time, "updated_at": time,
        "statuses_url": format!("{url}/statuses"), "repository_url": format!("https://api.github.com/repos/{REPOSITORY}"),
        "transient_environment": body["transient_environment"], "production_environment": body["production_environment"],
    });
    world.deployments.push((made.clone(), Vec::new()));
    Reply::json(201, &made)
}

fn deployed(world: &mut World, call: &Call<'_>, id: &str) -> Reply {
    let (time, body) = (written(world.now_ms), &call.body);
    let Some((made, statuses)) = world.deployments.get_mut(place(id)) else { return gone() };
    let mut status = json!({
        "url": format!("{}/statuses/1", made["url"].as_str().unwrap_or_default()), "id": statuses.len() + 1, "node_id": "x",
        "state": body["state"], "creator": null, "description": body["description"], "environment": made["environment"],
        "target_url": "https://github.com", "created_at": time, "updated_at": time, "deployment_url": made["url"],
        "repository_url": made["repository_url"],
    });
    for field in ["environment_url", "log_url"] {
        if let Some(url) = body.get(field) {
            status[field] = url.clone();
        }
    }
    statuses.push(status.clone());
    Reply::json(201, &status)
}
