//! An editor, as the server sees one.

use crate::project::Project;
use serde_json::{Value as Json, json};
use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};

/// An editor.
pub(crate) struct Editor {
    pub(crate) child: Child,
    pub(crate) input: ChildStdin,
    output: BufReader<ChildStdout>,
    root: String,
    next: i64,
    /// What the server said of files since they were last asked for.
    said: Vec<Json>,
}

impl Editor {
    pub(crate) fn start(project: &Project, capabilities: Json) -> (Self, Json) {
        let mut child = project
            .command(&["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("dax runs");
        let (input, output) = (
            child.stdin.take().expect("an input"),
            BufReader::new(child.stdout.take().expect("an output")),
        );
        let root =
            format!("file://{}", project.path("").canonicalize().expect("a folder").display());
        let mut editor = Self { child, input, output, root, next: 0, said: Vec::new() };
        let answer = editor.ask(
            "initialize",
            json!({"processId": null, "rootUri": editor.root, "capabilities": capabilities}),
        );
        editor.tell("initialized", json!({}));
        (editor, answer["capabilities"].clone())
    }

    fn send(&mut self, message: &Json) {
        let text = message.to_string();
        write!(self.input, "Content-Length: {}\r\n\r\n{text}", text.len())
            .and_then(|()| self.input.flush())
            .expect("the server reads");
    }

    pub(crate) fn tell(&mut self, method: &str, params: Json) {
        self.send(&json!({"jsonrpc": "2.0", "method": method, "params": params}));
    }

    fn receive(&mut self) -> Json {
        let mut length = 0;
        loop {
            let mut line = String::new();
            assert!(
                self.output.read_line(&mut line).expect("the server speaks") > 0,
                "the server ended"
            );
            match line.trim_end().strip_prefix("Content-Length: ") {
                Some(number) => length = number.parse().expect("a length"),
                None if line.trim_end().is_empty() => break,
                None => {}
            }
        }
        let mut body = vec![0; length];
        self.output.read_exact(&mut body).expect("a body");
        serde_json::from_slice(&body).expect("JSON")
    }

    pub(crate) fn respond(&mut self, method: &str, params: Json) -> Json {
        self.next += 1;
        let id = self.next;
        self.send(&json!({"jsonrpc": "2.0", "id": id, "method": method, "params": params}));
        loop {
            let message = self.receive();
            if message["id"] == id {
                return message;
            }
            self.said.push(message);
        }
    }

    pub(crate) fn ask(&mut self, method: &str, params: Json) -> Json {
        let answer = self.respond(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].clone()
    }

    pub(crate) fn uri(&self, name: &str) -> String {
        format!("{}/{name}", self.root)
    }

    pub(crate) fn open(&mut self, name: &str, text: &str) {
        let uri = self.uri(name);
        self.tell(
            "textDocument/didOpen",
            json!({"textDocument": {"uri": uri, "languageId": "dax", "version": 1, "text": text}}),
        );
    }

    /// Types something in place of a range.
    pub(crate) fn edit(&mut self, name: &str, version: i64, range: [u32; 4], text: &str) {
        let [line, from, end, to] = range;
        let range = json!({"start": {"line": line, "character": from}, "end": {"line": end, "character": to}});
        let document = json!({"uri": self.uri(name), "version": version});
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": [{"range": range, "text": text}]}),
        );
    }

    /// Reads until what is said of a file is what somebody waits for.
    pub(crate) fn until(&mut self, name: &str, fits: impl Fn(&[String]) -> bool) -> Vec<String> {
        let uri = self.uri(name);
        loop {
            let message = if self.said.is_empty() { self.receive() } else { self.said.remove(0) };
            if message["method"] != "textDocument/publishDiagnostics"
                || message["params"]["uri"] != uri
            {
                continue;
            }
            let one = |found: &Json| {
                let at = &found["range"]["start"];
                format!(
                    "{}:{} {} {}",
                    at["line"],
                    at["character"],
                    found["code"].as_str().unwrap_or(""),
                    found["message"].as_str().unwrap_or("")
                )
            };
            let found: Vec<String> = message["params"]["diagnostics"]
                .as_array()
                .into_iter()
                .flatten()
                .map(one)
                .collect();
            if fits(&found) {
                return found;
            }
        }
    }

    pub(crate) fn end(mut self) -> i32 {
        self.ask("shutdown", Json::Null);
        self.tell("exit", Json::Null);
        self.child.wait().expect("it ends").code().unwrap_or(-1)
    }
}
