//! What stands in for GitLab: no server of it is in any registry, so this one answers with the shapes of its documentation.
//!
//! Source: <https://docs.gitlab.com/api/>: merge requests, notes, commits, approvals, deployments, environments, pipelines.

use super::http::{Asked, Reply, Server, serve_whole};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The token that may do everything.
pub const TOKEN: &str = "glpat-token-of-the-tests";
/// The token of a job, which may do little.
pub const JOB_TOKEN: &str = "glcbt-token-of-the-tests";

/// What the server knows.
#[derive(Default)]
pub struct World {
    /// The newest commit of each merge request.
    pub heads: BTreeMap<u64, String>,
    /// The merge requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// Notes of merge requests: the merge request, the id, the text.
    pub notes: Vec<(u64, u64, String)>,
    /// Who approved which merge request.
    pub approved: Vec<(u64, String)>,
    /// Whether a push takes approvals away.
    pub reset_on_push: bool,
    /// Statuses of commits: the commit, the state, the name.
    pub statuses: Vec<(String, String, String)>,
    /// Deployments: the environment and its states, one after the other.
    pub deployments: Vec<(String, Vec<String>)>,
    /// Pipelines that were started.
    pub pipelines: Vec<Json>,
}

/// Starts it.
pub fn start() -> (Server, Arc<Mutex<World>>) {
    let world = Arc::new(Mutex::new(World::default()));
    let known = world.clone();
    (serve_whole(move |asked| answer(&known, asked)), world)
}

fn answer(world: &Mutex<World>, asked: &Asked) -> Reply {
    let token = asked
        .header("authorization")
        .and_then(|text| text.strip_prefix("Bearer "))
        .or_else(|| asked.header("job-token"));
    let (path, _) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let no = |status: u16, message: &str| Reply::json(status, &json!({ "message": message }));
    match token {
        Some(TOKEN) => {}
        Some(JOB_TOKEN) if asked.method() == "GET" => {}
        Some(JOB_TOKEN) => return no(403, "403 Forbidden"),
        _ => return no(401, "401 Unauthorized"),
    }
    let mut world = world.lock().expect("nobody fails with this lock");
    let merge_request = |world: &World, number: u64| {
        let merged = world.merged.values().any(|one| *one == number);
        json!({
            "id": number + 100, "iid": number, "project_id": 7, "title": format!("change {number}"), "state": if merged { "merged" } else { "opened" },
            "sha": world.heads.get(&number), "target_branch": "main", "source_branch": "feature", "source_project_id": 7, "target_project_id": 7,
            "author": { "id": 2, "username": "bob" }, "web_url": format!("https://gitlab.example/acme/shop/-/merge_requests/{number}"),
            "merged_at": if merged { json!("2026-01-01T00:00:00Z") } else { json!(null) },
        })
    };
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    match (asked.method(), parts.get(4..).unwrap_or_default()) {
        ("GET", []) => Reply::json(200, &json!({ "id": 7, "path_with_namespace": "acme/shop" })),
        ("GET", ["merge_requests", iid]) => Reply::json(200, &merge_request(&world, number(iid))),
        ("GET", ["repository", "commits", sha, "merge_requests"]) => {
            let found: Vec<Json> =
                world.merged.get(*sha).map(|iid| merge_request(&world, *iid)).into_iter().collect();
            Reply::json(200, &json!(found))
        }
        ("GET", ["merge_requests", iid, "approvals"]) => {
            let by = world.approved.iter().filter(|(of, _)| *of == number(iid));
            let by: Vec<Json> =
                by.map(|(_, login)| json!({ "user": { "id": 3, "username": login } })).collect();
            Reply::json(
                200,
                &json!({ "iid": number(iid), "approved": !by.is_empty(), "approved_by": by }),
            )
        }
        ("GET", ["approvals"]) => {
            Reply::json(200, &json!({ "reset_approvals_on_push": world.reset_on_push }))
        }
        ("GET", ["merge_requests", iid, "notes"]) => {
            let of = world.notes.iter().filter(|(of, ..)| *of == number(iid));
            let all: Vec<Json> = of
                .map(|(_, id, body)| json!({ "id": id, "body": body, "system": false }))
                .collect();
            Reply::json(200, &json!(all))
        }
        ("POST", ["merge_requests", iid, "notes"]) => {
            let id = world.notes.len() as u64 + 1;
            world.notes.push((number(iid), id, text("body")));
            Reply::json(201, &json!({ "id": id, "body": text("body") }))
        }
        ("PUT", ["merge_requests", _, "notes", id]) => {
            match world.notes.iter_mut().find(|(_, known, _)| *known == number(id)) {
                None => no(404, "404 Note Not Found"),
                Some(note) => {
                    note.2 = text("body");
                    Reply::json(200, &json!({ "id": note.1, "body": note.2 }))
                }
            }
        }
        ("POST", ["statuses", sha]) => {
            let (state, name) = (text("state"), text("name"));
            if !matches!(
                state.as_str(),
                "pending" | "running" | "success" | "failed" | "canceled" | "skipped"
            ) {
                return no(400, "state does not have a valid value");
            }
            // GitLab refuses to let a status begin that has begun.
            let last =
                world.statuses.iter().rev().find(|(of, _, known)| of == sha && *known == name);
            if last.is_some_and(|(_, known, _)| *known == state && state == "running") {
                return no(400, "Cannot transition status via :run from :running");
            }
            world.statuses.push(((*sha).to_owned(), state.clone(), name.clone()));
            Reply::json(
                201,
                &json!({ "id": world.statuses.len(), "sha": sha, "status": state, "name": name }),
            )
        }
        ("GET", ["protected_environments", _]) => no(404, "404 Not found"),
        ("GET", ["repository", "branches", name]) => {
            Reply::json(200, &json!({ "name": name, "protected": true }))
        }
        ("POST", ["deployments"]) => {
            for field in ["environment", "sha", "ref", "tag", "status"] {
                if body.get(field).is_none() {
                    return no(400, &format!("{field} is missing"));
                }
            }
            let id = world.deployments.len() + 1;
            world.deployments.push((text("environment"), vec![text("status")]));
            Reply::json(
                201,
                &json!({ "id": id, "status": text("status"), "environment": { "id": id } }),
            )
        }
        ("PUT", ["deployments", id]) => {
            match world.deployments.get_mut((number(id) as usize).wrapping_sub(1)) {
                None => no(404, "404 Not found"),
                Some(deployment) => {
                    deployment.1.push(text("status"));
                    Reply::json(
                        200,
                        &json!({ "id": number(id), "status": text("status"), "environment": { "id": number(id) } }),
                    )
                }
            }
        }
        ("GET", ["deployments", id]) => {
            Reply::json(200, &json!({ "id": number(id), "environment": { "id": number(id) } }))
        }
        ("PUT", ["environments", id]) => {
            Reply::json(200, &json!({ "id": number(id), "external_url": text("external_url") }))
        }
        ("POST", ["environments", id, "stop"]) => {
            Reply::json(200, &json!({ "id": number(id), "state": "stopped" }))
        }
        ("POST", ["pipeline"]) => {
            world.pipelines.push(body);
            Reply::json(
                201,
                &json!({ "id": 9, "web_url": "https://gitlab.example/acme/deploy/-/pipelines/9" }),
            )
        }
        _ => no(404, "404 Not Found"),
    }
}
