//! What stands in for GitHub: a stateful server, what it lacks, and a proxy that holds every call against GitHub's own
//! description of its API.
//!
//! ```text
//! dax ─▶ front ─▶ prism ─▶ router ─▶ emulate
//!        keeps    judges   the rest  apps, checks, comments, pull requests, reviews
//! ```
//!
//! The front keeps what was sent and can fail on purpose. The router answers what the server lacks: deployments, commit
//! statuses, environments, approvals of runs, teams, and which pull request a commit came by. The proxy judges those answers
//! as well; those of the server it judges too, but their faults are not ours.

use super::http::{Asked, Reply, Server, forward, serve_whole};
use super::{free_port, wait};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};

/// The repository of every test.
pub const REPOSITORY: &str = "acme/shop";
/// Tokens of people.
pub const ADMIN: &str = "ghp_admin_token_of_the_tests";
/// The token of who reviews.
pub const ANN: &str = "ghp_ann_token_of_the_tests";
/// The App.
pub const APP: u64 = 12345;

/// What the router knows.
#[derive(Default)]
pub struct World {
    /// The newest commit of each pull request.
    pub heads: BTreeMap<u64, String>,
    /// Pull requests that come from a fork.
    pub forks: Vec<u64>,
    /// The pull requests that brought a commit.
    pub merged: BTreeMap<String, u64>,
    /// Environments with their rules.
    pub environments: BTreeMap<String, Json>,
    /// Branch patterns by environment.
    pub patterns: BTreeMap<String, Vec<String>>,
    /// Who let the run go on, with to which environment.
    pub released: Vec<(String, String)>,
    /// Who belongs to which team.
    pub teams: Vec<(String, String)>,
    /// Deployments, each with its statuses, the oldest first.
    pub deployments: Vec<(Json, Vec<Json>)>,
    /// Commit statuses.
    pub statuses: Vec<Json>,
    /// Check runs by commit: emulate lists them for commits that it knows only.
    checks: Vec<(String, u64)>,
    /// The commit that each review was of.
    reviewed: BTreeMap<u64, String>,
}

/// A failure that is made once.
pub struct Trouble {
    /// What the request must begin with: `POST /repos/acme/shop/check-runs`.
    pub at: String,
    /// What is answered instead.
    pub reply: Reply,
    /// Whether the request is carried out all the same.
    pub after: bool,
}

/// GitHub, as far as it can be had.
pub struct GitHub {
    front: Server,
    /// What the router knows.
    pub world: Arc<Mutex<World>>,
    troubles: Arc<Mutex<Vec<Trouble>>>,
    violations: Arc<Mutex<Vec<String>>>,
    emulate: u16,
    cache: PathBuf,
    /// The App's private key.
    pub key: String,
    folder: tempfile::TempDir,
    children: Vec<Child>,
}

impl Drop for GitHub {
    fn drop(&mut self) {
        for child in &mut self.children {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Makes commands of what reads actions and workflows as GitHub does; nothing where it is not installed.
pub fn validator() -> Option<impl Fn() -> Command> {
    let (cache, node) = (super::require("GitHub")?, super::node()?.join("node"));
    Some(move || {
        let mut command = Command::new(&node);
        command.arg(cache.join(VALIDATOR));
        command
    })
}

/// Reads actions and workflows.
const VALIDATOR: &str = "node_modules/@action-validator/cli/cli.mjs";

/// Starts it all; nothing where it is not installed.
///
/// # Panics
/// It does not start.
pub fn start() -> Option<GitHub> {
    let (cache, node) = (super::require("GitHub")?, super::node()?.join("node"));
    let openssl = super::require("OpenSSL")?;
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key.pem");
    let made = Command::new(openssl)
        .args(["genrsa", "-traditional", "-out"])
        .arg(&key)
        .arg("2048")
        .stderr(Stdio::null())
        .status();
    assert!(made.expect("openssl runs").success(), "a key is made");
    let key = std::fs::read_to_string(key).expect("a key");
    std::fs::write(folder.path().join("seed.yaml"), seed(&key)).expect("written");
    let mut children = Vec::new();
    let mut spawn = |args: &[&str], port: u16, name: &str| {
        let mut command = Command::new(&node);
        command
            .args(args)
            .current_dir(&cache)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().expect("node runs");
        wait(port, &mut child, name);
        children.push(child);
    };
    let (emulate, prism) = (free_port(), free_port());
    let seed = folder.path().join("seed.yaml").display().to_string();
    let port = emulate.to_string();
    spawn(
        &[
            "node_modules/emulate/dist/index.js",
            "start",
            "--service",
            "github",
            "--port",
            &port,
            "--seed",
            &seed,
        ],
        emulate,
        "emulate",
    );
    let world = Arc::new(Mutex::new(World::default()));
    let known = world.clone();
    let router = serve_whole(move |asked| route(&known, emulate, asked));
    let port = prism.to_string();
    spawn(
        &[
            "node_modules/@stoplight/prism-cli/dist/index.js",
            "proxy",
            "-h",
            "127.0.0.1",
            "-p",
            &port,
            "github.json",
            &router.url(),
        ],
        prism,
        "prism",
    );
    let (troubles, violations) =
        (Arc::<Mutex<Vec<Trouble>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let (pending, judged) = (troubles.clone(), violations.clone());
    let front = serve_whole(move |asked| answer(prism, &pending, &judged, asked));
    let github =
        GitHub { front, world, troubles, violations, emulate, cache, key, folder, children };
    // The proxy must be able to see a fault, or that it saw none says nothing.
    let asked = Asked {
        line: format!("POST /repos/{REPOSITORY}/check-runs"),
        headers: format!("authorization: Bearer {ADMIN}\ncontent-type: application/json"),
        body: r#"{"name":"dax","head_sha":"x","status":"finished"}"#.to_owned(),
    };
    let _ = forward(github.front.port, &asked);
    let seen = std::mem::take(&mut *github.violations.lock().expect("nobody fails with this lock"));
    assert!(
        seen.iter().any(|fault| fault.contains("status")),
        "the proxy sees a wrong status: {seen:?}"
    );
    Some(github)
}

/// Users, a repository and an App.
fn seed(key: &str) -> String {
    let key: String = key.lines().map(|line| format!("        {line}\n")).collect();
    let people = ["admin", "ann", "bob"].map(|name| {
        format!("    - login: {name}\n      name: {name}\n      email: {name}@example.com\n")
    });
    let may = ["checks", "deployments", "statuses", "pull_requests"]
        .map(|name| format!("        {name}: write\n"));
    let see = ["contents", "actions", "members", "metadata"]
        .map(|name| format!("        {name}: read\n"));
    format!(
        "tokens:\n  {ADMIN}:\n    login: admin\n    scopes: [repo, user, admin:org]\n  {ANN}:\n    login: ann\n    scopes: [repo, user, admin:org]\n\
         github:\n  users:\n{}  orgs:\n    - login: acme\n      name: Acme\n  repos:\n    - owner: acme\n      name: shop\n      default_branch: main\n      \
         auto_init: true\n  apps:\n    - app_id: {APP}\n      slug: dax\n      name: dax\n      private_key: |\n{key}      permissions:\n{}{}      events: [push]\n      \
         installations:\n        - installation_id: 100\n          account: acme\n          repository_selection: all\n",
        people.concat(),
        may.concat(),
        see.concat(),
    )
}

/// The front: keeps, fails on purpose, and hears what the proxy says.
fn answer(
    prism: u16,
    troubles: &Mutex<Vec<Trouble>>,
    violations: &Mutex<Vec<String>>,
    asked: &Asked,
) -> Reply {
    // Where an Enterprise Server has its API.
    let asked = &Asked { line: asked.line.replacen(" /api/v3/", " /", 1), ..asked.clone() };
    let trouble = {
        let mut pending = troubles.lock().expect("nobody fails with this lock");
        let at = pending.iter().position(|trouble| asked.line.starts_with(&trouble.at));
        at.map(|at| pending.remove(at))
    };
    if let Some(Trouble { reply, after: false, .. }) = &trouble {
        return reply.clone();
    }
    let reply = forward(prism, asked)
        .unwrap_or_else(|error| Reply::json(502, &json!({ "message": error.to_string() })));
    let said: Json = reply
        .header("sl-violations")
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    for fault in said.as_array().into_iter().flatten() {
        // GitHub says 404 where its description knows of none.
        if fault["message"]
            .as_str()
            .is_some_and(|text| text.contains("Unable to match the returned status code"))
        {
            continue;
        }
        let place = fault.get("location").map(ToString::to_string).unwrap_or_default();
        // What emulate answers wrongly is its own affair.
        if place.contains("request") || ours(asked.path()) {
            violations
                .lock()
                .expect("nobody fails with this lock")
                .push(format!("{}: {fault}", asked.line));
        }
    }
    // An answer that is no answer of the API: the path is not in the description.
    if reply.body.contains("stoplight.io/prism/errors") {
        violations
            .lock()
            .expect("nobody fails with this lock")
            .push(format!("{}: {}", asked.line, reply.body));
    }
    match trouble {
        Some(trouble) => trouble.reply,
        None => conditional(asked, reply),
    }
}

/// What was read before and has not changed is not sent again.
fn conditional(asked: &Asked, mut reply: Reply) -> Reply {
    if asked.method() != "GET" || reply.status != 200 {
        return reply;
    }
    let mut hasher = std::hash::DefaultHasher::new();
    std::hash::Hash::hash(&reply.body, &mut hasher);
    let tag = format!("\"{:016x}\"", std::hash::Hasher::finish(&hasher));
    if asked.header("if-none-match") == Some(&tag) {
        return Reply { status: 304, headers: vec![("etag".to_owned(), tag)], body: String::new() };
    }
    reply.headers.push(("etag".to_owned(), tag));
    reply
}

/// Whether the router answers a path itself.
fn ours(path: &str) -> bool {
    let path = path.split('?').next().unwrap_or_default();
    ["/deployments", "/statuses", "/environments/", "/approvals", "/memberships/"]
        .iter()
        .any(|part| path.contains(part))
        || path.ends_with("/dispatches")
}

/// The router: what emulate lacks is answered here, what it says of commits is put right.
fn route(world: &Mutex<World>, emulate: u16, asked: &Asked) -> Reply {
    let (path, query) = asked.path().split_once('?').unwrap_or((asked.path(), ""));
    let parts: Vec<String> = path.split('/').skip(1).map(decode).collect();
    let parts: Vec<&str> = parts.iter().map(String::as_str).collect();
    let body: Json = serde_json::from_str(&asked.body).unwrap_or_default();
    let through = || {
        forward(emulate, asked)
            .unwrap_or_else(|error| Reply::json(502, &json!({ "message": error.to_string() })))
    };
    let user = |login: &str| user(emulate, login);
    let gone = || {
        Reply::json(
            404,
            &json!({ "message": "Not Found", "documentation_url": "https://docs.github.com/rest" }),
        )
    };
    let mut known = world.lock().expect("nobody fails with this lock");
    match (asked.method(), parts.as_slice()) {
        ("GET", ["repos", _, _, "commits", sha, "pulls"]) => {
            match known.merged.get(*sha).copied() {
                None => Reply::json(200, &json!([])),
                Some(number) => {
                    let one = Asked {
                        line: format!("GET /repos/{REPOSITORY}/pulls/{number}"),
                        ..asked.clone()
                    };
                    drop(known);
                    let found = route(world, emulate, &one);
                    let mut pull: Json = serde_json::from_str(&found.body).unwrap_or_default();
                    pull["merged_at"] = json!("2026-01-01T00:00:00Z");
                    pull["state"] = json!("closed");
                    Reply::json(200, &json!([pull]))
                }
            }
        }
        ("GET", ["repos", _, _, "pulls", number]) => {
            let reply = through();
            let mut pull: Json = serde_json::from_str(&reply.body).unwrap_or_default();
            let number: u64 = number.parse().unwrap_or(0);
            if let Some(head) = known.heads.get(&number) {
                pull["head"]["sha"] = json!(head);
            }
            if known.forks.contains(&number) {
                pull["head"]["repo"]["full_name"] = json!("mallory/shop");
            }
            Reply { body: pull.to_string(), ..reply }
        }
        ("POST", ["repos", _, _, "pulls", number, "reviews"]) => {
            let reply = through();
            let made: Json = serde_json::from_str(&reply.body).unwrap_or_default();
            let head = known.heads.get(&number.parse().unwrap_or(0)).cloned().unwrap_or_default();
            known.reviewed.insert(made["id"].as_u64().unwrap_or(0), head);
            reply
        }
        ("GET", ["repos", _, _, "pulls", _, "reviews"]) => {
            let reply = through();
            let mut all: Json = serde_json::from_str(&reply.body).unwrap_or_default();
            for review in all.as_array_mut().into_iter().flatten() {
                if let Some(commit) = known.reviewed.get(&review["id"].as_u64().unwrap_or(0)) {
                    review["commit_id"] = json!(commit);
                }
            }
            Reply { body: all.to_string(), ..reply }
        }
        ("POST", ["repos", _, _, "check-runs"]) => {
            let reply = through();
            let made: Json = serde_json::from_str(&reply.body).unwrap_or_default();
            if let Some(id) = made["id"].as_u64() {
                known.checks.push((body["head_sha"].as_str().unwrap_or_default().to_owned(), id));
            }
            reply
        }
        ("GET", ["repos", _, _, "commits", sha, "check-runs"]) => {
            let ids: Vec<u64> = known
                .checks
                .iter()
                .filter(|(commit, _)| commit == sha)
                .map(|(_, id)| *id)
                .collect();
            drop(known);
            let one = |id: &u64| {
                let asked = Asked {
                    line: format!("GET /repos/{REPOSITORY}/check-runs/{id}"),
                    ..asked.clone()
                };
                forward(emulate, &asked)
                    .ok()
                    .and_then(|reply| serde_json::from_str::<Json>(&reply.body).ok())
            };
            let runs: Vec<Json> = ids.iter().filter_map(one).collect();
            Reply::json(200, &json!({ "total_count": runs.len(), "check_runs": runs }))
        }
        ("POST", ["repos", _, _, "statuses", sha]) => {
            let id = known.statuses.len() + 1;
            let status = json!({
                "url": format!("https://api.github.com/repos/{REPOSITORY}/statuses/{sha}"), "avatar_url": null, "id": id, "node_id": "x",
                "state": body["state"], "description": body["description"], "target_url": body["target_url"], "context": body["context"],
                "created_at": TIME, "updated_at": TIME, "creator": null,
            });
            known.statuses.push(status.clone());
            Reply::json(201, &status)
        }
        ("POST", ["repos", _, _, "deployments"]) => {
            let id = known.deployments.len() + 1;
            let url = format!("https://api.github.com/repos/{REPOSITORY}/deployments/{id}");
            let made = json!({
                "url": url, "id": id, "node_id": "x", "sha": body["ref"], "ref": body["ref"], "task": body["task"], "payload": {},
                "environment": body["environment"], "description": body["description"], "creator": null, "created_at": TIME, "updated_at": TIME,
                "statuses_url": format!("{url}/statuses"), "repository_url": format!("https://api.github.com/repos/{REPOSITORY}"),
                "transient_environment": body["transient_environment"], "production_environment": body["production_environment"],
            });
            known.deployments.push((made.clone(), Vec::new()));
            Reply::json(201, &made)
        }
        ("GET", ["repos", _, _, "deployments"]) => {
            let wanted =
                query.split('&').find_map(|pair| pair.strip_prefix("environment=")).map(decode);
            let fits =
                |made: &Json| wanted.as_deref().is_none_or(|wanted| made["environment"] == wanted);
            let all: Vec<&Json> = known
                .deployments
                .iter()
                .rev()
                .map(|(made, _)| made)
                .filter(|made| fits(made))
                .collect();
            Reply::json(200, &json!(all))
        }
        ("POST", ["repos", _, _, "deployments", id, "statuses"]) => {
            let at = id.parse::<usize>().unwrap_or(0).wrapping_sub(1);
            let Some((made, statuses)) = known.deployments.get_mut(at) else { return gone() };
            let status = json!({
                "url": format!("{}/statuses/1", made["url"].as_str().unwrap_or_default()), "id": statuses.len() + 1, "node_id": "x",
                "state": body["state"], "creator": null, "description": body["description"], "environment": made["environment"],
                "target_url": "https://github.com", "created_at": TIME, "updated_at": TIME, "deployment_url": made["url"],
                "repository_url": made["repository_url"],
            });
            let mut status = status;
            for field in ["environment_url", "log_url"] {
                if let Some(url) = body.get(field) {
                    status[field] = url.clone();
                }
            }
            statuses.push(status.clone());
            Reply::json(201, &status)
        }
        ("GET", ["repos", _, _, "deployments", id, "statuses"]) => {
            let at = id.parse::<usize>().unwrap_or(0).wrapping_sub(1);
            let Some((_, statuses)) = known.deployments.get(at) else { return gone() };
            let all: Vec<&Json> = statuses.iter().rev().collect();
            Reply::json(200, &json!(all))
        }
        ("GET", ["repos", _, _, "environments", name]) => match known.environments.get(*name) {
            None => gone(),
            Some(rules) => {
                let mut whole = json!({
                    "id": 1, "node_id": "x", "name": name, "url": "https://api.github.com/e", "html_url": "https://github.com/e",
                    "created_at": TIME, "updated_at": TIME,
                });
                for (field, value) in rules.as_object().into_iter().flatten() {
                    whole[field] = value.clone();
                }
                Reply::json(200, &whole)
            }
        },
        ("GET", ["repos", _, _, "environments", name, "deployment-branch-policies"]) => {
            let all: Vec<Json> = known
                .patterns
                .get(*name)
                .into_iter()
                .flatten()
                .map(|name| json!({ "id": 1, "node_id": "x", "name": name }))
                .collect();
            Reply::json(200, &json!({ "total_count": all.len(), "branch_policies": all }))
        }
        ("GET", ["repos", _, _, "actions", "runs", _, "approvals"]) => {
            let released = known.released.clone();
            drop(known);
            let all: Vec<Json> = released
                .iter()
                .map(|(login, environment)| {
                    json!({ "state": "approved", "comment": "", "user": user(login), "environments": [{ "id": 1, "node_id": "x", "name": environment }] })
                })
                .collect();
            Reply::json(200, &json!(all))
        }
        ("GET", ["orgs", org, "teams", team, "memberships", login]) => {
            let team = format!("{org}/{team}");
            match known.teams.iter().any(|(member, of)| member == login && *of == team) {
                true => Reply::json(
                    200,
                    &json!({ "url": "https://api.github.com/m", "role": "member", "state": "active" }),
                ),
                false => gone(),
            }
        }
        ("POST", ["repos", _, _, "actions", "workflows", _, "dispatches"]) => {
            Reply { status: 204, headers: Vec::new(), body: String::new() }
        }
        _ => {
            drop(known);
            through()
        }
    }
}

/// A time of no meaning.
const TIME: &str = "2026-01-01T00:00:00Z";

/// A user as emulate knows them.
fn user(emulate: u16, login: &str) -> Json {
    let asked = Asked {
        line: format!("GET /users/{login}"),
        headers: format!("authorization: Bearer {ADMIN}"),
        body: String::new(),
    };
    let reply = forward(emulate, &asked).map(|reply| reply.body).unwrap_or_default();
    serde_json::from_str(&reply).unwrap_or_default()
}

fn decode(text: &str) -> String {
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

impl GitHub {
    /// Where its API is.
    pub fn url(&self) -> String {
        self.front.url()
    }

    /// Everything that was sent to it.
    pub fn asked(&self) -> Vec<Asked> {
        self.front.asked()
    }

    /// What it is to fail at.
    ///
    /// # Panics
    /// Whoever answers has panicked.
    pub fn trouble(&self, trouble: Trouble) {
        self.troubles.lock().expect("nobody fails with this lock").push(trouble);
    }

    /// Requests that GitHub's description does not allow, and answers of ours that it does not.
    ///
    /// # Panics
    /// Whoever answers has panicked.
    pub fn violations(&self) -> Vec<String> {
        self.violations.lock().expect("nobody fails with this lock").clone()
    }

    /// Does something as a person, past the proxy.
    ///
    /// # Panics
    /// It does not answer, or says no.
    pub fn person(&self, token: &str, method: &str, path: &str, body: &Json) -> Json {
        let asked = Asked {
            line: format!("{method} {path}"),
            headers: format!("authorization: Bearer {token}\ncontent-type: application/json"),
            body: if body.is_null() { String::new() } else { body.to_string() },
        };
        let reply = route(&self.world, self.emulate, &asked);
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
    }

    /// Opens a pull request; gives its number.
    ///
    /// # Panics
    /// It is not opened.
    pub fn open(&self, branch: &str, head: &str) -> u64 {
        let body = json!({ "title": format!("change {branch}"), "head": branch, "base": "main" });
        let made = self.person(ADMIN, "POST", &format!("/repos/{REPOSITORY}/pulls"), &body);
        let number = made["number"].as_u64().expect("a number");
        self.world
            .lock()
            .expect("nobody fails with this lock")
            .heads
            .insert(number, head.to_owned());
        number
    }

    /// The comments of a pull request, as GitHub's own command line reads them.
    pub fn comments(&self, number: u64) -> Vec<String> {
        let all = self
            .gh(&["api", &format!("/repos/{REPOSITORY}/issues/{number}/comments?per_page=100")]);
        all.as_array()
            .into_iter()
            .flatten()
            .map(|note| note["body"].as_str().unwrap_or_default().to_owned())
            .collect()
    }

    /// The check runs of a commit, as GitHub's own command line reads them.
    ///
    /// # Panics
    /// Whoever answers has panicked.
    pub fn checks(&self, commit: &str) -> Vec<Json> {
        let known = self.world.lock().expect("nobody fails with this lock").checks.clone();
        let of = known.iter().filter(|(of, _)| of == commit);
        of.map(|(_, id)| self.gh(&["api", &format!("/repos/{REPOSITORY}/check-runs/{id}")]))
            .collect()
    }

    /// Runs `gh`, which reaches the server by a socket.
    ///
    /// # Panics
    /// It fails.
    pub fn gh(&self, args: &[&str]) -> Json {
        let socket = self.folder.path().join("gh.sock");
        if !socket.exists() {
            bridge(&socket, self.emulate);
        }
        let config = self.folder.path().join("gh");
        std::fs::create_dir_all(&config).expect("a folder");
        std::fs::write(
            config.join("config.yml"),
            format!("version: \"1\"\nhttp_unix_socket: {}\n", socket.display()),
        )
        .expect("written");
        let mut command = Command::new(self.cache.join("programs/bin/gh"));
        command
            .args(args)
            .env("GH_HOST", "github.localhost")
            .env("GH_CONFIG_DIR", &config)
            .env("GH_ENTERPRISE_TOKEN", ADMIN)
            .env("GH_TOKEN", ADMIN);
        let output = command.env("GH_NO_UPDATE_NOTIFIER", "1").output().expect("gh runs");
        assert!(
            output.status.success(),
            "gh {args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        serde_json::from_slice(&output.stdout).unwrap_or_default()
    }
}

/// A socket in the file system that leads to a port.
fn bridge(socket: &Path, port: u16) {
    let listener = UnixListener::bind(socket).expect("a socket");
    std::thread::spawn(move || {
        for mut near in listener.incoming().flatten() {
            std::thread::spawn(move || -> Option<()> {
                let mut far = std::net::TcpStream::connect(("127.0.0.1", port)).ok()?;
                let (mut near_in, mut far_out) = (near.try_clone().ok()?, far.try_clone().ok()?);
                std::thread::spawn(move || std::io::copy(&mut near_in, &mut far_out));
                std::io::copy(&mut far, &mut near).ok()?;
                Some(())
            });
        }
    });
}
