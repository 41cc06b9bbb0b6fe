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
use super::shared::Prism;
use super::{free_port, wait};
use serde_json::{Value as Json, json};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard};

mod environments;
mod people;
mod records;
mod router;
mod world;

pub use people::{ACTIONS, ADMIN, ANN, token_of};
use router::user_of as user;
pub use world::{BEGIN, Push, Run, World};
pub(crate) use world::{date, written};

/// The repository of every test.
pub const REPOSITORY: &str = "acme/shop";
/// The App.
pub const APP: u64 = 12345;

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
    /// It takes seconds to start, and goes back to the idle ones.
    _prism: Prism,
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
    let emulate = free_port();
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
    let router = serve_whole(move |asked| router::route(&known, emulate, asked));
    let prism = Prism::before(router.port, &node, &cache);
    let judge = prism.port();
    let (troubles, violations) =
        (Arc::<Mutex<Vec<Trouble>>>::default(), Arc::<Mutex<Vec<String>>>::default());
    let (pending, judged) = (troubles.clone(), violations.clone());
    let time = world.clone();
    let front = serve_whole(move |asked| {
        let asked = &as_github(asked);
        // The description is of the REST API alone.
        let reply = if asked.path() == "/graphql" {
            router::route(&time, emulate, asked)
        } else {
            answer(judge, &pending, &judged, asked)
        };
        dated(reply, &time)
    });
    let github = GitHub {
        front,
        world,
        troubles,
        violations,
        emulate,
        cache,
        key,
        folder,
        children,
        _prism: prism,
    };
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
    let people: String = people::PEOPLE
        .map(|name| {
            format!("    - login: {name}\n      name: {name}\n      email: {name}@example.com\n")
        })
        .concat();
    let scopes = "scopes: [repo, user, admin:org]";
    let mut tokens: String = people::PEOPLE
        .map(|name| format!("  {}:\n    login: {name}\n    {scopes}\n", token_of(name)))
        .concat();
    // Whatever a job does, the router says that its bot did it.
    tokens.push_str(&format!("  {ACTIONS}:\n    login: admin\n    {scopes}\n"));
    let may = ["checks", "deployments", "statuses", "pull_requests"]
        .map(|name| format!("        {name}: write\n"));
    let see = ["contents", "actions", "members", "metadata"]
        .map(|name| format!("        {name}: read\n"));
    format!(
        "tokens:\n{tokens}github:\n  users:\n{people}  orgs:\n    - login: acme\n      name: Acme\n  repos:\n    - owner: acme\n      name: shop\n      default_branch: main\n      \
         auto_init: true\n  apps:\n    - app_id: {APP}\n      slug: dax\n      name: dax\n      private_key: |\n{key}      permissions:\n{}{}      events: [push]\n      \
         installations:\n        - installation_id: 100\n          account: acme\n          repository_selection: all\n",
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
        if place.contains("request") || router::ours(asked.path()) {
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

/// A request as github.com gets it: an Enterprise Server has its API below a path.
fn as_github(asked: &Asked) -> Asked {
    let line = asked.line.replacen(" /api/v3/", " /", 1).replacen(" /api/graphql", " /graphql", 1);
    Asked { line, ..asked.clone() }
}

/// An answer with the time of the world.
fn dated(mut reply: Reply, world: &Mutex<World>) -> Reply {
    reply.headers.retain(|(name, _)| name != "date");
    let now = world.lock().expect("nobody fails with this lock").now_ms;
    reply.headers.push(("date".to_owned(), date(now)));
    reply
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

impl GitHub {
    /// The world that the router knows.
    pub(super) fn lock(&self) -> MutexGuard<'_, World> {
        self.world.lock().expect("nobody fails with this lock")
    }

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
        let reply = router::route(&self.world, self.emulate, &asked);
        assert!(reply.status < 300, "{method} {path}: {} {}", reply.status, reply.body);
        serde_json::from_str(&reply.body).unwrap_or_default()
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
