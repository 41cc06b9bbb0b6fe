//! A test service for GitLab: no server of it is in any registry, so this one answers with the shapes
//! of its documentation.
//!
//! Source: <https://docs.gitlab.com/api/>: merge requests, notes, commits, approvals, events, members,
//! deployments, environments, pipelines.

mod people;

pub use people::{approve, close, id, merge, note, pass, push, token_of, want_changes};

use super::github::date;
use super::http::{Asked, Reply, Server, serve_whole};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The time at which each world begins: 2026-01-01T00:00:00Z, in milliseconds since 1970.
const BEGIN: u64 = super::github::BEGIN;

/// The token that may do everything.
pub const TOKEN: &str = "glpat-token-of-the-tests";
/// The token of a job, which may do little.
pub const JOB_TOKEN: &str = "glcbt-token-of-the-tests";

/// A push to the branch of a merge request.
pub struct Push {
    /// The merge request.
    pub number: u64,
    /// The login of whoever pushed.
    pub by: String,
    /// The branch's newest commit afterwards.
    pub after: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What the server knows.
#[derive(Default)]
pub struct World {
    /// The newest commit of each merge request.
    pub heads: BTreeMap<u64, String>,
    /// The merge requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// Notes of merge requests: the merge request, the id, the text.
    pub notes: Vec<(u64, u64, String)>,
    /// The login of the author of each note, by its id.
    pub authors: BTreeMap<u64, String>,
    /// Who approved which merge request.
    pub approved: Vec<(u64, String)>,
    /// When somebody approved a merge request, in milliseconds since 1970.
    pub approved_ms: BTreeMap<(u64, String), u64>,
    /// Whether the server tells when somebody approved, as newer versions do.
    pub tells_approved_at: bool,
    /// Reviewers who want changes of a merge request.
    pub wanting: Vec<(u64, String)>,
    /// Whether a push takes approvals away.
    pub reset_on_push: bool,
    /// Whether a push takes the approvals of owners of changed files away alone.
    pub selective_removals: bool,
    /// The login of the author of each merge request: `bob`, where nothing else is said.
    pub opened_by: BTreeMap<u64, String>,
    /// When a merge request was opened, in milliseconds since 1970; the beginning, mostly.
    pub opened: BTreeMap<u64, u64>,
    /// When a merge request was merged or closed.
    pub closed: BTreeMap<u64, u64>,
    /// The commit that the merge of a merge request left.
    pub merge_commits: BTreeMap<u64, String>,
    /// Pushes, the oldest first. A newest commit that nobody pushed is the author's.
    pub pushes: Vec<Push>,
    /// Whether this token is shown no events.
    pub no_events: bool,
    /// Addresses in the commits of a merge request, author's and committer's, by commit.
    pub commits: BTreeMap<u64, Vec<(String, String, String)>>,
    /// Access levels of members of the project: 30, where nothing else is said.
    pub levels: BTreeMap<String, u32>,
    /// Direct members of groups: the group's path, and a login.
    pub members: Vec<(String, String)>,
    /// Members that groups inherit.
    pub inherited: Vec<(String, String)>,
    /// Whether this token is shown no members of the project.
    pub no_members: bool,
    /// Protected environments, as GitLab tells of them.
    pub protected: BTreeMap<String, Json>,
    /// Who started a pipeline, by its id: `bob`, where nothing else is said.
    pub started: BTreeMap<String, String>,
    /// Approvals of a job of a pipeline that names an environment: the pipeline, the environment and
    /// the login of whoever approved.
    pub released: Vec<(String, String, String)>,
    /// Whether this token is shown nothing.
    pub blind: bool,
    /// Milliseconds that passed since the beginning: a second with each request.
    pub passed_ms: u64,
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

/// An answer with the time of the world.
fn answer(world: &Mutex<World>, asked: &Asked) -> Reply {
    let mut reply = answered(world, asked);
    let now = world.lock().expect("nobody fails with this lock").now_ms();
    reply.headers.push(("date".to_owned(), date(now)));
    reply
}

fn answered(world: &Mutex<World>, asked: &Asked) -> Reply {
    let token = asked
        .header("authorization")
        .and_then(|text| text.strip_prefix("Bearer "))
        .or_else(|| asked.header("job-token"));
    let (path, query) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
    let text = |field: &str| body[field].as_str().unwrap_or_default().to_owned();
    let no = |status: u16, message: &str| Reply::json(status, &json!({ "message": message }));
    let asks = match token {
        Some(TOKEN) => people::BOT,
        Some(JOB_TOKEN) if asked.method() == "GET" => "bob",
        Some(JOB_TOKEN) => return no(403, "403 Forbidden"),
        Some(other) => match people::login_of(other) {
            Some(login) => login,
            None => return no(401, "401 Unauthorized"),
        },
        None => return no(401, "401 Unauthorized"),
    };
    let mut world = world.lock().expect("nobody fails with this lock");
    world.passed_ms += 1000;
    if world.blind {
        return no(404, "404 Not Found");
    }
    if let Some(reply) = people::answer(&world, &parts, query, token == Some(JOB_TOKEN), asks) {
        return reply;
    }
    let merge_request = |world: &World, number: u64| {
        let merged = world.merged.values().any(|one| *one == number);
        let closed = world.closed.get(&number).copied();
        let state = match (merged, closed) {
            (true, _) => "merged",
            (false, Some(_)) => "closed",
            (false, None) => "opened",
        };
        let author = world.opened_by.get(&number).map_or("bob", String::as_str);
        let opened = world.opened.get(&number).copied().unwrap_or(BEGIN);
        let at = written(closed.unwrap_or(BEGIN));
        json!({
            "id": number + 100, "iid": number, "project_id": 7, "title": format!("change {number}"), "state": state,
            "sha": world.heads.get(&number), "target_branch": "main", "source_branch": branch(number), "source_project_id": 7, "target_project_id": 7,
            "author": people::account(author), "web_url": format!("https://gitlab.example/acme/shop/-/merge_requests/{number}"),
            "created_at": written(opened), "merge_commit_sha": world.merge_commits.get(&number), "squash_commit_sha": null,
            "merged_at": if merged { json!(at) } else { json!(null) },
            "closed_at": if state == "closed" { json!(at) } else { json!(null) },
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
            let number = number(iid);
            let by = world.approved.iter().filter(|(of, _)| *of == number);
            let one = |(_, login): &(u64, String)| {
                let mut one = json!({ "user": people::account(login) });
                if world.tells_approved_at {
                    let at = world.approved_ms.get(&(number, login.clone()));
                    one["approved_at"] = json!(written(at.copied().unwrap_or(BEGIN)));
                }
                one
            };
            let by: Vec<Json> = by.map(one).collect();
            let whole = json!({ "iid": number, "approved": !by.is_empty(), "approved_by": by });
            Reply::json(200, &whole)
        }
        ("GET", ["merge_requests", iid, "reviewers"]) => {
            let of = world.wanting.iter().filter(|(of, _)| *of == number(iid));
            let one = |(_, login): &(u64, String)| json!({ "user": people::account(login), "state": "requested_changes" });
            let all: Vec<Json> = of.map(one).collect();
            Reply::json(200, &json!(all))
        }
        ("GET", ["merge_requests", iid, "commits"]) => {
            let number = number(iid);
            let head = world.heads.get(&number).cloned().unwrap_or_default();
            let author = world.opened_by.get(&number).map_or("bob", String::as_str);
            let email = format!("{author}@example.com");
            let one = || vec![(head, email.clone(), email.clone())];
            let all = world.commits.get(&number).cloned().unwrap_or_else(one);
            let all: Vec<Json> = all
                .iter()
                .map(|(id, author, committer)| {
                    json!({ "id": id, "author_email": author, "committer_email": committer })
                })
                .collect();
            Reply::json(200, &json!(all))
        }
        ("GET", ["approvals"]) => Reply::json(
            200,
            &json!({
                "reset_approvals_on_push": world.reset_on_push,
                "selective_code_owner_removals": world.selective_removals,
            }),
        ),
        ("GET", ["merge_requests", iid, "notes"]) => {
            let of = world.notes.iter().filter(|(of, ..)| *of == number(iid));
            let mut all: Vec<Json> = of
                .map(|(_, id, body)| {
                    let author = world.authors.get(id).map_or(people::BOT, String::as_str);
                    let author = people::account(author);
                    json!({ "id": id, "body": body, "system": false, "author": author, "created_at": written(BEGIN) })
                })
                .collect();
            let approved = world.approved_ms.iter().filter(|((of, _), _)| *of == number(iid));
            all.extend(approved.map(|((_, login), at)| {
                let body = "approved this merge request";
                let author = people::account(login);
                json!({ "id": 9000, "body": body, "system": true, "author": author, "created_at": written(*at) })
            }));
            Reply::json(200, &json!(all))
        }
        ("POST", ["merge_requests", iid, "notes"]) => {
            let id = world.notes.len() as u64 + 1;
            world.notes.push((number(iid), id, text("body")));
            world.authors.insert(id, asks.to_owned());
            let author = people::account(asks);
            Reply::json(201, &json!({ "id": id, "body": text("body"), "author": author }))
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
        ("GET", ["protected_environments", name]) => match world.protected.get(*name) {
            Some(protected) => Reply::json(200, protected),
            None => no(404, "404 Not found"),
        },
        ("GET", ["pipelines", id]) => {
            let by = world.started.get(*id).map_or("bob", String::as_str);
            Reply::json(
                200,
                &json!({ "id": number(id), "user": people::account(by), "created_at": written(BEGIN) }),
            )
        }
        ("GET", ["deployments"]) => {
            let wanted = query.split('&').find_map(|pair| pair.strip_prefix("environment="));
            let mut all: Vec<Json> = Vec::new();
            for (at, (pipeline, environment, _)) in world.released.iter().enumerate() {
                if wanted == Some(environment) {
                    let by = world.started.get(pipeline).map_or("bob", String::as_str);
                    let job = json!({ "user": people::account(by), "pipeline": { "id": number(pipeline) } });
                    all.push(
                        json!({ "id": RELEASED + at, "status": "running", "deployable": job }),
                    );
                }
            }
            Reply::json(200, &json!(all))
        }
        ("GET", ["deployments", id]) if number(id) >= RELEASED as u64 => {
            match world.released.get(number(id) as usize - RELEASED) {
                None => no(404, "404 Not found"),
                Some((.., login)) => {
                    let approval = json!({ "user": people::account(login), "status": "approved" });
                    Reply::json(200, &json!({ "id": number(id), "approvals": [approval] }))
                }
            }
        }
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

/// The first id of deployments that jobs make.
const RELEASED: usize = 5000;

/// The branch that a merge request comes from.
fn branch(number: u64) -> String {
    format!("feature-{number}")
}

/// A time as GitLab writes it.
fn written(ms: u64) -> String {
    super::github::written(ms)
}

impl World {
    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        BEGIN + self.passed_ms
    }
}
