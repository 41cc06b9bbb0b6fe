//! People at Bitbucket: accounts, pull requests with their participants, and what tests have them do.

use super::{BEGIN, Participant, Update, World, written};
use crate::peers::http::Reply;
use serde_json::{Value as Json, json};
use std::sync::{Mutex, MutexGuard};

/// The account of the repository's access token.
pub(super) const BOT: &str = "dax";

/// The UUID of who has a nickname first.
pub fn uuid(nickname: &str) -> String {
    format!("{{0000-{nickname}}}")
}

/// An account as Bitbucket tells of it.
pub(super) fn account(nickname: &str) -> Json {
    named(&uuid(nickname), nickname)
}

fn named(uuid: &str, nickname: &str) -> Json {
    let id = format!("id-{}", uuid.trim_matches(['{', '}']));
    json!({ "type": "user", "uuid": uuid, "account_id": id, "nickname": nickname, "display_name": nickname })
}

/// The author of a comment.
pub(super) fn author(world: &World, comment: u64) -> Json {
    account(world.authors.get(&comment).map_or(BOT, String::as_str))
}

/// A hash as Bitbucket writes it in pull requests.
fn short(hash: &str) -> &str {
    hash.get(..12).unwrap_or(hash)
}

/// A pull request.
pub(super) fn pull(world: &World, id: u64) -> Json {
    let merged = world.merged.values().any(|one| *one == id);
    let state = match merged {
        true => "MERGED",
        false if world.declined.contains(&id) => "DECLINED",
        false => "OPEN",
    };
    let approved = world.approved.iter().filter(|(of, _)| *of == id);
    let mut participants: Vec<Json> =
        approved.map(|(_, nickname)| participant(&uuid(nickname), nickname, true, None)).collect();
    let of = world.participants.iter().filter(|one| one.number == id);
    participants
        .extend(of.map(|one| participant(&one.uuid, &one.nickname, one.approved, Some(one.at_ms))));
    let head = world.heads.get(&id).map(|head| short(head));
    let left = world.merge_commits.get(&id).map(|commit| json!({ "hash": short(commit) }));
    let by = world.opened_by.get(&id).map_or("bob", String::as_str);
    let repository = json!({ "full_name": "acme/shop" });
    json!({
        "type": "pullrequest", "id": id, "title": format!("change {id}"), "state": state,
        "author": account(by), "participants": participants, "updated_on": "2026-01-01T00:00:00+00:00", "merge_commit": left,
        "source": { "commit": { "hash": head }, "branch": { "name": "feature" }, "repository": repository },
        "destination": { "branch": { "name": "main" }, "repository": repository },
        "links": { "html": { "href": format!("https://bitbucket.org/acme/shop/pull-requests/{id}") } },
    })
}

fn participant(uuid: &str, nickname: &str, approved: bool, at: Option<u64>) -> Json {
    json!({
        "type": "participant", "user": named(uuid, nickname), "role": "REVIEWER", "approved": approved,
        "state": if approved { "approved" } else { "changes_requested" }, "participated_on": at.map(written),
    })
}

/// Answers what is about people and pushes; nothing where it is about something else.
pub(super) fn answer(world: &World, parts: &[&str], query: &str) -> Option<Reply> {
    Some(match parts.get(1..).unwrap_or_default() {
        ["user"] if world.shows_user => Reply::json(200, &account(BOT)),
        ["user"] => super::no(403, "This resource is for users"),
        ["workspaces", _, "permissions", "repositories", _] if world.permissions.is_empty() => {
            super::no(403, "You are not an administrator")
        }
        ["workspaces", _, "permissions", "repositories", _] => {
            let fits = |id: &&String| query.contains(&id.trim_matches(['{', '}']).to_owned());
            let values = world.permissions.keys().filter(fits);
            let values: Vec<Json> =
                values.map(|id| json!({ "permission": world.permissions[id] })).collect();
            Reply::json(200, &json!({ "values": values }))
        }
        ["repositories", _, _, "pullrequests", id, "activity"] => {
            activity(world, id.parse().unwrap_or(0))
        }
        ["repositories", _, _, "pullrequests", id, "commits"] => {
            commits(world, id.parse().unwrap_or(0))
        }
        _ => return None,
    })
}

/// The activity of a pull request, the newest first: it begins with its opening.
fn activity(world: &World, id: u64) -> Reply {
    let kind = |by: &str| if by == BOT { "app_user" } else { "user" };
    let updates: Vec<&Update> = world.updates.iter().filter(|one| one.number == id).collect();
    let one = |by: &str, after: &str, at: u64| {
        let source = json!({ "commit": { "hash": short(after) }, "branch": { "name": "feature" } });
        let mut author = account(by);
        author["type"] = json!(kind(by));
        let update =
            json!({ "state": "OPEN", "author": author, "date": written(at), "source": source });
        json!({ "update": update, "pull_request": { "id": id } })
    };
    let mut all: Vec<Json> =
        updates.iter().map(|update| one(&update.by, &update.after, update.at_ms)).collect();
    if let (true, Some(head)) = (updates.is_empty(), world.heads.get(&id)) {
        all.push(one(opener(world, id), head, BEGIN));
    }
    all.reverse();
    Reply::json(200, &json!({ "values": all }))
}

/// The nickname of whoever opened a pull request.
fn opener(world: &World, id: u64) -> &str {
    world.opened_by.get(&id).map_or("bob", String::as_str)
}

/// The commits of a pull request with their authors, the newest first.
fn authored(world: &World, id: u64) -> Vec<(String, String)> {
    let by = opener(world, id).to_owned();
    let one = || world.heads.get(&id).map(|head| (head.clone(), by)).into_iter().collect();
    world.commits.get(&id).cloned().unwrap_or_else(one)
}

/// Each commit has the next in the list for a parent.
fn commits(world: &World, id: u64) -> Reply {
    let authored = authored(world, id);
    let parents = authored.iter().skip(1).map(|(hash, _)| vec![json!({ "hash": hash })]);
    let all: Vec<Json> = authored
        .iter()
        .zip(parents.chain([Vec::new()]))
        .map(|((hash, by), parents)| {
            let raw = format!("{by} <{by}@example.com>");
            let author = match by.as_str() {
                "" => json!({ "type": "author", "raw": raw }),
                by => json!({ "type": "author", "raw": raw, "user": account(by) }),
            };
            json!({ "type": "commit", "hash": hash, "author": author, "parents": parents })
        })
        .collect();
    Reply::json(200, &json!({ "values": all }))
}

fn lock(world: &Mutex<World>) -> MutexGuard<'_, World> {
    let mut world = world.lock().expect("nobody fails with this lock");
    world.passed_ms += 1000;
    world
}

/// Whoever has a nickname first approves a pull request.
///
/// # Panics
/// Whoever answers has panicked.
pub fn approve(world: &Mutex<World>, number: u64, nickname: &str) {
    approve_as(world, number, &uuid(nickname), nickname);
}

/// An account with a nickname that anybody may have approves a pull request.
///
/// # Panics
/// Whoever answers has panicked.
pub fn approve_as(world: &Mutex<World>, number: u64, uuid: &str, nickname: &str) {
    participate(world, number, uuid, nickname, true);
}

/// A reviewer wants changes.
///
/// # Panics
/// Whoever answers has panicked.
pub fn want_changes(world: &Mutex<World>, number: u64, nickname: &str) {
    participate(world, number, &uuid(nickname), nickname, false);
}

fn participate(world: &Mutex<World>, number: u64, uuid: &str, nickname: &str, approved: bool) {
    let mut world = lock(world);
    let at_ms = world.now_ms();
    let (uuid, nickname) = (uuid.to_owned(), nickname.to_owned());
    world.participants.retain(|one| one.number != number || one.uuid != uuid);
    world.participants.push(Participant { number, uuid, nickname, approved, at_ms });
}

/// Somebody pushes a commit of their own to the branch of a pull request; the first one opens it,
/// where it is not there. Approvals stay: take them away where a restriction says so.
///
/// # Panics
/// Whoever answers has panicked.
pub fn push(world: &Mutex<World>, number: u64, nickname: &str, head: &str) {
    let mut world = lock(world);
    let mut authored = authored(&world, number);
    if let (false, Some(opened)) =
        (world.updates.iter().any(|one| one.number == number), world.heads.get(&number))
    {
        let (by, after) = (opener(&world, number).to_owned(), opened.clone());
        world.updates.push(Update { number, by, after, at_ms: BEGIN });
    }
    let (by, after, at_ms) = (nickname.to_owned(), head.to_owned(), world.now_ms());
    authored.insert(0, (after.clone(), by.clone()));
    world.commits.insert(number, authored);
    world.heads.insert(number, after.clone());
    world.updates.push(Update { number, by, after, at_ms });
}

/// Merges a pull request; `commit` is what the merge left on the destination branch.
///
/// # Panics
/// Whoever answers has panicked.
pub fn merge(world: &Mutex<World>, number: u64, commit: &str) {
    let mut world = lock(world);
    world.merged.insert(commit.to_owned(), number);
    world.merge_commits.insert(number, commit.to_owned());
}

/// Closes a pull request without merging it.
///
/// # Panics
/// Whoever answers has panicked.
pub fn close(world: &Mutex<World>, number: u64) {
    lock(world).declined.push(number);
}

/// Somebody comments on a pull request.
///
/// # Panics
/// Whoever answers has panicked.
pub fn comment(world: &Mutex<World>, number: u64, nickname: &str, raw: &str) {
    let mut world = lock(world);
    let id = world.comments.iter().map(|(_, id, _)| *id).max().unwrap_or(0) + 1;
    world.comments.push((number, id, raw.to_owned()));
    world.authors.insert(id, nickname.to_owned());
}
