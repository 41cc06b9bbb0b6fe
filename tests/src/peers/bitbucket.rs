//! A test service for Bitbucket Cloud: no server of it is in any registry, so this one answers with the
//! shapes of its documentation, and refuses what that does not allow.
//!
//! Source: <https://developer.atlassian.com/cloud/bitbucket/rest/>: pull requests, commit statuses,
//! reports, branch restrictions, pipelines.

mod people;

pub use people::{approve, approve_as, close, comment, merge, push, uuid, want_changes};

use super::github::{date, written};
use super::http::{Asked, Reply, Server, serve_whole};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

/// The time at which each world begins: 2026-01-01T00:00:00Z, in milliseconds since 1970.
const BEGIN: u64 = super::github::BEGIN;

/// The token of a repository: an account that `/user` does not show.
pub const TOKEN: &str = "ATCTT3x-token-of-the-tests";

/// Somebody who approved a pull request, or wants changes.
pub struct Participant {
    /// The pull request.
    pub number: u64,
    /// The account's UUID in braces.
    pub uuid: String,
    /// A name that anybody may have.
    pub nickname: String,
    /// Whether it is an approval.
    pub approved: bool,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// An update of a pull request.
pub struct Update {
    /// The pull request.
    pub number: u64,
    /// Who made it.
    pub by: String,
    /// Its newest commit afterwards.
    pub after: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// What the server knows.
pub struct World {
    /// The newest commit of each pull request.
    pub heads: BTreeMap<u64, String>,
    /// The pull requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// Comments: the pull request, the id, the text.
    pub comments: Vec<(u64, u64, String)>,
    /// The nickname of the author of each comment, by its id: the token's, where nothing else is said.
    pub authors: BTreeMap<u64, String>,
    /// Who approved which pull request.
    pub approved: Vec<(u64, String)>,
    /// Who approved which pull request or wants changes of it, with a time and a UUID.
    pub participants: Vec<Participant>,
    /// The nickname of the author of each pull request: `bob`, where nothing else is said.
    pub opened_by: BTreeMap<u64, String>,
    /// Pull requests that were closed without being merged.
    pub declined: Vec<u64>,
    /// The commit that the merge of a pull request left.
    pub merge_commits: BTreeMap<u64, String>,
    /// Updates, the oldest first: the first one opened it. Without any, the newest commit was there
    /// at the beginning.
    pub updates: Vec<Update>,
    /// Nicknames of the authors of the commits of a pull request, by commit, the newest first; empty
    /// without account.
    pub commits: BTreeMap<u64, Vec<(String, String)>>,
    /// Branch restrictions.
    pub restrictions: Vec<Json>,
    /// Whether this token is shown no branch restrictions.
    pub no_restrictions: bool,
    /// The branching model.
    pub model: Json,
    /// Permissions of accounts by UUID; nobody may ask, where there is none.
    pub permissions: BTreeMap<String, String>,
    /// Whether `/user` shows the account of the token, as it does for people.
    pub shows_user: bool,
    /// Milliseconds that passed since the beginning: a second with each request.
    pub passed_ms: u64,
    /// Build statuses: the commit, and what was said.
    pub statuses: Vec<(String, Json)>,
    /// Reports by commit and name, each with its annotations.
    pub reports: BTreeMap<(String, String), (Json, Vec<Json>)>,
    /// Pipelines that were started.
    pub pipelines: Vec<Json>,
}

impl Default for World {
    fn default() -> Self {
        Self {
            heads: BTreeMap::new(),
            merged: BTreeMap::new(),
            comments: Vec::new(),
            authors: BTreeMap::new(),
            approved: Vec::new(),
            participants: Vec::new(),
            opened_by: BTreeMap::new(),
            declined: Vec::new(),
            merge_commits: BTreeMap::new(),
            updates: Vec::new(),
            commits: BTreeMap::new(),
            restrictions: vec![json!({
                "kind": "reset_pullrequest_approvals_on_change", "branch_match_kind": "glob",
                "pattern": "main",
            })],
            no_restrictions: false,
            model: json!({
                "branch_types": [{ "kind": "release", "prefix": "release/" }],
                "development": { "name": "develop" }, "production": { "name": "main" },
            }),
            permissions: BTreeMap::new(),
            shows_user: false,
            passed_ms: 0,
            statuses: Vec::new(),
            reports: BTreeMap::new(),
            pipelines: Vec::new(),
        }
    }
}

impl World {
    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        BEGIN + self.passed_ms
    }
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

/// An answer with the time of the world.
fn answer(world: &Mutex<World>, asked: &Asked) -> Reply {
    let mut reply = answered(world, asked);
    let now = world.lock().expect("nobody fails with this lock").now_ms();
    reply.headers.push(("date".to_owned(), date(now)));
    reply
}

fn answered(world: &Mutex<World>, asked: &Asked) -> Reply {
    if asked.header("authorization") != Some(&format!("Bearer {TOKEN}")) {
        return no(401, "Token is invalid, expired, or not supported for this endpoint.");
    }
    let (path, query) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
    let mut world = world.lock().expect("nobody fails with this lock");
    world.passed_ms += 1000;
    let number = |text: &str| text.parse::<u64>().unwrap_or(0);
    if let Some(reply) = people::answer(&world, &parts, query) {
        return reply;
    }
    let pull = people::pull;
    match (asked.method(), parts.get(4..).unwrap_or_default()) {
        ("GET", ["pullrequests", id]) => Reply::json(200, &pull(&world, number(id))),
        ("GET", ["commit", sha, "pullrequests"]) => {
            let found: Vec<Json> =
                world.merged.get(*sha).map(|id| pull(&world, *id)).into_iter().collect();
            Reply::json(200, &json!({ "pagelen": 10, "values": found }))
        }
        ("GET", []) => {
            Reply::json(200, &json!({ "full_name": "acme/shop", "mainbranch": { "name": "main" } }))
        }
        ("GET", ["branch-restrictions"]) if world.no_restrictions => {
            no(403, "Your credentials lack one or more required privilege scopes.")
        }
        ("GET", ["branch-restrictions"]) => {
            let kind = query.split('&').find_map(|pair| pair.strip_prefix("kind="));
            let fits = |one: &&Json| kind.is_none_or(|kind| one["kind"] == kind);
            let all: Vec<&Json> = world.restrictions.iter().filter(fits).collect();
            Reply::json(200, &json!({ "values": all }))
        }
        ("GET", ["branching-model"]) => Reply::json(200, &world.model),
        ("GET", ["pipelines", id]) => {
            Reply::json(200, &json!({ "build_number": number(id), "created_on": written(BEGIN) }))
        }
        ("GET", ["pullrequests", id, "comments"]) => {
            let of = world.comments.iter().filter(|(of, ..)| *of == number(id));
            let one = |(_, id, raw): &(u64, u64, String)| {
                let user = people::author(&world, *id);
                json!({ "id": id, "content": { "raw": raw }, "deleted": false, "user": user })
            };
            let all: Vec<Json> = of.map(one).collect();
            Reply::json(200, &json!({ "values": all }))
        }
        ("POST", ["pullrequests", id, "comments"]) => {
            let raw = body["content"]["raw"].as_str().unwrap_or_default().to_owned();
            if raw.is_empty() || raw.chars().count() > 32_768 {
                return no(400, "content: ensure this value has at most 32768 characters");
            }
            let made = world.comments.iter().map(|(_, id, _)| *id).max().unwrap_or(0) + 1;
            world.comments.push((number(id), made, raw.clone()));
            let user = people::author(&world, made);
            Reply::json(
                201,
                &json!({ "id": made, "content": { "raw": raw }, "user": user, "links": { "html": { "href": "https://bitbucket.org/c" } } }),
            )
        }
        ("DELETE", ["pullrequests", _, "comments", id]) => {
            let id = number(id);
            if world.authors.contains_key(&id) {
                return no(403, "You do not have permission to delete this comment");
            }
            world.comments.retain(|(_, known, _)| *known != id);
            Reply { status: 204, headers: Vec::new(), body: String::new() }
        }
        ("PUT", ["pullrequests", _, "comments", id]) if world.authors.contains_key(&number(id)) => {
            no(403, "You do not have permission to edit this comment")
        }
        ("PUT", ["pullrequests", _, "comments", id]) => {
            match world.comments.iter_mut().find(|(_, known, _)| *known == number(id)) {
                None => no(404, "Resource not found"),
                Some(comment) => {
                    comment.2 = body["content"]["raw"].as_str().unwrap_or_default().to_owned();
                    Reply::json(
                        200,
                        &json!({ "id": comment.1, "content": { "raw": comment.2 }, "user": people::account(people::BOT) }),
                    )
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
