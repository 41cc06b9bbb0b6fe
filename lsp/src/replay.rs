//! Whole programs typed by somebody who jumps about and takes things back: the server keeps up, and knows in the end what a
//! fresh look at the same text finds.

use crate::server;
use dax_project::{FileSystem, Missing, Params};
use lsp_server::{Connection, Message, Notification, Request};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// The same sequence of numbers each time.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, below: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % u64::try_from(below.max(1)).expect("a number")).expect("a number")
    }
}

struct Client {
    connection: Connection,
    uri: String,
    version: i64,
    requests: i32,
    /// What was said last of the text.
    said: Vec<String>,
}

impl Client {
    fn tell(&self, method: &str, params: Json) {
        self.connection.sender.send(Notification::new(method.to_owned(), params).into()).expect("the server listens");
    }

    /// Puts a text in place of some bytes of one line.
    fn edit(&mut self, text: &mut String, at: usize, gone: usize, new: &str) {
        let line = text[..at].matches('\n').count();
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let (from, to) = (at - start, at + gone - start);
        text.replace_range(at..at + gone, new);
        self.version += 1;
        let range = json!({"start": {"line": line, "character": from}, "end": {"line": line, "character": to}});
        let document = json!({"uri": self.uri, "version": self.version});
        self.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": [{"range": range, "text": new}]}));
    }

    /// What is known once everything is known; whoever waits for something waits long.
    fn settled(&mut self, wanted: &[String]) -> Vec<String> {
        // An answer comes behind everything that was sent before; what the check finds may come later.
        self.requests += 1;
        let params = json!({"textDocument": {"uri": self.uri}});
        let request = Request { id: self.requests.into(), method: "textDocument/foldingRange".to_owned(), params };
        self.connection.sender.send(request.into()).expect("the server listens");
        let mut answered = false;
        loop {
            let known = answered && self.said == wanted;
            let patience = Duration::from_millis(if known { 100 } else { 20_000 });
            match self.connection.receiver.recv_timeout(patience) {
                Ok(Message::Notification(note)) if note.params["uri"] == self.uri => self.said = shown(&note.params["diagnostics"]),
                Ok(Message::Response(answer)) => {
                    assert!(answer.response_result.is_ok());
                    answered = true;
                }
                Ok(_) => {}
                Err(_) => return self.said.clone(),
            }
        }
    }
}

fn shown(diagnostics: &Json) -> Vec<String> {
    let one = |found: &Json| {
        let at = |end: &str| format!("{}:{}", found["range"][end]["line"], found["range"][end]["character"]);
        format!("{}-{} {}", at("start"), at("end"), found["code"].as_str().unwrap_or(""))
    };
    let mut all: Vec<String> = diagnostics.as_array().into_iter().flatten().map(one).collect();
    all.sort();
    all
}

/// What a fresh look finds in a text of a project of one file.
fn cold(text: &str) -> Vec<String> {
    struct One(BTreeMap<&'static str, Vec<u8>>);
    impl FileSystem for One {
        fn read(&self, path: &str) -> std::io::Result<Option<Vec<u8>>> {
            Ok(self.0.get(path).cloned())
        }
        fn list(&self, folder: &str) -> std::io::Result<Option<Vec<String>>> {
            Ok(Some(self.0.keys().map(|name| (*name).to_owned()).collect()).filter(|_| folder.is_empty()))
        }
    }
    let files = One(BTreeMap::from([("dax.mod", b"project = \"test\"\n".to_vec()), ("main.dax", text.as_bytes().to_vec())]));
    let loaded = dax_project::load(&files).expect("a project");
    let params = Params { values: BTreeMap::new(), typed: BTreeMap::new(), missing: Missing::Ignore, only: None, outputs: BTreeMap::new() };
    let (_, found) = loaded.check(&params);
    let at = |offset: u32| {
        let before = &text[..offset as usize];
        format!("{}:{}", before.matches('\n').count(), before.len() - before.rfind('\n').map_or(0, |end| end + 1))
    };
    let ours = found.iter().filter(|found| loaded.sources.name(found.span.file) == "main.dax");
    let mut all: Vec<String> = ours.map(|found| format!("{}-{} {}", at(found.span.start), at(found.span.end), found.code)).collect();
    all.sort();
    all
}

fn replay(name: &str, target: &str) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    std::fs::write(root.join("dax.mod"), "project = \"test\"\n").expect("a file");
    let (ours, theirs) = Connection::memory();
    let server = std::thread::spawn(move || server::run(theirs, None));
    let uri = format!("file://{}", root.join("main.dax").display());
    let mut client = Client { connection: ours, uri, version: 1, requests: 1, said: Vec::new() };
    let capabilities = json!({"general": {"positionEncodings": ["utf-8"]}});
    let initialize = json!({"processId": null, "rootUri": null, "capabilities": capabilities});
    client.connection.sender.send(Request { id: 1.into(), method: "initialize".to_owned(), params: initialize }.into()).expect("sent");
    client.tell("initialized", json!({}));
    client.tell("textDocument/didOpen", json!({"textDocument": {"uri": client.uri, "languageId": "dax", "version": 1, "text": ""}}));
    let (mut text, mut dice, mut edits) = (String::new(), Dice(0x9e37_79b9_7f4a_7c15), 0_usize);
    for (at, c) in target.char_indices() {
        client.edit(&mut text, at, 0, &c.to_string());
        edits += 1;
        // Now and then somebody types elsewhere, sees that it is wrong, and takes it back.
        if dice.roll(12) == 0 {
            let places: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
            let there = places[dice.roll(places.len())];
            let typo = ["{", "}", "\"", "x", " = ", "]", "\n", "#", "${", "ä"][dice.roll(10)];
            client.edit(&mut text, there, 0, typo);
            if !typo.contains('\n') {
                client.edit(&mut text, there, typo.len(), "");
            } else {
                text.replace_range(there..=there, "");
                client.version += 1;
                let document = json!({"uri": client.uri, "version": client.version});
                client.tell("textDocument/didChange", json!({"textDocument": document, "contentChanges": [{"text": text}]}));
            }
            edits += 2;
        }
        if edits % 1000 < 3 {
            let fresh = cold(&text);
            assert_eq!(client.settled(&fresh), fresh, "{name} after {edits} edits:\n{text}");
        }
    }
    assert_eq!(text, target);
    let fresh = cold(&text);
    assert_eq!(client.settled(&fresh), fresh, "{name}");
    client.connection.sender.send(Request { id: 0.into(), method: "shutdown".to_owned(), params: Json::Null }.into()).expect("sent");
    client.tell("exit", Json::Null);
    assert_eq!(server.join().expect("the server does not fall"), server::Ended::Orderly);
}

#[test]
fn every_example_can_be_typed_and_what_is_known_then_is_what_a_fresh_look_finds() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    for name in ["quickstart", "kubernetes"] {
        replay(name, &std::fs::read_to_string(examples.join(name).join("main.dax")).expect("an example"));
    }
}
