//! How the server behaves beside its answers: a request that fails, one that is taken back, files that others change.

use crate::server::{self, Ended};
use lsp_server::{Connection, Message, Notification, Request, RequestId};
use serde_json::{Value as Json, json};
use std::path::Path;
use std::thread::JoinHandle;
use std::time::Duration;

struct Client {
    connection: Connection,
    server: JoinHandle<Ended>,
    next: i32,
    /// Messages that were not answers.
    heard: Vec<(String, Json)>,
}

impl Client {
    fn start(folders: &[&Path], capabilities: Json) -> Self {
        let (connection, theirs) = Connection::memory();
        let server = std::thread::spawn(move || server::run(theirs, None));
        let mut client = Self { connection, server, next: 0, heard: Vec::new() };
        let folders: Vec<Json> =
            folders.iter().map(|folder| json!({"uri": uri(folder, ""), "name": "test"})).collect();
        client.ask("initialize", json!({"processId": null, "rootUri": null, "workspaceFolders": folders, "capabilities": capabilities}));
        client.tell("initialized", json!({}));
        client
    }

    fn tell(&self, method: &str, params: Json) {
        self.connection
            .sender
            .send(Notification::new(method.to_owned(), params).into())
            .expect("the server listens");
    }

    fn send(&mut self, method: &str, params: Json) -> RequestId {
        self.next += 1;
        let id = RequestId::from(self.next);
        self.connection
            .sender
            .send(Request { id: id.clone(), method: method.to_owned(), params }.into())
            .expect("the server listens");
        id
    }

    fn answer(&mut self, id: &RequestId) -> Result<Json, i32> {
        loop {
            match self
                .connection
                .receiver
                .recv_timeout(Duration::from_mins(1))
                .expect("the server answers")
            {
                Message::Response(answer) if answer.id == *id => {
                    return answer.response_result.map_err(|error| error.code);
                }
                Message::Response(_) => {}
                Message::Notification(note) => self.heard.push((note.method, note.params)),
                Message::Request(request) => self.heard.push((request.method, request.params)),
            }
        }
    }

    fn ask(&mut self, method: &str, params: Json) -> Json {
        let id = self.send(method, params);
        self.answer(&id).expect("an answer")
    }

    /// Listens until something fits.
    fn until(&mut self, fits: impl Fn(&str, &Json) -> bool) {
        loop {
            if let Some(at) = self.heard.iter().position(|(method, params)| fits(method, params)) {
                self.heard.drain(..=at);
                return;
            }
            match self
                .connection
                .receiver
                .recv_timeout(Duration::from_mins(1))
                .expect("the server speaks")
            {
                Message::Notification(note) => self.heard.push((note.method, note.params)),
                Message::Request(request) => self.heard.push((request.method, request.params)),
                Message::Response(_) => {}
            }
        }
    }

    /// Listens until so many findings are told of a file.
    fn findings(&mut self, uri: &str, count: usize) {
        self.until(|method, params| {
            method == "textDocument/publishDiagnostics"
                && params["uri"] == uri
                && params["diagnostics"].as_array().map_or(0, Vec::len) == count
        });
    }

    fn end(mut self) {
        self.ask("shutdown", Json::Null);
        self.tell("exit", Json::Null);
        assert_eq!(self.server.join().expect("the server does not fall"), Ended::Orderly);
    }
}

fn uri(folder: &Path, name: &str) -> String {
    let slash = if name.is_empty() { "" } else { "/" };
    format!("file://{}{slash}{name}", folder.display())
}

fn project(files: &[(&str, &str)]) -> (tempfile::TempDir, std::path::PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    std::fs::write(root.join("dax.mod"), "project = \"test\"\n").expect("written");
    for (name, text) in files {
        let path = root.join(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }
    (folder, root)
}

#[test]
fn a_request_that_fails_is_an_error_of_its_own_and_the_next_is_answered() {
    let (_folder, root) = project(&[("main.dax", "let a = 1\n")]);
    let mut client = Client::start(&[&root], json!({}));
    let id = client.send("test/panic", Json::Null);
    assert_eq!(client.answer(&id), Err(-32603));
    let symbols = client.ask(
        "textDocument/documentSymbol",
        json!({"textDocument": {"uri": uri(&root, "main.dax")}}),
    );
    assert_eq!(symbols[0]["name"], "a");
    client.end();
}

#[test]
fn a_request_that_is_taken_back_is_answered_once_all_the_same() {
    let (_folder, root) = project(&[("main.dax", "let a = 1\n")]);
    let mut client = Client::start(&[&root], json!({}));
    let params = json!({"textDocument": {"uri": uri(&root, "main.dax")}});
    let ids: Vec<RequestId> =
        (0..200).map(|_| client.send("textDocument/semanticTokens/full", params.clone())).collect();
    for id in ids.iter().rev().take(150) {
        client.tell("$/cancelRequest", json!({"id": id}));
    }
    let mut answered = std::collections::BTreeMap::new();
    while answered.len() < ids.len() {
        if let Message::Response(answer) =
            client.connection.receiver.recv_timeout(Duration::from_mins(1)).expect("answers")
        {
            let what = answer.response_result.map_or_else(|error| error.code, |_| 0);
            assert!([0, -32800].contains(&what), "{what}");
            assert!(answered.insert(answer.id.to_string(), what).is_none(), "twice");
        }
    }
    client.end();
}

#[test]
fn files_that_others_change_are_noticed_and_projects_come_and_go() {
    let (_folder, root) = project(&[("main.dax", "let a = b\n"), ("b.dax", "let b = 1\n")]);
    let (_other, second) = project(&[("main.dax", "let x = y\n")]);
    let mut client = Client::start(&[&root], json!({"window": {"workDoneProgress": true}}));
    // Nothing is open, and what is wrong is told all the same, with progress around it.
    std::fs::write(root.join("b.dax"), "let c = 1\n").expect("written");
    client.tell(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": uri(&root, "b.dax"), "type": 2}]}),
    );
    client.findings(&uri(&root, "main.dax"), 1);
    client.until(|method, params| method == "$/progress" && params["value"]["kind"] == "end");
    std::fs::write(root.join("b.dax"), "let b = 1\n").expect("written");
    client.tell(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": uri(&root, "b.dax"), "type": 2}]}),
    );
    client.findings(&uri(&root, "main.dax"), 0);
    std::fs::remove_file(root.join("b.dax")).expect("gone");
    client.tell(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [{"uri": uri(&root, "b.dax"), "type": 3}]}),
    );
    client.findings(&uri(&root, "main.dax"), 1);
    // A second project beside the first.
    let folder = |root: &Path| json!([{"uri": uri(root, ""), "name": "second"}]);
    client.tell(
        "workspace/didChangeWorkspaceFolders",
        json!({"event": {"added": folder(&second), "removed": []}}),
    );
    client.findings(&uri(&second, "main.dax"), 1);
    client.tell(
        "workspace/didChangeWorkspaceFolders",
        json!({"event": {"added": [], "removed": folder(&second)}}),
    );
    client.findings(&uri(&second, "main.dax"), 0);
    client.end();
}

#[test]
fn a_module_that_nothing_imports_yet_is_looked_at_while_it_is_open() {
    let (_folder, root) = project(&[("main.dax", "let a = 1\n"), ("shop/main.dax", "let b = c\n")]);
    let mut client = Client::start(&[&root], json!({}));
    let open = json!({"uri": uri(&root, "shop/main.dax"), "languageId": "dax", "version": 1, "text": "let b = c\n"});
    client.tell("textDocument/didOpen", json!({"textDocument": open}));
    client.findings(&uri(&root, "shop/main.dax"), 1);
    // What could be imported is known from the disk.
    let open = json!({"uri": uri(&root, "main.dax"), "languageId": "dax", "version": 1, "text": "import shop from \"./\"\n"});
    client.tell("textDocument/didOpen", json!({"textDocument": open}));
    let place = json!({"textDocument": {"uri": uri(&root, "main.dax")}, "position": {"line": 0, "character": 20}});
    let found = client.ask("textDocument/completion", place);
    assert!(
        found["items"].as_array().into_iter().flatten().any(|item| item["label"] == "./shop"),
        "{found}"
    );
    client.end();
}

#[test]
fn a_workspace_leads_nowhere_and_makes_nobody_wait() {
    let (outer, root) = project(&[
        ("checkout/dax.mod", "project = \"test\"\n"),
        ("checkout/main.dax", "let c = data \"c.json\"\nlet d = c.k\n"),
        ("secret.json", "{\"k\": \"CANARY\"}\n"),
        ("secret.dax", "let leaked = \"CANARY\"\n"),
    ]);
    std::fs::remove_file(root.join("dax.mod")).expect("removed");
    let checkout = root.join("checkout");
    let link = |target: &str, name: &str| {
        std::os::unix::fs::symlink(target, checkout.join(name)).expect("a link");
    };
    link("../secret.json", "c.json");
    link("../secret.dax", "linked.dax");
    let made =
        std::process::Command::new("mkfifo").arg(checkout.join("pipe.dax")).status().expect("runs");
    assert!(made.success());
    let mut client = Client::start(&[&checkout], json!({}));
    let open = json!({"uri": uri(&checkout, "main.dax"), "languageId": "dax", "version": 1, "text": "let c = data \"c.json\"\nlet d = c.k\n"});
    client.tell("textDocument/didOpen", json!({"textDocument": open}));
    client.findings(&uri(&checkout, "main.dax"), 1);
    client.tell(
        "workspace/didChangeWatchedFiles",
        json!({"changes": [
            {"uri": uri(&checkout, "linked.dax"), "type": 2},
            {"uri": uri(&checkout, "pipe.dax"), "type": 2},
        ]}),
    );
    for name in ["linked.dax", "pipe.dax", "main.dax"] {
        let file = json!({"textDocument": {"uri": uri(&checkout, name)}});
        let mut place = file.clone();
        place["position"] = json!({"line": 1, "character": 4});
        for (method, params) in [
            ("textDocument/documentSymbol", &file),
            ("textDocument/semanticTokens/full", &file),
            ("textDocument/hover", &place),
            ("textDocument/completion", &place),
        ] {
            let id = client.send(method, params.clone());
            let said = format!("{:?}", client.answer(&id));
            assert!(!said.contains("CANARY") && !said.contains("leaked"), "{method}: {said}");
        }
    }
    client.end();
    drop(outer);
}
