//! What stands in for Bitbucket Cloud: no server of it is in any registry, so this one answers with the shapes of its
//! documentation, and refuses what that does not allow.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/>: pull requests, commit statuses, reports, pipelines.

use super::http::{Asked, Reply, Server, serve_whole};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The token of a repository.
pub const TOKEN: &str = "ATCTT3x-token-of-the-tests";

/// What the server knows.
#[derive(Default)]
pub struct World {
    /// The newest commit of each pull request.
    pub heads: BTreeMap<u64, String>,
    /// The pull requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// Comments: the pull request, the id, the text.
    pub comments: Vec<(u64, u64, String)>,
    /// Who approved which pull request.
    pub approved: Vec<(u64, String)>,
    /// Build statuses: the commit, and what was said.
    pub statuses: Vec<(String, Json)>,
    /// Reports by commit and name, each with its annotations.
    pub reports: BTreeMap<(String, String), (Json, Vec<Json>)>,
    /// Pipelines that were started.
    pub pipelines: Vec<Json>,
}

/// Starts it; the address of its API has a path.
pub fn start() -> (Server, Arc<Mutex<World>>) {
    let world = Arc::new(Mutex::new(World::default()));
    let known = world.clone();
    (serve_whole(move |asked| answer(&known, asked)), world)
}

fn no(status: u16, message: &str) -> Reply {
    Reply::json(status, &json!({ "type": "error", "error": { "message": message } }))
}

/// Whether a text has so many characters at most.
fn fits(body: &Json, field: &str, most: usize) -> bool {
    body[field].as_str().is_some_and(|text| text.chars().count() <= most)
}

fn answer(world: &Mutex<World>, asked: &Asked) -> Reply {
    if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return no(401, "Token is invalid, expired, or not supported for this endpoint.");
    }
    let (path, _) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
    let mut world = world.lock().expect("nobody fails with this lock");
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    let pull = |world: &World, id: u64| {
        let merged = world.merged.values().any(|one| *one == id);
        let head = world.heads.get(&id).map(|head| head[..12].to_owned());
        let participants = world.approved.iter().filter(|(of, _)| *of == id);
        let participants: Vec<Json> = participants
            .map(|(_, login)| json!({ "type": "participant", "user": { "nickname": login }, "approved": true, "state": "approved", "role": "REVIEWER" }))
            .collect();
        json!({
            "type": "pullrequest", "id": id, "title": format!("change {id}"), "state": if merged { "MERGED" } else { "OPEN" },
            "author": { "nickname": "bob" }, "participants": participants, "updated_on": "2026-01-01T00:00:00+00:00",
            "source": { "commit": { "hash": head }, "branch": { "name": "feature" }, "repository": { "full_name": "acme/shop" } },
            "destination": { "branch": { "name": "main" }, "repository": { "full_name": "acme/shop" } },
            "links": { "html": { "href": format!("https://bitbucket.org/acme/shop/pull-requests/{id}") } },
        })
    };
    match (asked.method(), parts.get(4..).unwrap_or_default()) {
        ("GET", ["pullrequests", id]) => Reply::json(200, &pull(&world, number(id))),
        ("GET", ["commit", sha, "pullrequests"]) => {
            let found: Vec<Json> =
                world.merged.get(*sha).map(|id| pull(&world, *id)).into_iter().collect();
            Reply::json(200, &json!({ "pagelen": 10, "values": found }))
        }
        ("GET", ["branch-restrictions"]) => Reply::json(
            200,
            &json!({ "values": [{ "kind": "reset_pullrequest_approvals_on_change" }] }),
        ),
        ("GET", ["pullrequests", id, "comments"]) => {
            let of = world.comments.iter().filter(|(of, ..)| *of == number(id));
            let all: Vec<Json> = of
                .map(
                    |(_, id, raw)| json!({ "id": id, "content": { "raw": raw }, "deleted": false }),
                )
                .collect();
            Reply::json(200, &json!({ "values": all }))
        }
        ("POST", ["pullrequests", id, "comments"]) => {
            let raw = body["content"]["raw"].as_str().unwrap_or_default().to_owned();
            if raw.is_empty() || raw.chars().count() > 32_768 {
                return no(400, "content: ensure this value has at most 32768 characters");
            }
            let made = world.comments.len() as u64 + 1;
            world.comments.push((number(id), made, raw.clone()));
            Reply::json(
                201,
                &json!({ "id": made, "content": { "raw": raw }, "links": { "html": { "href": "https://bitbucket.org/c" } } }),
            )
        }
        ("PUT", ["pullrequests", _, "comments", id]) => {
            match world.comments.iter_mut().find(|(_, known, _)| *known == number(id)) {
                None => no(404, "Resource not found"),
                Some(comment) => {
                    comment.2 = body["content"]["raw"].as_str().unwrap_or_default().to_owned();
                    Reply::json(200, &json!({ "id": comment.1, "content": { "raw": comment.2 } }))
                }
            }
        }
        ("POST", ["commit", sha, "statuses", "build"]) => {
            let state = body["state"].as_str().unwrap_or_default();
            if !fits(&body, "key", 40)
                || !matches!(state, "INPROGRESS" | "SUCCESSFUL" | "FAILED" | "STOPPED")
                || body["url"].is_null()
            {
                return no(400, "Bad request");
            }
            world.statuses.push(((*sha).to_owned(), body.clone()));
            Reply::json(201, &body)
        }
        ("PUT", ["commit", sha, "reports", name]) => {
            let kind = matches!(
                body["report_type"].as_str(),
                Some("SECURITY" | "COVERAGE" | "TEST" | "BUG")
            );
            let result = matches!(body["result"].as_str(), Some("PASSED" | "FAILED" | "PENDING"));
            if !kind || !result || !fits(&body, "title", 450) || !fits(&body, "details", 2000) {
                return no(400, "Bad request");
            }
            world
                .reports
                .insert(((*sha).to_owned(), (*name).to_owned()), (body.clone(), Vec::new()));
            Reply::json(200, &body)
        }
        ("POST", ["commit", sha, "reports", name, "annotations"]) => {
            let all = body.as_array().cloned().unwrap_or_default();
            let good = |one: &Json| {
                let kind = matches!(
                    one["annotation_type"].as_str(),
                    Some("VULNERABILITY" | "CODE_SMELL" | "BUG")
                );
                let severity = matches!(
                    one["severity"].as_str(),
                    Some("CRITICAL" | "HIGH" | "MEDIUM" | "LOW")
                );
                kind && severity
                    && fits(one, "summary", 450)
                    && fits(one, "details", 2000)
                    && one["external_id"].is_string()
            };
            if all.is_empty() || all.len() > 100 || !all.iter().all(good) {
                return no(400, "Bad request");
            }
            let Some((_, annotations)) =
                world.reports.get_mut(&((*sha).to_owned(), (*name).to_owned()))
            else {
                return no(404, "Resource not found");
            };
            annotations.extend(all.iter().cloned());
            Reply::json(200, &json!(all))
        }
        ("POST", ["pipelines"]) => {
            world.pipelines.push(body);
            Reply::json(201, &json!({ "type": "pipeline", "build_number": 12 }))
        }
        _ => no(404, "Resource not found"),
    }
}
