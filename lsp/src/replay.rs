//! Whole programs typed by somebody who jumps about and takes things back: the server keeps up, and knows in the end what a
//! fresh look at the same texts finds.

use crate::server;
use dax_project::{FileSystem, Missing, Params};
use lsp_server::{Connection, Message, Notification, Request};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::thread::JoinHandle;
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

    /// A place between two characters of a text.
    fn place(&mut self, text: &str) -> usize {
        let mut at = self.roll(text.len() + 1);
        while !text.is_char_boundary(at) {
            at -= 1;
        }
        at
    }
}

/// Texts, or what is known of each, by the names of files.
type ByFile<T> = BTreeMap<String, T>;

/// What takes an edit back: where, how much goes, and what comes.
type Inverse = (usize, usize, String);

struct Client {
    connection: Connection,
    server: JoinHandle<server::Ended>,
    root: PathBuf,
    texts: ByFile<String>,
    versions: ByFile<i64>,
    undo: ByFile<Vec<Inverse>>,
    requests: i32,
    /// What was said last of each file.
    said: ByFile<Vec<String>>,
    edits: usize,
}

impl Client {
    /// A client in a folder that has these texts.
    fn start(root: &Path, texts: ByFile<String>) -> Self {
        std::fs::write(root.join("dax.mod"), "project = \"test\"\n").expect("a file");
        for (name, text) in &texts {
            let path = root.join(name);
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            std::fs::write(path, text).expect("a file");
        }
        let (connection, theirs) = Connection::memory();
        let server = std::thread::spawn(move || server::run(theirs, None));
        let (versions, undo, said) = Default::default();
        let mut client = Self {
            connection,
            server,
            root: root.to_owned(),
            texts,
            versions,
            undo,
            requests: 0,
            said,
            edits: 0,
        };
        let folders = json!([{"uri": client.uri("").trim_end_matches('/'), "name": "test"}]);
        let capabilities = json!({"general": {"positionEncodings": ["utf-8"]}});
        client.ask("initialize", json!({"processId": null, "rootUri": null, "workspaceFolders": folders, "capabilities": capabilities}));
        client.tell("initialized", json!({}));
        client
    }

    fn uri(&self, name: &str) -> String {
        format!("file://{}/{name}", self.root.display())
    }

    fn tell(&self, method: &str, params: Json) {
        self.connection
            .sender
            .send(Notification::new(method.to_owned(), params).into())
            .expect("the server listens");
    }

    /// Notes what a message says of a file.
    fn hear(&mut self, message: &Message) {
        let Message::Notification(note) = message else { return };
        let uri = note.params["uri"].as_str().unwrap_or_default();
        if let Some(name) = uri.strip_prefix(&self.uri("")) {
            self.said.insert(name.to_owned(), shown(&note.params["diagnostics"]));
        }
    }

    fn ask(&mut self, method: &str, params: Json) -> Json {
        self.requests += 1;
        let id = lsp_server::RequestId::from(self.requests);
        self.connection
            .sender
            .send(Request { id: id.clone(), method: method.to_owned(), params }.into())
            .expect("the server listens");
        loop {
            let message = self
                .connection
                .receiver
                .recv_timeout(Duration::from_mins(2))
                .expect("the server answers");
            match message {
                Message::Response(answer) if answer.id == id => {
                    return answer.response_result.expect("an answer");
                }
                other => self.hear(&other),
            }
        }
    }

    /// Puts a text in place of some bytes of a file.
    fn edit(&mut self, name: &str, at: usize, gone: usize, new: &str) {
        let text = self.texts.get_mut(name).expect("a file");
        let place = |at: usize| {
            let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
            json!({"line": text[..at].matches('\n').count(), "character": at - start})
        };
        let range = json!({"start": place(at), "end": place(at + gone)});
        let old = text[at..at + gone].to_owned();
        let before = text.clone();
        text.replace_range(at..at + gone, new);
        let uri = self.uri(name);
        if !self.versions.contains_key(name) {
            self.versions.insert(name.to_owned(), 1);
            self.tell("textDocument/didOpen", json!({"textDocument": {"uri": uri, "languageId": "dax", "version": 1, "text": before}}));
        }
        let version = self.versions.get_mut(name).expect("an open file");
        *version += 1;
        let document = json!({"uri": uri, "version": *version});
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": [{"range": range, "text": new}]}),
        );
        self.undo.entry(name.to_owned()).or_default().push((at, new.len(), old));
        self.edits += 1;
    }

    /// Takes the last edit of a file back.
    fn undo(&mut self, name: &str) {
        if let Some((at, gone, new)) = self.undo.get_mut(name).and_then(Vec::pop) {
            self.edit(name, at, gone, &new);
            self.undo.get_mut(name).and_then(Vec::pop);
        }
    }

    /// Asks something about a place, as editors do all the time: whatever the text looks like, there is an answer.
    fn look(&mut self, name: &str, at: usize, which: usize) {
        let text = &self.texts[name];
        let start = text[..at].rfind('\n').map_or(0, |end| end + 1);
        let position = json!({"line": text[..at].matches('\n').count(), "character": at - start});
        let document = json!({"uri": self.uri(name)});
        let range = json!({"start": {"line": 0, "character": 0}, "end": position});
        let (at, part) = (
            json!({"textDocument": document, "position": position}),
            json!({"textDocument": document, "range": range}),
        );
        let with = |base: &Json, key: &str, value: Json| {
            let mut all = base.clone();
            all[key] = value;
            all
        };
        let (method, params) = match which {
            0 => ("textDocument/completion", at),
            1 => ("textDocument/hover", at),
            2 => ("textDocument/definition", at),
            3 => (
                "textDocument/references",
                with(&at, "context", json!({"includeDeclaration": true})),
            ),
            4 => ("textDocument/signatureHelp", at),
            5 => ("textDocument/codeAction", with(&part, "context", json!({"diagnostics": []}))),
            6 => ("textDocument/inlayHint", part),
            7 => ("textDocument/codeLens", json!({"textDocument": document})),
            8 => ("textDocument/semanticTokens/full", json!({"textDocument": document})),
            9 => ("textDocument/documentHighlight", at),
            10 => ("textDocument/typeDefinition", at),
            11 => ("textDocument/linkedEditingRange", at),
            12 => ("textDocument/documentLink", json!({"textDocument": document})),
            13 => ("textDocument/prepareCallHierarchy", at),
            14 => ("workspace/symbol", json!({"query": "s1"})),
            15 => (
                "textDocument/formatting",
                json!({"textDocument": document, "options": {"tabSize": 2, "insertSpaces": true}}),
            ),
            16 => ("textDocument/documentSymbol", json!({"textDocument": document})),
            _ => (
                "textDocument/selectionRange",
                json!({"textDocument": document, "positions": [position]}),
            ),
        };
        self.ask(method, params);
    }

    /// Everything that is known is what a fresh look finds; whoever waits for it waits long.
    fn settles(&mut self, what: &str) {
        let wanted = self.cold();
        // An answer comes behind everything that was sent before; what values show may come later.
        let name = self.texts.keys().next().cloned().unwrap_or_default();
        self.ask("textDocument/foldingRange", json!({"textDocument": {"uri": self.uri(&name)}}));
        loop {
            let said: ByFile<Vec<String>> = self
                .said
                .iter()
                .filter(|(_, found)| !found.is_empty())
                .map(|(name, found)| (name.clone(), found.clone()))
                .collect();
            let known = said == wanted;
            match self.connection.receiver.recv_timeout(if known {
                Duration::from_millis(100)
            } else {
                Duration::from_mins(1)
            }) {
                Ok(message) => self.hear(&message),
                Err(_) => {
                    assert_eq!(said, wanted, "{what} after {} edits", self.edits);
                    return;
                }
            }
        }
    }

    /// What a fresh look finds in the texts.
    fn cold(&self) -> ByFile<Vec<String>> {
        struct InMemory<'t>(&'t ByFile<String>);
        impl FileSystem for InMemory<'_> {
            fn read(&self, _: &str, path: &str) -> std::io::Result<Option<Vec<u8>>> {
                let manifest = (path == "dax.mod").then_some("project = \"test\"\n");
                Ok(manifest
                    .or_else(|| self.0.get(path).map(String::as_str))
                    .map(|text| text.as_bytes().to_vec()))
            }
            fn list(&self, _: &str, folder: &str) -> std::io::Result<Option<Vec<String>>> {
                let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
                let inside = self
                    .0
                    .keys()
                    .filter_map(|name| name.strip_prefix(&prefix))
                    .filter(|name| !name.contains('/'));
                Ok(Some(inside.map(str::to_owned).collect())
                    .filter(|names: &Vec<String>| !names.is_empty()))
            }
        }
        // A module that nothing imports is looked at while a file of it is open.
        let open: Vec<String> = self.versions.keys().cloned().collect();
        let loaded = dax_project::load_with(&InMemory(&self.texts), &open).expect("a project");
        let params = Params::none(Missing::Ignore);
        let (_, found) = loaded.check(&params);
        let mut all: ByFile<Vec<String>> = BTreeMap::new();
        for one in found {
            let text = loaded.sources.text(one.span.file);
            let at = |offset: u32| {
                let before = &text[..offset as usize];
                format!(
                    "{}:{}",
                    before.matches('\n').count(),
                    before.len() - before.rfind('\n').map_or(0, |end| end + 1)
                )
            };
            let shown = format!("{}-{} {}", at(one.span.start), at(one.span.end), one.code);
            all.entry(loaded.sources.name(one.span.file).to_owned()).or_default().push(shown);
        }
        all.values_mut().for_each(|found| found.sort());
        all
    }

    fn end(mut self) {
        self.ask("shutdown", Json::Null);
        self.tell("exit", Json::Null);
        assert_eq!(self.server.join().expect("the server does not fall"), server::Ended::Orderly);
    }
}

fn shown(diagnostics: &Json) -> Vec<String> {
    let one = |found: &Json| {
        let at = |end: &str| {
            format!("{}:{}", found["range"][end]["line"], found["range"][end]["character"])
        };
        format!("{}-{} {}", at("start"), at("end"), found["code"].as_str().unwrap_or(""))
    };
    let mut all: Vec<String> = diagnostics.as_array().into_iter().flatten().map(one).collect();
    all.sort();
    all
}

/// Types the files of a program one after the other.
fn typed(name: &str, targets: &ByFile<String>) {
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    let mut client =
        Client::start(&root, targets.keys().map(|name| (name.clone(), String::new())).collect());
    let mut dice = Dice(0x9e37_79b9_7f4a_7c15);
    for (file, target) in targets {
        for c in target.chars() {
            let end = client.texts[file].len();
            client.edit(file, end, 0, &c.to_string());
            // Now and then somebody types elsewhere, sees that it is wrong, and takes it back.
            if dice.roll(12) == 0 {
                let there = dice.place(&client.texts[file]);
                client.look(file, there, dice.roll(18));
                let typo = ["{", "}", "\"", "x", " = ", "]", "\n", "#", "${", "ä"][dice.roll(10)];
                client.edit(file, there, 0, typo);
                client.undo(file);
            }
            if client.edits % 1000 < 3 {
                client.settles(name);
            }
        }
    }
    assert_eq!(&client.texts, targets);
    client.settles(name);
    client.end();
}

#[test]
fn every_example_can_be_typed_and_what_is_known_then_is_what_a_fresh_look_finds() {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let mut seen = 0;
    for entry in std::fs::read_dir(examples).expect("examples") {
        let folder = entry.expect("an example").path();
        let mut targets = BTreeMap::new();
        for file in std::fs::read_dir(&folder).into_iter().flatten() {
            let path = file.expect("a file").path();
            if path.extension().is_some_and(|ending| ending == "dax") {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                targets.insert(name, std::fs::read_to_string(path).expect("a text"));
            }
        }
        if !targets.is_empty() {
            typed(&folder.display().to_string(), &targets);
            seen += 1;
        }
    }
    assert!(seen > 2, "{seen}");
}

/// A project of modules that an environment binds, with findings in some of them.
fn workspace(areas: usize) -> ByFile<String> {
    let mut texts = BTreeMap::new();
    let (mut main, mut dev) =
        ("import local from \"std/local\"\n".to_owned(), "environment dev {\n".to_owned());
    for area in 0..areas {
        let _ = writeln!(main, "import a{area} from \"./a{area}\"");
        let common = "param tag: string = \"v1\"\n\nlet every = 2s\n\ntype Size = { least: int, most: int = 9 }\n\nlet size: Size = { least: 2 }\n\nfn port_of(n: int) -> int = 8000 + n\n";
        texts.insert(format!("a{area}/common.dax"), common.to_owned());
        for file in 0..9 {
            let mut text = String::new();
            for i in file * 8..(file + 1) * 8 {
                let upstream = if i % 10 == 0 {
                    String::new()
                } else {
                    format!("    UPSTREAM: \"${{s{}.ports.http}}\"\n", i - 1)
                };
                let _ = write!(
                    text,
                    "## Number {i}.\nservice s{i} {{\n  image = \"registry.example.com/s{i}:${{tag}}\"\n  replicas = default size.least\n  ports = {{ http: 8080 }}\n  health http \"/\" {{ every = every }}\n  env = {{\n    NAME: default \"s{i}\"\n    SHARD: \"${{port_of({i})}}\"\n{upstream}  }}\n}}\n\n"
                );
            }
            texts.insert(format!("a{area}/f{file}.dax"), text);
        }
        let all: Vec<String> = (0..72).map(|i| format!("a{area}.s{i}")).collect();
        let _ = writeln!(
            dev,
            "  bind [{}] to local.machine\n  set a{area}.s0 {{ replicas = 4, env.NAME = \"x\" }}",
            all.join(", ")
        );
    }
    main.push_str("\nprovider local.machine {\n}\n\nlet unknown = nothing\n");
    texts.insert("main.dax".to_owned(), main);
    texts.insert("dev.dax".to_owned(), dev + "}\n");
    texts
}

#[test]
fn a_workspace_is_edited_all_over_and_what_is_known_then_is_what_a_fresh_look_finds() {
    // A hundred areas are the thousand files and the hundred thousand lines of the benchmark.
    let number = |name: &str, usual: usize| {
        std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
    };
    let (areas, edits, every) = (
        number("DAX_REPLAY_AREAS", 3),
        number("DAX_REPLAY_EDITS", 2000),
        number("DAX_REPLAY_EVERY", 40),
    );
    let folder = tempfile::tempdir().expect("a folder");
    let root = folder.path().canonicalize().expect("a folder");
    let mut client = Client::start(&root, workspace(areas));
    client.settles("before anything is typed");
    let names: Vec<String> = client.texts.keys().cloned().collect();
    assert!(names[0].ends_with("common.dax") && names[10].ends_with("common.dax"), "{names:?}");
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let pieces = [
        "{",
        "}",
        "\"",
        "x",
        " = ",
        "]",
        "\n",
        "#",
        "${",
        "ä",
        "s3",
        "size",
        "  cpu = 1cpu\n",
        "service new {\n}\n",
        "let every = 3s\n",
        ".",
        "default ",
        "import b from \"./a1\"\n",
    ];
    let mut checked = 0;
    while client.edits < edits {
        // Somebody stays in a file for a while.
        let name = &names[dice.roll(names.len())];
        // What others name is changed more often than there are such files.
        let name = if dice.roll(3) == 0 { &names[dice.roll(areas) * 10] } else { name };
        for _ in 0..dice.roll(12) {
            let text = &client.texts[name];
            let at = dice.place(text);
            match dice.roll(4) {
                0 | 1 => client.edit(name, at, 0, pieces[dice.roll(pieces.len())]),
                2 => {
                    let most = text[at..].find('\n').map_or(0, |end| end + 1);
                    let mut gone = dice.roll(most.min(12) + 1);
                    while !text.is_char_boundary(at + gone) {
                        gone -= 1;
                    }
                    client.edit(name, at, gone, "");
                }
                _ => client.undo(name),
            }
            if dice.roll(3) == 0 {
                let there = dice.place(&client.texts[name]);
                client.look(name, there, dice.roll(18));
            }
            if client.edits / every > checked {
                checked = client.edits / every;
                client.settles("the workspace");
            }
        }
        // Most of what was tried is taken back.
        if dice.roll(3) > 0 {
            while client.undo.get(name).is_some_and(|undo| !undo.is_empty()) {
                client.undo(name);
            }
        }
    }
    client.settles("the workspace");
    client.end();
}
