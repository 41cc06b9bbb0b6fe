//! The router: what emulate lacks is answered here, what it says of commits and times is put right.

use super::people::{self, ACTIONS, BOT};
use super::world::{World, written};
use super::{ADMIN, REPOSITORY, environments, records, user};
use crate::peers::http::{Asked, Reply, forward};
use serde_json::{Value as Json, json};
use std::sync::{Mutex, MutexGuard};

/// A request, taken apart.
pub(super) struct Call<'c> {
    pub(super) asked: &'c Asked,
    pub(super) emulate: u16,
    pub(super) query: &'c str,
    pub(super) body: Json,
    pub(super) token: String,
}

impl Call<'_> {
    /// The answer of emulate.
    pub(super) fn through(&self) -> Reply {
        forward(self.emulate, self.asked)
            .unwrap_or_else(|error| Reply::json(502, &json!({ "message": error.to_string() })))
    }

    /// The answer of emulate to the same person about something else.
    pub(super) fn get(&self, path: &str) -> Json {
        let asked =
            Asked { line: format!("GET {path}"), body: String::new(), ..self.asked.clone() };
        let reply = forward(self.emulate, &asked).map(|reply| reply.body).unwrap_or_default();
        serde_json::from_str(&reply).unwrap_or_default()
    }

    /// A parameter of the query.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let pair = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pair.into_iter().find(|(known, _)| *known == name).map(|(_, value)| decode(value))
    }

    /// An account as GitHub tells of it.
    pub(super) fn user(&self, login: &str) -> Json {
        if login == BOT { people::bot(self.emulate) } else { user(self.emulate, login) }
    }
}

/// What GitHub says of something that is not there, or not for this token.
pub(super) fn gone() -> Reply {
    let docs = "https://docs.github.com/rest";
    Reply::json(404, &json!({ "message": "Not Found", "documentation_url": docs }))
}

fn denied() -> Reply {
    let docs = "https://docs.github.com/rest";
    let message = "Resource not accessible by integration";
    Reply::json(403, &json!({ "message": message, "documentation_url": docs }))
}

/// Whether the router answers a path itself.
pub(super) fn ours(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    let parts = [
        "/deployments",
        "/statuses",
        "/environments/",
        "/approvals",
        "/memberships/",
        "/actions/runs/",
    ];
    let ends = ["/dispatches", "/activity", "/permission"];
    parts.iter().any(|part| path.contains(part))
        || ends.iter().any(|end| path.ends_with(end))
        || (path.contains("/pulls/") && path.ends_with("/commits"))
}

/// Answers a request; a second passes with it.
pub(super) fn route(world: &Mutex<World>, emulate: u16, asked: &Asked) -> Reply {
    let token = asked.header("authorization").and_then(|text| text.split(' ').nth(1));
    let (path, query) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let body = serde_json::from_str(&asked.body).unwrap_or_default();
    let token = token.unwrap_or_default().to_owned();
    let call = Call { asked, emulate, query, body, token };
    let parts: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let mut world = world.lock().expect("nobody fails with this lock");
    world.tick();
    if world.blind.contains(&call.token) && parts.first() == Some(&"repos") {
        return gone();
    }
    match parts.as_slice() {
        ["user"] => account(&call),
        ["graphql"] => viewer(&call),
        ["orgs", org, "teams", team, "memberships", login] => {
            member(&world, &format!("{org}/{team}"), login)
        }
        ["repos", _, _, rest @ ..] => in_repository(world, &call, rest),
        _ => {
            drop(world);
            call.through()
        }
    }
}

fn in_repository(mut world: MutexGuard<'_, World>, call: &Call<'_>, rest: &[&str]) -> Reply {
    match (call.asked.method(), rest) {
        ("GET", ["commits", sha, "pulls"]) => brought(&mut world, call, sha),
        ("POST", ["pulls"]) => opened(&mut world, call),
        ("GET", ["pulls", number]) => pull(&mut world, call, number.parse().unwrap_or(0)),
        ("GET", ["pulls", number, "commits"]) => {
            commits(&mut world, call, number.parse().unwrap_or(0))
        }
        ("POST", ["pulls", number, "reviews"]) => reviewed(&mut world, call, number),
        ("GET", ["pulls", _, "reviews"]) => reviews(&world, call),
        ("GET" | "POST", ["issues", _, "comments"]) => comments(&mut world, call),
        ("PATCH", ["issues", "comments", _]) => comments(&mut world, call),
        ("GET", ["collaborators", login, "permission"]) => permission(&world, call, login),
        ("GET", ["activity"]) => activity(&mut world, call),
        _ => match records::answer(&mut world, call, rest) {
            Some(reply) => reply,
            None => environments::answer(&mut world, call, rest).unwrap_or_else(|| call.through()),
        },
    }
}

/// The account that asks: a token of an App or of a job is no person's.
fn account(call: &Call<'_>) -> Reply {
    match people::login_of(&call.token) {
        Some(_) => call.through(),
        None => denied(),
    }
}

/// The one query that dax makes: which account asks.
/// Source: <https://docs.github.com/en/graphql/reference/queries#viewer>.
fn viewer(call: &Call<'_>) -> Reply {
    let login = match people::login_of(&call.token) {
        Some(login) => login,
        None if call.token == ACTIONS => BOT,
        None => "dax[bot]",
    };
    let user = call.user(login);
    let viewer = json!({ "login": login, "databaseId": user["id"] });
    Reply::json(200, &json!({ "data": { "viewer": viewer } }))
}

fn member(world: &World, team: &str, login: &str) -> Reply {
    match world.teams.iter().any(|(member, of)| member == login && of == team) {
        true => Reply::json(
            200,
            &json!({ "url": "https://api.github.com/m", "role": "member", "state": "active" }),
        ),
        false => gone(),
    }
}

/// Pull requests that brought a commit.
fn brought(world: &mut World, call: &Call<'_>, sha: &str) -> Reply {
    let Some(number) = world.merged.get(sha).copied() else { return Reply::json(200, &json!([])) };
    let pull = call.get(&format!("/repos/{REPOSITORY}/pulls/{number}"));
    Reply::json(200, &json!([put_right(world, call, number, pull)]))
}

fn opened(world: &mut World, call: &Call<'_>) -> Reply {
    let reply = call.through();
    let made: Json = serde_json::from_str(&reply.body).unwrap_or_default();
    if let Some(number) = made["number"].as_u64() {
        world.opened.insert(number, world.now_ms);
        let branch = call.body["head"].as_str().unwrap_or_default();
        world.branches.insert(number, branch.to_owned());
    }
    reply
}

fn pull(world: &mut World, call: &Call<'_>, number: u64) -> Reply {
    let reply = call.through();
    if reply.status != 200 {
        return reply;
    }
    let pull = serde_json::from_str(&reply.body).unwrap_or_default();
    Reply { body: put_right(world, call, number, pull).to_string(), ..reply }
}

/// A pull request with what the world knows of it.
fn put_right(world: &mut World, call: &Call<'_>, number: u64, mut pull: Json) -> Json {
    if let Some(head) = world.heads.get(&number) {
        pull["head"]["sha"] = json!(head);
    }
    if let Some(branch) = world.branches.get(&number) {
        pull["head"]["ref"] = json!(branch);
    }
    if let Some(base) = world.bases.get(&number) {
        pull["base"]["ref"] = json!(base);
    }
    if world.forks.contains(&number) {
        pull["head"]["repo"]["full_name"] = json!("mallory/shop");
    }
    if let Some(at) = world.opened.get(&number) {
        pull["created_at"] = json!(written(*at));
    }
    let now = world.now_ms;
    if world.is_merged(number) {
        world.closed.entry(number).or_insert(now);
        pull["merged"] = json!(true);
        pull["merge_commit_sha"] = json!(world.merge_commit(number));
        pull["merged_at"] = json!(written(world.closed[&number]));
    }
    if let Some(at) = world.closed.get(&number) {
        pull["state"] = json!("closed");
        pull["closed_at"] = json!(written(*at));
    }
    let commits = commits_of(world, number, &pull);
    pull["commits"] = json!(commits.len());
    let _ = call;
    pull
}

/// Commits of a pull request: those that the world knows, else one of its author's.
fn commits_of(world: &World, number: u64, pull: &Json) -> Vec<(String, String, String)> {
    let author = pull["user"]["login"].as_str().unwrap_or_default().to_owned();
    let head = world.heads.get(&number).cloned().unwrap_or_default();
    let one = || vec![(head, author.clone(), author.clone())];
    world.commits.get(&number).cloned().unwrap_or_else(one)
}

fn commits(world: &mut World, call: &Call<'_>, number: u64) -> Reply {
    let pull = call.get(&format!("/repos/{REPOSITORY}/pulls/{number}"));
    let account = |login: &str| {
        if login.is_empty() { Json::Null } else { call.user(login) }
    };
    let one = |(sha, author, committer): &(String, String, String)| {
        let url = format!("https://api.github.com/repos/{REPOSITORY}/commits/{sha}");
        let git = |login: &str| {
            let email = format!("{login}@example.com");
            json!({ "name": login, "email": email, "date": written(world.now_ms) })
        };
        json!({
            "url": url, "sha": sha, "node_id": "x", "html_url": url, "comments_url": url, "parents": [],
            "author": account(author), "committer": account(committer),
            "commit": {
                "url": url, "message": "a change", "comment_count": 0, "author": git(author),
                "committer": git(committer), "tree": { "sha": sha, "url": url },
                "verification": {
                    "verified": false, "reason": "unsigned", "payload": null, "signature": null,
                    "verified_at": null,
                },
            },
        })
    };
    let all: Vec<Json> = commits_of(world, number, &pull).iter().map(one).collect();
    Reply::json(200, &json!(all))
}

fn reviewed(world: &mut World, call: &Call<'_>, number: &str) -> Reply {
    let reply = call.through();
    let made: Json = serde_json::from_str(&reply.body).unwrap_or_default();
    let head = world.heads.get(&number.parse().unwrap_or(0)).cloned().unwrap_or_default();
    world.reviewed.insert(made["id"].as_u64().unwrap_or(0), (head, world.now_ms));
    reply
}

fn reviews(world: &World, call: &Call<'_>) -> Reply {
    let reply = call.through();
    let mut all: Json = serde_json::from_str(&reply.body).unwrap_or_default();
    for review in all.as_array_mut().into_iter().flatten() {
        if let Some((commit, at)) = world.reviewed.get(&review["id"].as_u64().unwrap_or(0)) {
            review["commit_id"] = json!(commit);
            review["submitted_at"] = json!(written(*at));
        }
        let login = review["user"]["login"].as_str().unwrap_or_default();
        let writes = matches!(world.permission(login), "write" | "maintain" | "admin");
        review["author_association"] = json!(if writes { "MEMBER" } else { "NONE" });
    }
    Reply { body: all.to_string(), ..reply }
}

/// Comments: emulate knows no bot of Actions.
fn comments(world: &mut World, call: &Call<'_>) -> Reply {
    let reply = call.through();
    let mut answer: Json = serde_json::from_str(&reply.body).unwrap_or_default();
    if call.asked.method() == "POST"
        && call.token == ACTIONS
        && let Some(id) = answer["id"].as_u64()
    {
        world.by_actions.insert(id);
    }
    let by_actions =
        |note: &Json| note["id"].as_u64().is_some_and(|id| world.by_actions.contains(&id));
    match &mut answer {
        Json::Array(notes) => {
            for note in notes.iter_mut().filter(|note| by_actions(note)) {
                note["user"] = call.user(BOT);
            }
        }
        note if by_actions(note) => note["user"] = call.user(BOT),
        _ => return reply,
    }
    Reply { body: answer.to_string(), ..reply }
}

fn permission(world: &World, call: &Call<'_>, login: &str) -> Reply {
    if world.no_permissions {
        return denied();
    }
    let role = world.permission(login);
    let permission = match role {
        "maintain" => "write",
        "triage" => "read",
        other => other,
    };
    let mut user = call.user(login);
    user["role_name"] = json!(role);
    Reply::json(200, &json!({ "permission": permission, "role_name": role, "user": user }))
}

/// Pushes to a branch, the newest first, two a page so that there is more than one.
fn activity(world: &mut World, call: &Call<'_>) -> Reply {
    const PAGE: usize = 2;
    if world.no_activity {
        return gone();
    }
    let wanted = call.parameter("ref").unwrap_or_default();
    let branch = wanted.strip_prefix("refs/heads/").unwrap_or_default();
    let numbers: Vec<u64> =
        world.branches.iter().filter(|(_, of)| *of == branch).map(|(number, _)| *number).collect();
    let mut all: Vec<(u64, String, String)> = world
        .pushes
        .iter()
        .filter(|push| numbers.contains(&push.number))
        .map(|push| (push.at_ms, push.after.clone(), push.by.clone()))
        .collect();
    for number in numbers {
        let head = world.heads.get(&number).cloned().unwrap_or_default();
        if !all.iter().any(|(_, after, _)| *after == head) {
            let pull = call.get(&format!("/repos/{REPOSITORY}/pulls/{number}"));
            let author = pull["user"]["login"].as_str().unwrap_or_default().to_owned();
            all.push((world.opened.get(&number).copied().unwrap_or(0), head, author));
        }
    }
    all.sort();
    all.reverse();
    let from: usize = call.parameter("after").and_then(|text| text.parse().ok()).unwrap_or(0);
    let one = |(at, (ms, after, by)): (usize, &(u64, String, String))| {
        json!({
            "id": at + 1, "node_id": "x", "before": "0".repeat(40), "after": after, "ref": wanted,
            "timestamp": written(*ms), "activity_type": "push", "actor": call.user(by),
        })
    };
    let page: Vec<Json> = all.iter().enumerate().skip(from).take(PAGE).map(one).collect();
    let mut reply = Reply::json(200, &json!(page));
    if from + PAGE < all.len() {
        let next = format!("https://api.github.com/repositories/1/activity?after={}", from + PAGE);
        reply.headers.push(("link".to_owned(), format!("<{next}>; rel=\"next\"")));
    }
    reply
}

/// A part of an address as it was meant.
pub(super) fn decode(text: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        let hex = if byte == b'%' { rest.next().zip(rest.next()) } else { None };
        match hex.and_then(|(a, b)| {
            u8::from_str_radix(&format!("{}{}", char::from(a), char::from(b)), 16).ok()
        }) {
            Some(byte) => bytes.push(byte),
            None => bytes.push(byte),
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A user as emulate knows them.
pub(super) fn user_of(emulate: u16, login: &str) -> Json {
    let asked = Asked {
        line: format!("GET /users/{login}"),
        headers: format!("authorization: Bearer {ADMIN}"),
        body: String::new(),
    };
    let reply = forward(emulate, &asked).map(|reply| reply.body).unwrap_or_default();
    serde_json::from_str(&reply).unwrap_or_default()
}
