//! The world of the router: pull requests, people, pushes, runs, and a clock of its own.

use serde_json::Value as Json;
use std::collections::{BTreeMap, BTreeSet};

/// The time at which each world begins: 2026-01-01T00:00:00Z, in milliseconds since 1970.
pub const BEGIN: u64 = 1_767_225_600_000;
/// Milliseconds that pass with each request.
const TICK: u64 = 1000;

/// A push to the branch of a pull request.
#[derive(Clone, Debug)]
pub struct Push {
    /// The pull request.
    pub number: u64,
    /// The login of whoever pushed.
    pub by: String,
    /// The branch's newest commit afterwards.
    pub after: String,
    /// When, in milliseconds since 1970.
    pub at_ms: u64,
}

/// A run of GitHub Actions.
#[derive(Clone, Debug)]
pub struct Run {
    /// The login of whoever started it.
    pub actor: String,
    /// The login of whoever started its newest attempt.
    pub triggering_actor: String,
    /// When it was created, in milliseconds since 1970.
    pub created_ms: u64,
}

/// What the router knows.
pub struct World {
    /// The newest commit of each pull request.
    pub heads: BTreeMap<u64, String>,
    /// Pull requests that come from a fork.
    pub forks: Vec<u64>,
    /// The pull requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// The commit that the merge of a pull request left.
    pub merge_commits: BTreeMap<u64, String>,
    /// When a pull request was opened.
    pub opened: BTreeMap<u64, u64>,
    /// When a pull request was closed, by a merge or without.
    pub closed: BTreeMap<u64, u64>,
    /// The branches that pull requests come from.
    pub branches: BTreeMap<u64, String>,
    /// The branches that pull requests go to, where it is not `main`.
    pub bases: BTreeMap<u64, String>,
    /// Pushes, the oldest first. A newest commit that nobody pushed is the author's.
    pub pushes: Vec<Push>,
    /// Whether the server keeps no activity of repositories, as an older Enterprise Server.
    pub no_activity: bool,
    /// Commits of a pull request with the logins of author and committer; an empty login has no
    /// account. One of its author's, where nothing else is said.
    pub commits: BTreeMap<u64, Vec<(String, String, String)>>,
    /// Environments with their rules.
    pub environments: BTreeMap<String, Json>,
    /// Branch patterns by environment.
    pub patterns: BTreeMap<String, Vec<String>>,
    /// Patterns by environment with their types, as GitHub lists them.
    pub policies: BTreeMap<String, Json>,
    /// Apps with a protection rule of their own, by environment.
    pub custom_rules: BTreeMap<String, Vec<String>>,
    /// Who let the run go on, with to which environment.
    pub released: Vec<(String, String)>,
    /// Runs by id; one that is asked for and is not known was started by `bob`.
    pub runs: BTreeMap<u64, Run>,
    /// Who belongs to which team.
    pub teams: Vec<(String, String)>,
    /// Permissions of people: `write`, where nothing else is said.
    pub permissions: BTreeMap<String, String>,
    /// Whether the token may not ask for permissions of people.
    pub no_permissions: bool,
    /// Tokens that are shown nothing: they get 404 for everything below `/repos`.
    pub blind: BTreeSet<String>,
    /// Deployments, each with its statuses, the oldest first.
    pub deployments: Vec<(Json, Vec<Json>)>,
    /// Commit statuses.
    pub statuses: Vec<Json>,
    /// Check runs by commit: emulate lists them for commits that it knows only.
    pub(super) checks: Vec<(String, u64)>,
    /// The commit that each review was of, and when it was submitted.
    pub(super) reviewed: BTreeMap<u64, (String, u64)>,
    /// Comments that jobs of Actions wrote.
    pub(super) by_actions: BTreeSet<u64>,
    /// The time, in milliseconds since 1970: it goes on a second with each request.
    pub now_ms: u64,
}

impl Default for World {
    fn default() -> Self {
        Self {
            heads: BTreeMap::new(),
            forks: Vec::new(),
            merged: BTreeMap::new(),
            merge_commits: BTreeMap::new(),
            opened: BTreeMap::new(),
            closed: BTreeMap::new(),
            branches: BTreeMap::new(),
            bases: BTreeMap::new(),
            pushes: Vec::new(),
            no_activity: false,
            commits: BTreeMap::new(),
            environments: BTreeMap::new(),
            patterns: BTreeMap::new(),
            policies: BTreeMap::new(),
            custom_rules: BTreeMap::new(),
            released: Vec::new(),
            runs: BTreeMap::new(),
            teams: Vec::new(),
            permissions: BTreeMap::from([("mallory".to_owned(), "read".to_owned())]),
            no_permissions: false,
            blind: BTreeSet::new(),
            deployments: Vec::new(),
            statuses: Vec::new(),
            checks: Vec::new(),
            reviewed: BTreeMap::new(),
            by_actions: BTreeSet::new(),
            now_ms: BEGIN,
        }
    }
}

impl World {
    /// A second passes.
    pub(super) fn tick(&mut self) {
        self.now_ms += TICK;
    }

    /// The permission of somebody.
    pub(super) fn permission(&self, login: &str) -> &str {
        self.permissions.get(login).map_or("write", String::as_str)
    }

    /// Whether a pull request was merged.
    pub(super) fn is_merged(&self, number: u64) -> bool {
        self.merged.values().any(|one| *one == number)
    }

    /// The commit that the merge of a pull request left, where that is certain.
    pub(super) fn merge_commit(&self, number: u64) -> Option<String> {
        let mut brought = self.merged.iter().filter(|(_, of)| **of == number);
        let only = brought.next().filter(|_| brought.next().is_none());
        self.merge_commits.get(&number).or(only.map(|(commit, _)| commit)).cloned()
    }

    /// A run, which is made where it is not known.
    pub(super) fn run(&mut self, id: u64) -> Run {
        let created_ms = self.now_ms;
        let bob = || "bob".to_owned();
        let made = || Run { actor: bob(), triggering_actor: bob(), created_ms };
        self.runs.entry(id).or_insert_with(made).clone()
    }
}

/// A time as GitHub writes it.
pub(crate) fn written(ms: u64) -> String {
    at(ms).to_string()
}

/// A time as a `Date` header has it.
pub(crate) fn date(ms: u64) -> String {
    jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&at(ms / 1000 * 1000))
        .expect("a year of four digits")
}

fn at(ms: u64) -> jiff::Timestamp {
    let ms = i64::try_from(ms).expect("a time");
    jiff::Timestamp::from_millisecond(ms).expect("a time")
}
