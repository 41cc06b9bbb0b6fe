//! People at GitLab: accounts, members, pushes, and what tests have them do.

use super::{BEGIN, Push, World, branch, written};
use crate::peers::http::Reply;
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard};

/// The account of the project's access token.
pub(super) const BOT: &str = "project_7_bot";

/// Accounts, each with its id.
const PEOPLE: [(&str, u64); 8] = [
    (BOT, 1),
    ("bob", 2),
    ("ann", 3),
    ("cid", 4),
    ("eve", 5),
    ("mallory", 6),
    ("carol", 7),
    ("admin", 8),
];

/// The id of an account.
///
/// # Panics
/// There is no such account.
pub fn id(login: &str) -> u64 {
    PEOPLE.iter().find(|(known, _)| *known == login).expect("an account").1
}

/// The token of somebody.
pub fn token_of(login: &str) -> String {
    format!("glpat-{login}-token-of-the-tests")
}

/// The login of whom a token belongs to.
pub(super) fn login_of(token: &str) -> Option<&'static str> {
    PEOPLE.into_iter().map(|(login, _)| login).find(|login| token_of(login) == token)
}

/// An account as GitLab tells of it; one that it does not know has an id of its own.
pub(super) fn account(login: &str) -> Json {
    let known = PEOPLE.iter().find(|(known, _)| *known == login).map(|(_, id)| *id);
    let other = || 1000 + login.bytes().map(u64::from).sum::<u64>();
    let id = known.unwrap_or_else(other);
    json!({ "id": id, "username": login, "name": login, "state": "active" })
}

fn by_id(text: &str) -> Option<&'static str> {
    PEOPLE.into_iter().find(|(_, id)| id.to_string() == text).map(|(login, _)| login)
}

/// Answers what is about people; nothing where it is about something else.
pub(super) fn answer(
    world: &World,
    parts: &[&str],
    query: &str,
    job: bool,
    asks: &str,
) -> Option<Reply> {
    let no = |status: u16| Reply::json(status, &json!({ "message": format!("{status}") }));
    let parameter = |name: &str| {
        let pair = query.split('&').filter_map(|pair| pair.split_once('='));
        pair.into_iter().find(|(known, _)| *known == name).map(|(_, value)| value.to_owned())
    };
    let member = |login: &str, level: u32| {
        let mut member = account(login);
        member["access_level"] = json!(level);
        member
    };
    let level = |login: &str| world.levels.get(login).copied().unwrap_or(30);
    Some(match parts.get(2..).unwrap_or_default() {
        ["user"] if job => no(401),
        ["user"] => Reply::json(200, &account(asks)),
        ["job"] if job => Reply::json(200, &json!({ "id": 1, "user": account(asks) })),
        ["version"] => Reply::json(200, &json!({ "version": "18.0.0" })),
        ["users"] => {
            let wanted = parameter("search").unwrap_or_default().replace("%40", "@");
            let email = |login: &str| format!("{login}@example.com");
            // The address of an access token is shown nobody.
            let found = PEOPLE.iter().skip(1).filter(|(login, _)| email(login) == wanted);
            let one = |(login, _): &(&str, u64)| {
                let mut user = account(login);
                user["public_email"] = json!(email(login));
                user
            };
            let found: Vec<Json> = found.map(one).collect();
            Reply::json(200, &json!(found))
        }
        ["users", id] => {
            let one = |login: &str| {
                let mut user = account(login);
                user["bot"] = json!(login == BOT);
                Reply::json(200, &user)
            };
            by_id(id).map_or_else(|| no(404), one)
        }
        ["groups", id] => {
            let path = path_of(world, id);
            path.map_or_else(|| no(404), |path| Reply::json(200, &json!({ "full_path": path })))
        }
        ["groups", group, "members"] => {
            let path = path_of(world, group).unwrap_or_default();
            let of = world.members.iter().filter(|(of, _)| *of == path);
            let all: Vec<Json> = of.map(|(_, login)| member(login, 30)).collect();
            Reply::json(200, &json!(all))
        }
        ["groups", group, "members", "all", id] => {
            let path = group.replace("%2F", "/");
            let all = world.members.iter().chain(&world.inherited);
            let is = |(of, login): &&(String, String)| *of == path && by_id(id) == Some(login);
            match all.into_iter().find(is) {
                Some((_, login)) => Reply::json(200, &member(login, 30)),
                None => no(404),
            }
        }
        ["projects", _, "members", ..] if world.no_members => no(403),
        ["projects", _, "members", "all"] => {
            let all: Vec<Json> =
                PEOPLE.iter().skip(1).map(|(login, _)| member(login, level(login))).collect();
            Reply::json(200, &json!(all))
        }
        ["projects", _, "members", "all", id] => match by_id(id) {
            Some(login) if level(login) > 0 => Reply::json(200, &member(login, level(login))),
            _ => no(404),
        },
        ["projects", _, "events"] if world.no_events => no(403),
        ["projects", _, "events"] => events(world, &parameter("page").unwrap_or_default()),
        _ => return None,
    })
}

/// Groups have ids from 50 on, in the order in which they are known.
fn path_of(world: &World, id: &str) -> Option<String> {
    let mut paths: Vec<&String> = Vec::new();
    for (path, _) in world.members.iter().chain(&world.inherited) {
        if !paths.contains(&path) {
            paths.push(path);
        }
    }
    let at = id.parse::<usize>().ok()?.checked_sub(50)?;
    paths.get(at).map(|path| (*path).clone())
}

/// Pushes of the project, the newest first; the first one to each branch created it.
fn events(world: &World, page: &str) -> Reply {
    if page != "1" {
        return Reply::json(200, &json!([]));
    }
    let mut all: Vec<(u64, u64, &str, &str)> = world
        .pushes
        .iter()
        .map(|push| (push.at_ms, push.number, push.after.as_str(), push.by.as_str()))
        .collect();
    for (number, head) in &world.heads {
        if !all.iter().any(|(_, of, after, _)| of == number && after == head) {
            let (at, author) = opening(world, *number);
            all.push((at, *number, head, author));
        }
    }
    all.sort_unstable();
    let mut events: Vec<Json> = Vec::new();
    let mut newest: BTreeMap<u64, &str> = BTreeMap::new();
    for (at, number, after, by) in all {
        let from = newest.insert(number, after);
        events.push(json!({
            "id": events.len(), "project_id": 7, "author_id": account(by)["id"],
            "action_name": if from.is_some() { "pushed to" } else { "pushed new" },
            "created_at": written(at), "author": account(by), "author_username": by,
            "push_data": {
                "commit_count": 1, "action": if from.is_some() { "pushed" } else { "created" },
                "ref_type": "branch", "commit_from": from, "commit_to": after,
                "ref": branch(number), "commit_title": "a change",
            },
        }));
    }
    events.reverse();
    Reply::json(200, &json!(events))
}

/// When a merge request was opened, and by whom.
fn opening(world: &World, number: u64) -> (u64, &str) {
    let author = world.opened_by.get(&number).map_or("bob", String::as_str);
    (world.opened.get(&number).copied().unwrap_or(BEGIN), author)
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    let mut world = world.lock().expect("nobody fails with this lock");
    world.passed_ms += 1000;
    world
}

/// Lets time pass.
///
/// # Panics
/// Whoever answers has panicked.
pub fn pass(world: &Mutex<World>, seconds: u64) {
    lock(world).passed_ms += seconds * 1000;
}

/// Somebody approves a merge request.
///
/// # Panics
/// Whoever answers has panicked.
pub fn approve(world: &Mutex<World>, number: u64, login: &str) {
    let mut world = lock(world);
    let now = world.now_ms();
    world.approved.push((number, login.to_owned()));
    world.approved_ms.insert((number, login.to_owned()), now);
}

/// A reviewer wants changes.
///
/// # Panics
/// Whoever answers has panicked.
pub fn want_changes(world: &Mutex<World>, number: u64, login: &str) {
    lock(world).wanting.push((number, login.to_owned()));
}

/// Somebody pushes to the branch of a merge request.
///
/// # Panics
/// Whoever answers has panicked.
pub fn push(world: &Mutex<World>, number: u64, login: &str, head: &str) {
    let mut world = lock(world);
    // What it was opened with was pushed as well.
    if let (false, Some(first)) =
        (world.pushes.iter().any(|one| one.number == number), world.heads.get(&number))
    {
        let (at_ms, by) = opening(&world, number);
        let (by, after) = (by.to_owned(), first.clone());
        world.pushes.push(Push { number, by, after, at_ms });
    }
    let (by, after, at_ms) = (login.to_owned(), head.to_owned(), world.now_ms());
    world.heads.insert(number, after.clone());
    world.pushes.push(Push { number, by, after, at_ms });
    if world.reset_on_push && !world.selective_removals {
        world.approved.retain(|(of, _)| *of != number);
        world.approved_ms.retain(|(of, _), _| *of != number);
    }
}

/// Merges a merge request; `commit` is what the merge left on the target branch.
///
/// # Panics
/// Whoever answers has panicked.
pub fn merge(world: &Mutex<World>, number: u64, commit: &str) {
    let mut world = lock(world);
    let now = world.now_ms();
    world.merged.insert(commit.to_owned(), number);
    world.merge_commits.insert(number, commit.to_owned());
    world.closed.insert(number, now);
}

/// Closes a merge request without merging it.
///
/// # Panics
/// Whoever answers has panicked.
pub fn close(world: &Mutex<World>, number: u64) {
    let mut world = lock(world);
    let now = world.now_ms();
    world.closed.insert(number, now);
}

/// Somebody writes a note.
///
/// # Panics
/// Whoever answers has panicked.
pub fn note(world: &Mutex<World>, number: u64, login: &str, body: &str) {
    let mut world = lock(world);
    let id = world.notes.len() as u64 + 1;
    world.notes.push((number, id, body.to_owned()));
    world.authors.insert(id, login.to_owned());
}
