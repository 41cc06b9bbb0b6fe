//! The loop: messages in, answers out, and what was found about each project as soon as it is known.

use crate::checking::{self, Checked, Job};
use crate::documents::{Documents, Overlay, root_of};
use crate::positions::{Encoding, Text};
use crate::{capabilities, handlers, show};
use crossbeam_channel::{Receiver, Sender, select};
use gen_lsp_types::{
    Diagnostic, DidChangeTextDocumentParams, DidCloseTextDocumentParams, DidOpenTextDocumentParams, InitializeParams,
    PublishDiagnosticsParams, Uri,
};
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// How a session ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// The client said so, after `shutdown`.
    Orderly,
    /// The client went away.
    Lost,
}

/// Codes of findings about the form of a text; all others take the whole project.
const FORM: std::ops::Range<u16> = 1000..2000;

struct Server {
    connection: Connection,
    encoding: Encoding,
    documents: Documents,
    /// What the last check of its project found in each file.
    found: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// What was sent last for each file.
    sent: BTreeMap<PathBuf, Vec<Diagnostic>>,
    /// How often each project has changed.
    generations: BTreeMap<PathBuf, u64>,
    jobs: Sender<Job>,
    results: Receiver<Checked>,
}

/// Serves one client.
pub fn run(connection: Connection) -> Ended {
    let Ok((id, params)) = connection.initialize_start() else { return Ended::Lost };
    let params: InitializeParams = serde_json::from_value(params).unwrap_or_default();
    let encoding = capabilities::encoding(&params);
    let answer = serde_json::to_value(capabilities::answer(encoding)).unwrap_or_default();
    if connection.initialize_finish(id, answer).is_err() {
        return Ended::Lost;
    }
    let (jobs, results) = checking::start();
    let (documents, found, sent, generations) = Default::default();
    let mut server = Server { connection, encoding, documents, found, sent, generations, jobs, results };
    if capabilities::watches(&params) {
        server.watch();
    }
    server.serve()
}

impl Server {
    fn serve(&mut self) -> Ended {
        loop {
            let (messages, results) = (self.connection.receiver.clone(), self.results.clone());
            select! {
                recv(messages) -> message => match message {
                    Err(_) => return Ended::Lost,
                    Ok(Message::Request(request)) => {
                        match self.connection.handle_shutdown(&request) {
                            Ok(true) => return Ended::Orderly,
                            Ok(false) => self.request(request),
                            Err(_) => return Ended::Lost,
                        }
                    }
                    Ok(Message::Notification(note)) if note.method == "exit" => return Ended::Lost,
                    Ok(Message::Notification(note)) => self.notification(note),
                    Ok(Message::Response(_)) => {}
                },
                recv(results) -> result => if let Ok(checked) = result {
                    self.checked(checked);
                },
            }
        }
    }

    /// Asks the client to say when files change that it has not open.
    fn watch(&self) {
        let watchers: Vec<_> =
            ["**/*.dax", "**/dax.mod", "**/dax.lock"].iter().map(|glob| serde_json::json!({"globPattern": glob})).collect();
        let registration = serde_json::json!({
            "id": "files",
            "method": "workspace/didChangeWatchedFiles",
            "registerOptions": {"watchers": watchers},
        });
        let params = serde_json::json!({"registrations": [registration]});
        let request = Request { id: "watch".to_owned().into(), method: "client/registerCapability".to_owned(), params };
        let _ = self.connection.sender.send(request.into());
    }

    fn request(&self, request: Request) {
        let encoding = self.encoding;
        let find = |uri: &Uri| self.text(uri);
        let id = request.id.clone();
        let answer = catch_unwind(AssertUnwindSafe(|| match request.method.as_str() {
            "textDocument/formatting" => answered(request, |params| handlers::formatting(params, &find, encoding)),
            "textDocument/documentSymbol" => answered(request, |params| handlers::symbols(params, &find, encoding)),
            "textDocument/foldingRange" => answered(request, |params| handlers::folding(params, &find)),
            "textDocument/selectionRange" => answered(request, |params| handlers::selection(params, &find, encoding)),
            other => Response::new_err(request.id, ErrorCode::MethodNotFound as i32, format!("`{other}` is nothing that this server does")),
        }));
        let failed = |_| Response::new_err(id, ErrorCode::InternalError as i32, "this is a mistake of dax: please report it".to_owned());
        let _ = self.connection.sender.send(answer.unwrap_or_else(failed).into());
    }

    fn notification(&mut self, note: Notification) {
        match note.method.as_str() {
            "textDocument/didOpen" => {
                if let Some(params) = params::<DidOpenTextDocumentParams>(note)
                    && let Ok(path) = params.text_document.uri.to_file_path()
                {
                    let document = params.text_document;
                    self.documents.open(path.clone(), document.uri, document.version, &document.text);
                    self.changed(&path);
                }
            }
            "textDocument/didChange" => {
                if let Some(params) = params::<DidChangeTextDocumentParams>(note)
                    && let Ok(path) = params.text_document.text_document_identifier.uri.to_file_path()
                {
                    self.documents.change(&path, params.text_document.version, &params.content_changes, self.encoding);
                    self.changed(&path);
                }
            }
            "textDocument/didClose" => {
                if let Some(params) = params::<DidCloseTextDocumentParams>(note)
                    && let Ok(path) = params.text_document.uri.to_file_path()
                {
                    self.documents.close(&path);
                    if root_of(&path).is_none() {
                        self.found.remove(&path);
                        self.publish(&path);
                    }
                    self.check(root_of(&path));
                }
            }
            "workspace/didChangeWatchedFiles" | "textDocument/didSave" => {
                let roots: BTreeSet<PathBuf> = self.documents.paths().filter_map(|path| root_of(path)).collect();
                roots.into_iter().for_each(|root| self.check(Some(root)));
            }
            _ => {}
        }
    }

    /// A text is another: what its form tells is told at once, the rest once it is known.
    fn changed(&mut self, path: &Path) {
        self.publish(path);
        self.check(root_of(path));
    }

    fn check(&mut self, root: Option<PathBuf>) {
        let Some(root) = root else { return };
        let generation = self.generations.entry(root.clone()).or_default();
        *generation += 1;
        let open = self.documents.below(&root);
        let _ = self.jobs.send(Job { generation: *generation, files: Overlay { root, open } });
    }

    /// What a check has found counts unless a text has changed since: then the next one is on its way.
    fn checked(&mut self, checked: Checked) {
        let Some(files) = checked.files.filter(|_| self.generations.get(&checked.root) == Some(&checked.generation)) else { return };
        let texts: BTreeMap<&String, Text> = files.iter().map(|(name, (text, _))| (name, Text::new(text))).collect();
        let mut touched: BTreeSet<PathBuf> = self.found.keys().filter(|path| path.starts_with(&checked.root)).cloned().collect();
        for path in &touched {
            self.found.remove(path);
        }
        for (name, (_, findings)) in files.iter().filter(|(_, (_, findings))| !findings.is_empty()) {
            let path = checked.root.join(name);
            let shown = findings.iter().map(|finding| {
                let places = finding.diagnostic.related.iter().zip(&finding.related);
                let places = places.filter_map(|(related, name)| {
                    let uri = self.uri(&checked.root.join(name))?;
                    Some((uri, texts.get(name)?.range(&show::bytes(related.span), self.encoding), related.label.clone()))
                });
                show::diagnostic(&finding.diagnostic, &texts[name], self.encoding, places.collect())
            });
            let shown = shown.collect();
            touched.insert(path.clone());
            self.found.insert(path, shown);
        }
        touched.iter().for_each(|path| self.publish(path));
    }

    /// Tells a client what is known of a file, unless it knows it.
    fn publish(&mut self, path: &Path) {
        let document = self.documents.get(path);
        let mut all: Vec<Diagnostic> = self.found.get(path).cloned().unwrap_or_default();
        if let Some(document) = document {
            let form =
                |diagnostic: &Diagnostic| matches!(&diagnostic.code, Some(gen_lsp_types::Code::String(code)) if code.starts_with("DAX1"));
            all.retain(|diagnostic| !form(diagnostic));
            let faults = dax_ide::faults(&document.text.text);
            let faults = faults.iter().filter(|found| FORM.contains(&found.code.number));
            all.extend(faults.map(|found| show::diagnostic(found, &document.text, self.encoding, Vec::new())));
            all.sort_by_key(|diagnostic| diagnostic.range);
        }
        if self.sent.get(path).map_or(all.is_empty() && document.is_none(), |sent| *sent == all) {
            return;
        }
        let (version, uri) = (document.map(|document| document.version), self.uri(path));
        let Some(uri) = uri else { return };
        self.sent.insert(path.to_owned(), all.clone());
        let params = PublishDiagnosticsParams { uri, version, diagnostics: all };
        let _ = self.connection.sender.send(Notification::new("textDocument/publishDiagnostics".to_owned(), params).into());
    }

    /// The address of a file as its client writes it.
    fn uri(&self, path: &Path) -> Option<Uri> {
        self.documents.get(path).map(|document| document.uri.clone()).or_else(|| Uri::from_file_path(path).ok())
    }

    /// A text by its address: as it is open, or as it stands on disk.
    fn text(&self, uri: &Uri) -> Option<Text> {
        let path = uri.to_file_path().ok()?;
        let open = self.documents.get(&path).map(|document| document.text.clone());
        open.or_else(|| Some(Text::new(&std::fs::read_to_string(path).ok()?)))
    }
}

fn params<P: DeserializeOwned>(note: Notification) -> Option<P> {
    serde_json::from_value(note.params).ok()
}

/// The answer to a request, or that its parameters make no sense.
fn answered<P: DeserializeOwned, R: Serialize>(request: Request, answer: impl FnOnce(&P) -> R) -> Response {
    match serde_json::from_value(request.params) {
        Ok(params) => Response::new_ok(request.id, answer(&params)),
        Err(error) => Response::new_err(request.id, ErrorCode::InvalidParams as i32, error.to_string()),
    }
}
