//! The loop: messages in, answers out, and what was found about each project as soon as it is known.
//!
//! There is one thread. What is asked is answered first; when nothing is left to answer, what changed is checked, and when
//! nobody has typed for a moment, values are computed. Both are given up as soon as there is a message.

use crate::capabilities::Abilities;
use crate::documents::root_of;
use crate::workspace::Workspace;
use crate::{capabilities, commands, dispatch, progress};
use gen_lsp_types::{
    Diagnostic, DidChangeTextDocumentParams, DidChangeWatchedFilesParams,
    DidCloseTextDocumentParams, DidOpenTextDocumentParams, InitializeParams,
    PublishDiagnosticsParams, Uri, WorkspaceFolders,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, RequestId, Response};
use serde::de::DeserializeOwned;
use serde_json::{Value as Json, json};
use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client said so, after `shutdown`.
    Orderly,
    /// The client went away.
    Lost,
}

/// So long nothing comes before what changed is checked: clients ask for more right behind a keystroke.
const BREATH: Duration = Duration::from_millis(2);
/// So long nobody types before values are computed.
const REST: Duration = Duration::from_millis(50);

struct Server {
    connection: Connection,
    abilities: Abilities,
    workspace: Workspace,
    /// Messages that came and were not looked at.
    waiting: VecDeque<Message>,
    /// What was sent last for each file.
    sent: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// Projects of which a client was told that they are worked on, and whether it was not told that this is done.
    announced: BTreeMap<PathBuf, bool>,
    ending: bool,
    log: Option<File>,
}

/// Serves one client.
pub fn run(connection: Connection, log: Option<File>) -> Ended {
    let Ok((id, params)) = connection.initialize_start() else { return Ended::Lost };
    let params: InitializeParams = serde_json::from_value(params).unwrap_or_default();
    let encoding = capabilities::encoding(&params);
    let abilities = Abilities::of(&params);
    let answer = serde_json::to_value(capabilities::answer(encoding)).unwrap_or_default();
    if connection.initialize_finish(id, answer).is_err() {
        return Ended::Lost;
    }
    let workspace = Workspace::new(encoding);
    let (waiting, sent, announced) = Default::default();
    let mut server =
        Server { connection, abilities, workspace, waiting, sent, announced, ending: false, log };
    if server.abilities.watches {
        server.watch();
    }
    server.open_folders(&params);
    server.serve()
}

impl Server {
    fn serve(&mut self) -> Ended {
        loop {
            self.collect();
            let message = match self.waiting.pop_front() {
                Some(message) => message,
                None if self.work() => continue,
                None => match self.connection.receiver.recv() {
                    Ok(message) => message,
                    Err(_) => return Ended::Lost,
                },
            };
            let (what, start) = (self.log.is_some().then(|| named(&message)), Instant::now());
            match message {
                Message::Request(request) if request.method == "shutdown" => {
                    self.ending = true;
                    self.send(Response::new_ok(request.id, ()).into());
                }
                Message::Request(request) if request.method == "workspace/executeCommand" => {
                    commands::execute(
                        request,
                        &mut self.workspace,
                        &self.connection,
                        self.abilities.shows,
                    );
                }
                Message::Request(request) => self.request(request),
                Message::Notification(note) if note.method == "exit" => {
                    return if self.ending { Ended::Orderly } else { Ended::Lost };
                }
                Message::Notification(note) => self.notification(note),
                Message::Response(_) => {}
            }
            if let Some(what) = what {
                self.note(&what, start);
            }
        }
    }

    /// Writes to the log what took how long; a log that cannot be written is no harm.
    fn note(&mut self, what: &str, start: Instant) {
        if let Some(log) = &mut self.log {
            let _ = writeln!(log, "{:>9.2} ms  {what}", start.elapsed().as_secs_f64() * 1000.0);
        }
    }

    fn send(&self, message: Message) {
        let _ = self.connection.sender.send(message);
    }

    /// Takes in what has come, and drops what is wanted no more.
    fn collect(&mut self) {
        while let Ok(message) = self.connection.receiver.try_recv() {
            let Message::Notification(note) = &message else {
                self.waiting.push_back(message);
                continue;
            };
            if note.method != "$/cancelRequest" {
                self.waiting.push_back(message);
                continue;
            }
            let Ok(id) = serde_json::from_value::<RequestId>(note.params["id"].clone()) else {
                continue;
            };
            let unwanted = |message: &Message| matches!(message, Message::Request(request) if request.id == id);
            if let Some(at) = self.waiting.iter().position(unwanted) {
                self.waiting.remove(at);
                self.send(
                    Response::new_err(
                        id,
                        ErrorCode::RequestCanceled as i32,
                        "it was taken back".to_owned(),
                    )
                    .into(),
                );
            }
        }
    }

    /// Does the next piece of what nobody waits for; gives whether there was any.
    fn work(&mut self) -> bool {
        let receiver = self.connection.receiver.clone();
        let stop = || !receiver.is_empty();
        let roots: Vec<PathBuf> = self.workspace.projects.keys().cloned().collect();
        for root in &roots {
            let open = &self.workspace.projects[root];
            if open.reload || open.project.as_ref().is_some_and(dax_ide::Project::is_unchecked) {
                self.announce(root);
                if let Ok(message) = receiver.recv_timeout(BREATH) {
                    self.waiting.push_back(message);
                    return true;
                }
                let start = Instant::now();
                if self.workspace.fresh(root, &stop) {
                    self.publish_project(root);
                }
                self.note("check", start);
                return true;
            }
        }
        for root in &roots {
            let uncomputed = |open: &mut crate::workspace::Open| {
                open.project.as_ref().is_some_and(dax_ide::Project::is_uncomputed)
            };
            if !self.workspace.projects.get_mut(root).is_some_and(uncomputed) {
                continue;
            }
            if let Ok(message) = receiver.recv_timeout(REST) {
                self.waiting.push_back(message);
                return true;
            }
            let start = Instant::now();
            if let Some(project) =
                self.workspace.projects.get_mut(root).and_then(|open| open.project.as_mut())
            {
                let computed = catch_unwind(AssertUnwindSafe(|| project.compute(&stop)));
                if computed.is_err() {
                    project.give_up();
                }
                if computed.unwrap_or(true) {
                    self.publish_project(root);
                    self.done(root);
                }
            }
            self.note("compute", start);
            return true;
        }
        false
    }

    /// Tells a client that a project is worked on, the first time.
    fn announce(&mut self, root: &Path) {
        if self.abilities.progress && !self.announced.contains_key(root) {
            self.announced.insert(root.to_owned(), true);
            progress::begin(&self.connection, root);
        }
    }

    fn done(&mut self, root: &Path) {
        if let Some(open) = self.announced.get_mut(root)
            && std::mem::take(open)
        {
            progress::end(&self.connection, root);
        }
    }

    /// Projects at the roots of what a client has open, before any text of them is.
    fn open_folders(&mut self, params: &InitializeParams) {
        let Some(WorkspaceFolders::WorkspaceFolderList(folders)) =
            &params.workspace_folders_initialize_params.workspace_folders
        else {
            return;
        };
        for folder in folders.iter().filter_map(|folder| folder.uri.to_file_path().ok()) {
            if folder.join("dax.mod").is_file() {
                self.workspace.changed(&folder.join("dax.mod"));
            }
        }
    }

    /// Asks the client to say when files change that it has not open.
    fn watch(&self) {
        let globs = ["**/*.dax", "**/dax.mod", "**/dax.lock", "**/*.{json,yaml,yml,toml}"];
        let watchers: Vec<_> = globs.iter().map(|glob| json!({"globPattern": glob})).collect();
        let registration = json!({
            "id": "files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": {"watchers": watchers},
        });
        let params = json!({"registrations": [registration]});
        self.send(
            Request {
                id: "watch".to_owned().into(),
                method: "client/registerCapability".to_owned(),
                params,
            }
            .into(),
        );
    }

    fn request(&mut self, request: Request) {
        let id = request.id.clone();
        let workspace = &mut self.workspace;
        let abilities = &self.abilities;
        let answer =
            catch_unwind(AssertUnwindSafe(|| dispatch::answer(request, workspace, abilities)));
        let failed = |_| {
            Response::new_err(
                id,
                ErrorCode::InternalError as i32,
                "this is a mistake of dax: please report it".to_owned(),
            )
        };
        self.send(answer.unwrap_or_else(failed).into());
    }

    fn notification(&mut self, note: Notification) {
        match note.method.as_str() {
            "textDocument/didOpen" => {
                if let Some(params) = params::<DidOpenTextDocumentParams>(note)
                    && let Ok(path) = params.text_document.uri.to_file_path()
                {
                    let document = params.text_document;
                    self.workspace.documents.open(
                        path.clone(),
                        document.uri,
                        document.version,
                        &document.text,
                    );
                    self.changed(&path);
                }
            }
            "textDocument/didChange" => {
                if let Some(params) = params::<DidChangeTextDocumentParams>(note)
                    && let Ok(path) =
                        params.text_document.text_document_identifier.uri.to_file_path()
                {
                    let (version, encoding) =
                        (params.text_document.version, self.workspace.encoding);
                    self.workspace.documents.change(
                        &path,
                        version,
                        &params.content_changes,
                        encoding,
                    );
                    self.changed(&path);
                }
            }
            "textDocument/didClose" => {
                if let Some(params) = params::<DidCloseTextDocumentParams>(note)
                    && let Ok(path) = params.text_document.uri.to_file_path()
                {
                    self.workspace.documents.close(&path);
                    self.changed(&path);
                }
            }
            "workspace/didChangeWorkspaceFolders" => {
                let folder = |folder: &Json| {
                    folder["uri"].as_str()?.parse::<Uri>().ok()?.to_file_path().ok()
                };
                let listed = |key: &str| {
                    note.params["event"][key]
                        .as_array()
                        .into_iter()
                        .flatten()
                        .filter_map(folder)
                        .collect::<Vec<_>>()
                };
                for gone in listed("removed") {
                    let within: Vec<PathBuf> = self
                        .workspace
                        .projects
                        .keys()
                        .filter(|root| root.starts_with(&gone))
                        .cloned()
                        .collect();
                    for root in within {
                        self.forget(&root);
                    }
                }
                for folder in
                    listed("added").into_iter().filter(|folder| folder.join("dax.mod").is_file())
                {
                    self.workspace.changed(&folder.join("dax.mod"));
                }
            }
            "workspace/didChangeWatchedFiles" => {
                if let Some(params) = params::<DidChangeWatchedFilesParams>(note) {
                    let paths: Vec<PathBuf> = params
                        .changes
                        .iter()
                        .filter_map(|change| change.uri.to_file_path().ok())
                        .collect();
                    self.workspace.changed_outside(&paths);
                }
            }
            // Somebody whose client watches nothing saves, and may have changed other files before.
            "textDocument/didSave" if !self.abilities.watches => {
                self.workspace.projects.values_mut().for_each(|open| open.reload = true);
            }
            _ => {}
        }
    }

    /// A project that a client has no more: nothing is wrong with it any longer.
    fn forget(&mut self, root: &Path) {
        self.workspace.projects.remove(root);
        let said: Vec<PathBuf> =
            self.sent.keys().filter(|path| path.starts_with(root)).cloned().collect();
        for path in said {
            self.publish(&path, Vec::new());
        }
    }

    /// A text is another: what its form tells is told at once, the rest once it is known.
    fn changed(&mut self, path: &Path) {
        self.workspace.changed(path);
        let root = root_of(path);
        let found = match &root {
            Some(root) => self.workspace.findings_of(root, path),
            None => None,
        };
        // A text without a project is looked at by itself.
        let found = found.unwrap_or_else(|| self.workspace.faults(path));
        self.publish(path, found);
    }

    fn publish_project(&mut self, root: &Path) {
        if self.abilities.pulls {
            self.send(
                Request {
                    id: "refresh".to_owned().into(),
                    method: "workspace/diagnostic/refresh".to_owned(),
                    params: json!(null),
                }
                .into(),
            );
            return;
        }
        let mut found = self.workspace.findings(root);
        let before: Vec<PathBuf> = self
            .sent
            .keys()
            .filter(|path| root_of(path).is_some_and(|of| of == root))
            .cloned()
            .collect();
        for path in before {
            found.entry(path).or_default();
        }
        for (path, found) in found {
            self.publish(&path, found);
        }
    }

    /// Tells a client what is known of a file, unless it knows it.
    fn publish(&mut self, path: &Path, found: Vec<Diagnostic>) {
        if self.abilities.pulls {
            return;
        }
        let document = self.workspace.documents.get(path);
        if self.sent.get(path).map_or(found.is_empty() && document.is_none(), |sent| *sent == found)
        {
            return;
        }
        let Some(uri) = self.workspace.uri(path) else { return };
        let params = PublishDiagnosticsParams {
            uri,
            version: document.map(|document| document.version),
            diagnostics: found.clone(),
        };
        self.sent.insert(path.to_owned(), found);
        self.send(Notification::new("textDocument/publishDiagnostics".to_owned(), params).into());
    }
}

/// What a message asks, without what it says.
fn named(message: &Message) -> String {
    match message {
        Message::Request(request) => format!("{} {}", request.method, request.id),
        Message::Notification(note) => note.method.clone(),
        Message::Response(response) => format!("answer {}", response.id),
    }
}

fn params<P: DeserializeOwned>(note: Notification) -> Option<P> {
    serde_json::from_value(note.params).ok()
}
