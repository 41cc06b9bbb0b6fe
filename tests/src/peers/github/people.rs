//! People of the tests: accounts, tokens, and what they do at GitHub.

use super::{GitHub, REPOSITORY, Run, user};
use crate::peers::github::world::Push;
use serde_json::{Value as Json, json};

/// The token of who looks after the repository.
pub const ADMIN: &str = "ghp_admin_token_of_the_tests";
/// The token of who reviews.
pub const ANN: &str = "ghp_ann_token_of_the_tests";
/// The token of a job of Actions, which acts as `github-actions[bot]`.
pub const ACTIONS: &str = "ghs_actions_token_of_the_tests";
/// The account that jobs of Actions act as.
pub(super) const BOT: &str = "github-actions[bot]";
/// Its id, as at github.com.
const BOT_ID: u64 = 41_898_282;

/// Logins of people, each of which has a token.
pub(super) const PEOPLE: [&str; 7] = ["admin", "ann", "bob", "cid", "eve", "mallory", "carol"];

/// The token of somebody.
pub fn token_of(login: &str) -> String {
    format!("ghp_{login}_token_of_the_tests")
}

/// The login of whom a token belongs to; nothing for those of an App.
pub(super) fn login_of(token: &str) -> Option<&'static str> {
    PEOPLE.into_iter().find(|login| token_of(login) == token)
}

/// The account that jobs of Actions act as, made of another account's fields.
pub(super) fn bot(emulate: u16) -> Json {
    let mut bot = user(emulate, "admin");
    bot["login"] = json!(BOT);
    bot["id"] = json!(BOT_ID);
    bot["type"] = json!("Bot");
    bot
}

impl GitHub {
    /// An account as GitHub tells of it.
    pub fn user(&self, login: &str) -> Json {
        user(self.emulate, login)
    }

    /// The id of an account.
    ///
    /// # Panics
    /// There is no such account.
    pub fn id(&self, login: &str) -> u64 {
        self.user(login)["id"].as_u64().expect("an account")
    }

    /// Lets time pass.
    pub fn pass(&self, seconds: u64) {
        self.lock().now_ms += seconds * 1000;
    }

    /// The time, in milliseconds since 1970.
    pub fn now_ms(&self) -> u64 {
        self.lock().now_ms
    }

    /// Opens a pull request as `admin`; gives its number.
    ///
    /// # Panics
    /// It is not opened.
    pub fn open(&self, branch: &str, head: &str) -> u64 {
        self.open_as("admin", branch, head)
    }

    /// Opens a pull request as somebody, who pushed its branch before; gives its number.
    ///
    /// # Panics
    /// It is not opened.
    pub fn open_as(&self, login: &str, branch: &str, head: &str) -> u64 {
        let pushed_ms = self.now_ms();
        let body = json!({ "title": format!("change {branch}"), "head": branch, "base": "main" });
        let path = format!("/repos/{REPOSITORY}/pulls");
        let made = self.person(&token_of(login), "POST", &path, &body);
        let number = made["number"].as_u64().expect("a number");
        let mut world = self.lock();
        world.heads.insert(number, head.to_owned());
        let by = login.to_owned();
        world.pushes.push(Push { number, by, after: head.to_owned(), at_ms: pushed_ms });
        number
    }

    /// Somebody pushes to the branch of a pull request.
    pub fn push(&self, number: u64, login: &str, head: &str) {
        let mut world = self.lock();
        world.tick();
        let (by, at_ms) = (login.to_owned(), world.now_ms);
        world.heads.insert(number, head.to_owned());
        world.pushes.push(Push { number, by, after: head.to_owned(), at_ms });
    }

    /// Somebody reviews the newest commit: `APPROVE`, `REQUEST_CHANGES` or `COMMENT`.
    ///
    /// # Panics
    /// It is not accepted.
    pub fn review(&self, number: u64, login: &str, event: &str) {
        let path = format!("/repos/{REPOSITORY}/pulls/{number}/reviews");
        self.person(&token_of(login), "POST", &path, &json!({ "event": event, "body": "seen" }));
    }

    /// `admin` dismisses the newest review of somebody.
    ///
    /// # Panics
    /// There is none.
    pub fn dismiss(&self, number: u64, login: &str) {
        let path = format!("/repos/{REPOSITORY}/pulls/{number}/reviews");
        let all = self.person(ADMIN, "GET", &path, &Json::Null);
        let of = |one: &&Json| one["user"]["login"] == login && one["state"] != "DISMISSED";
        let newest = all.as_array().into_iter().flatten().rfind(of).expect("a review");
        let path = format!("{path}/{}/dismissals", newest["id"]);
        self.person(ADMIN, "PUT", &path, &json!({ "message": "no longer" }));
    }

    /// Merges a pull request; `commit` is what the merge left on the target branch.
    pub fn merge(&self, number: u64, commit: &str) {
        let mut world = self.lock();
        world.tick();
        let now = world.now_ms;
        world.merged.insert(commit.to_owned(), number);
        world.merge_commits.insert(number, commit.to_owned());
        world.closed.insert(number, now);
    }

    /// GitHub knows one more commit that a pull request brought.
    pub fn brought(&self, number: u64, commit: &str) {
        self.lock().merged.insert(commit.to_owned(), number);
    }

    /// Closes a pull request without merging it.
    pub fn close(&self, number: u64) {
        let mut world = self.lock();
        world.tick();
        let now = world.now_ms;
        world.closed.insert(number, now);
    }

    /// Opens a closed pull request again.
    pub fn reopen(&self, number: u64) {
        let mut world = self.lock();
        world.tick();
        world.closed.remove(&number);
    }

    /// A pull request goes to another branch.
    pub fn base(&self, number: u64, branch: &str) {
        self.lock().bases.insert(number, branch.to_owned());
    }

    /// Somebody comments on a pull request; gives the id of the comment.
    ///
    /// # Panics
    /// It is not accepted.
    pub fn comment(&self, number: u64, login: &str, body: &str) -> u64 {
        let path = format!("/repos/{REPOSITORY}/issues/{number}/comments");
        let made = self.person(&token_of(login), "POST", &path, &json!({ "body": body }));
        made["id"].as_u64().expect("a comment")
    }

    /// A run that somebody started, and somebody (the same one, mostly) started again.
    pub fn started(&self, run: u64, actor: &str, triggering_actor: &str) {
        let mut world = self.lock();
        let (actor, triggering_actor) = (actor.to_owned(), triggering_actor.to_owned());
        let created_ms = world.now_ms;
        world.runs.insert(run, Run { actor, triggering_actor, created_ms });
    }
}
