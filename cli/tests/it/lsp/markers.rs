//! Requests written into programs: a comment such as `#  ^^^ hover` asks about what stands above its first `^`, and the lines
//! behind it that begin with `#|` are what the server answers.
//!
//! A line `#@ path` begins another file of the same project. `UPDATE_FIXTURES=1` writes what is answered into the files.

use super::editor::Editor;
use crate::project::Project;
use serde_json::{Value as Json, json};
use std::fmt::Write;
use std::path::Path;

/// A file of a project, with its markers.
struct Part {
    name: String,
    /// What the server sees.
    text: String,
    /// Lines as they stand, answers left out; with what each asks.
    lines: Vec<(String, Option<Marker>)>,
}

#[derive(Clone)]
struct Marker {
    line: usize,
    from: usize,
    to: usize,
    request: String,
    argument: String,
}

fn parts(fixture: &str) -> Vec<Part> {
    let mut all =
        vec![Part { name: "main.dax".to_owned(), text: String::new(), lines: Vec::new() }];
    for line in fixture.lines() {
        if let Some(name) = line.strip_prefix("#@ ") {
            all.push(Part { name: name.to_owned(), text: String::new(), lines: Vec::new() });
            continue;
        }
        let Some(part) = all.last_mut() else { continue };
        if line.starts_with("#|") {
            continue;
        }
        let bare = line.strip_prefix('#').map(str::trim_start).filter(|bare| bare.starts_with('^'));
        let Some(bare) = bare else {
            part.text.push_str(line);
            part.text.push('\n');
            part.lines.push((line.to_owned(), None));
            continue;
        };
        let from = line.len() - bare.len();
        let carets = bare.len() - bare.trim_start_matches('^').len();
        let asked = bare[carets..].trim();
        let (request, argument) = asked.split_once(' ').unwrap_or((asked, ""));
        let at = part.text.lines().count() - 1;
        let marker = Marker {
            line: at,
            from,
            to: from + carets,
            request: request.to_owned(),
            argument: argument.to_owned(),
        };
        part.lines.push((line.to_owned(), Some(marker)));
    }
    all
}

/// A session in which one project is looked at.
struct Look<'e> {
    editor: &'e mut Editor,
    parts: Vec<(String, String)>,
}

impl Look<'_> {
    fn file(&self, uri: &Json) -> String {
        let uri = uri.as_str().unwrap_or("");
        match uri.strip_prefix(&format!("{}/", self.editor.uri("").trim_end_matches('/'))) {
            Some(name) => name.to_owned(),
            None => format!("…/{}", uri.rsplit_once("/std/").map_or(uri, |(_, name)| name)),
        }
    }

    fn place(&self, file: &str, range: &Json) -> String {
        let number = |end: &str, key: &str| {
            usize::try_from(range[end][key].as_u64().unwrap_or(999)).unwrap_or(999)
        };
        let (line, from, end, to) = (
            number("start", "line"),
            number("start", "character"),
            number("end", "line"),
            number("end", "character"),
        );
        let text = self.parts.iter().find(|(name, _)| name == file).map_or("", |(_, text)| text);
        let said = text
            .lines()
            .nth(line)
            .and_then(|said| said.get(from..if line == end { to } else { said.len() }))
            .unwrap_or("");
        format!("{file}:{line}:{from} {said:?}")
    }

    fn ask(&mut self, file: &str, marker: &Marker) -> String {
        let uri = self.editor.uri(file);
        let position = json!({"line": marker.line, "character": marker.from});
        let end = json!({"line": marker.line, "character": marker.to});
        let document = json!({"uri": uri});
        let place = json!({"textDocument": document, "position": position});
        let range = json!({"start": position, "end": end});
        let whole =
            json!({"start": {"line": 0, "character": 0}, "end": {"line": 9999, "character": 0}});
        let argument = marker.argument.as_str();
        match marker.request.as_str() {
            "hover" => {
                let found = self.editor.ask("textDocument/hover", place);
                found["contents"]["value"].as_str().unwrap_or("nothing").to_owned()
            }
            "definition" | "typeDefinition" => {
                let found = self.editor.ask(&format!("textDocument/{}", marker.request), place);
                self.locations(&found)
            }
            "references" => {
                let params = json!({"textDocument": document, "position": position, "context": {"includeDeclaration": true}});
                let found = self.editor.ask("textDocument/references", params);
                self.locations(&found)
            }
            "highlight" => {
                let found = self.editor.ask("textDocument/documentHighlight", place);
                let one = |one: &Json| {
                    format!(
                        "{} {}",
                        self.place(file, &one["range"]),
                        if one["kind"] == 3 { "declares" } else { "names" }
                    )
                };
                listed(&found, one)
            }
            "complete" => self.complete(&place, argument),
            "signature" => {
                let found = self.editor.ask("textDocument/signatureHelp", place);
                let signature = &found["signatures"][0];
                let active =
                    usize::try_from(found["activeParameter"].as_u64().unwrap_or(99)).unwrap_or(99);
                format!(
                    "{} at {}",
                    signature["label"].as_str().unwrap_or("nothing"),
                    signature["parameters"][active]["label"]
                )
            }
            "prepareRename" => {
                let found = self.editor.respond("textDocument/prepareRename", place);
                match found["result"].get("range") {
                    Some(range) => self.place(file, range),
                    None => found["error"]["message"].as_str().unwrap_or("nothing").to_owned(),
                }
            }
            "rename" => {
                let params =
                    json!({"textDocument": document, "position": position, "newName": argument});
                let found = self.editor.respond("textDocument/rename", params);
                match found["error"]["message"].as_str() {
                    Some(why) => why.to_owned(),
                    None => self.edit(&found["result"]),
                }
            }
            "action" => self.action(&document, &range, argument),
            "hints" => {
                let found = self.editor.ask(
                    "textDocument/inlayHint",
                    json!({"textDocument": document, "range": whole}),
                );
                listed(&found, |hint| {
                    format!(
                        "{}:{} {}",
                        hint["position"]["line"], hint["position"]["character"], hint["label"]
                    )
                })
            }
            "symbols" => {
                let found = self.editor.ask("workspace/symbol", json!({"query": argument}));
                listed(&found, |symbol| {
                    let at = &symbol["location"];
                    format!(
                        "{} {}",
                        symbol["name"].as_str().unwrap_or(""),
                        self.place(&self.file(&at["uri"]), &at["range"])
                    )
                })
            }
            "lens" => {
                let found =
                    self.editor.ask("textDocument/codeLens", json!({"textDocument": document}));
                listed(&found, |lens| {
                    format!(
                        "{} {} {}",
                        lens["range"]["start"]["line"],
                        lens["command"]["title"],
                        lens["command"]["command"]
                    )
                })
            }
            "links" => {
                let found =
                    self.editor.ask("textDocument/documentLink", json!({"textDocument": document}));
                listed(&found, |link| {
                    format!("{} {}", self.place(file, &link["range"]), self.file(&link["target"]))
                })
            }
            "linked" => {
                let found = self.editor.ask("textDocument/linkedEditingRange", place);
                listed(&found["ranges"], |range| self.place(file, range))
            }
            "calls" => self.calls(&place),
            "formatRange" => {
                let params = json!({"textDocument": document, "range": range, "options": {"tabSize": 2, "insertSpaces": true}});
                let found = self.editor.ask("textDocument/rangeFormatting", params);
                listed(&found, |edit| {
                    format!("{} -> {}", self.place(file, &edit["range"]), edit["newText"])
                })
            }
            "formatTyped" => {
                let typed = argument.replace("\\n", "\n");
                let params = json!({"textDocument": document, "position": position, "ch": typed, "options": {"tabSize": 2, "insertSpaces": true}});
                let found = self.editor.ask("textDocument/onTypeFormatting", params);
                listed(&found, |edit| {
                    format!("{} -> {}", self.place(file, &edit["range"]), edit["newText"])
                })
            }
            "diagnostics" => {
                self.rest();
                let found =
                    self.editor.ask("textDocument/diagnostic", json!({"textDocument": document}));
                listed(&found["items"], |one| {
                    format!(
                        "{} {} {}",
                        self.place(file, &one["range"]),
                        one["code"],
                        one["message"]
                    )
                })
            }
            "workspaceDiagnostics" => {
                self.rest();
                let found =
                    self.editor.ask("workspace/diagnostic", json!({"previousResultIds": []}));
                let known = |item: &Json| json!({"uri": item["uri"], "value": item["resultId"]});
                let ids: Vec<Json> =
                    found["items"].as_array().into_iter().flatten().map(known).collect();
                let again =
                    self.editor.ask("workspace/diagnostic", json!({"previousResultIds": ids}));
                let one = |item: &Json| {
                    let count = item["items"].as_array().map_or(0, Vec::len);
                    format!("{} {} {count}", self.file(&item["uri"]), item["kind"])
                };
                format!("{}\n{}", listed(&found["items"], one), listed(&again["items"], one))
            }
            "tokens" => {
                let start = json!({"line": marker.line, "character": 0});
                let line = json!({"start": start, "end": {"line": marker.line, "character": 999}});
                let part = self.editor.ask(
                    "textDocument/semanticTokens/range",
                    json!({"textDocument": document, "range": line}),
                );
                let full = self
                    .editor
                    .ask("textDocument/semanticTokens/full", json!({"textDocument": document}));
                let previous =
                    json!({"textDocument": document, "previousResultId": full["resultId"]});
                let delta = self.editor.ask("textDocument/semanticTokens/full/delta", previous);
                let numbers = part["data"].as_array().map_or(0, Vec::len);
                format!(
                    "{} {} full {}",
                    numbers / 5,
                    part["data"],
                    full["data"].as_array().map_or(0, Vec::len) / 5
                ) + &format!(" delta {}", delta["edits"])
            }
            "execute" => {
                let (command, arguments) = argument.split_once(' ').unwrap_or((argument, ""));
                let of_file = (!command.is_empty()).then(|| json!(uri));
                let more = arguments.split(' ').filter(|one| !one.is_empty()).map(|one| json!(one));
                let arguments: Vec<Json> = of_file.into_iter().chain(more).collect();
                let found = self.editor.respond(
                    "workspace/executeCommand",
                    json!({"command": command, "arguments": arguments}),
                );
                match found.get("result") {
                    Some(Json::Null) => "done".to_owned(),
                    // A digest is that of one state only.
                    Some(said) => {
                        let digest = |word: &str| {
                            word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit())
                        };
                        let text = format!(
                            "{}\n{}{}",
                            said["code"],
                            said["out"].as_str().unwrap_or(""),
                            said["err"].as_str().unwrap_or("")
                        );
                        text.split_inclusive([' ', '\n'])
                            .map(|word| {
                                if digest(word.trim()) {
                                    word.replace(word.trim(), "DIGEST")
                                } else {
                                    word.to_owned()
                                }
                            })
                            .collect()
                    }
                    None => found["error"]["message"].to_string(),
                }
            }
            other => panic!("{file}:{}: nobody asks for `{other}`", marker.line),
        }
    }

    fn locations(&self, found: &Json) -> String {
        listed(found, |at| self.place(&self.file(&at["uri"]), &at["range"]))
    }

    /// The first proposals, or what is known of one.
    fn complete(&mut self, place: &Json, only: &str) -> String {
        let found = self.editor.ask("textDocument/completion", place.clone());
        let mut items: Vec<Json> = found["items"].as_array().cloned().unwrap_or_default();
        items.sort_by_key(|item| item["sortText"].as_str().unwrap_or("").to_owned());
        if only.is_empty() {
            let one = |item: &Json| {
                let text = |key: &str| item[key].as_str().unwrap_or("").to_owned();
                let new = item["textEdit"]["newText"].as_str().unwrap_or("").replace('\n', "⏎");
                let new = if new == text("label") { String::new() } else { format!(" -> {new}") };
                format!("{}: {}{new}", text("label"), text("detail"))
            };
            return listed(&Json::Array(items.into_iter().take(12).collect()), one);
        }
        let Some(item) = items.into_iter().find(|item| item["label"] == only) else {
            return "nothing".to_owned();
        };
        let whole = self.editor.ask("completionItem/resolve", item);
        whole["documentation"]["value"].as_str().unwrap_or("nothing").to_owned()
    }

    /// Lets the server come to rest: what only values show is found then, and is a part of the answer from then on.
    fn rest(&self) {
        std::thread::sleep(std::time::Duration::from_millis(500));
    }

    fn action(&mut self, document: &Json, range: &Json, title: &str) -> String {
        let pulled = self.editor.ask("textDocument/diagnostic", json!({"textDocument": document}));
        let line = &range["start"]["line"];
        let here: Vec<&Json> = pulled["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter(|one| one["range"]["start"]["line"] == *line)
            .collect();
        let params =
            json!({"textDocument": document, "range": range, "context": {"diagnostics": here}});
        let found = self.editor.ask("textDocument/codeAction", params);
        if title.is_empty() {
            return listed(&found, |action| {
                format!(
                    "{} ({})",
                    action["title"].as_str().unwrap_or(""),
                    action["kind"].as_str().unwrap_or("")
                )
            });
        }
        match found
            .as_array()
            .into_iter()
            .flatten()
            .find(|action| action["title"].as_str().is_some_and(|known| known.starts_with(title)))
        {
            Some(action) => self.edit(&action["edit"]),
            None => "nothing".to_owned(),
        }
    }

    /// The texts that an edit of the workspace leaves, with only the lines that differ.
    fn edit(&self, edit: &Json) -> String {
        let mut shown = String::new();
        for change in edit["documentChanges"].as_array().into_iter().flatten() {
            if change["kind"] == "create" {
                let _ = writeln!(shown, "creates {}", self.file(&change["uri"]));
                continue;
            }
            let file = self.file(&change["textDocument"]["uri"]);
            let before =
                self.parts.iter().find(|(name, _)| *name == file).map_or("", |(_, text)| text);
            let after = applied(before, &change["edits"]);
            let diff = similar::TextDiff::from_lines(before, &after);
            let _ = writeln!(shown, "{file}");
            for change in
                diff.iter_all_changes().filter(|change| change.tag() != similar::ChangeTag::Equal)
            {
                let _ = write!(shown, "{}{}", change.tag(), change.value());
            }
        }
        if shown.is_empty() { "nothing".to_owned() } else { shown }
    }

    fn calls(&mut self, place: &Json) -> String {
        let prepared = self.editor.ask("textDocument/prepareCallHierarchy", place.clone());
        let Some(item) = prepared.get(0).cloned() else { return "nothing".to_owned() };
        let mut shown = String::new();
        for (method, key, word) in
            [("incomingCalls", "from", "from"), ("outgoingCalls", "to", "to")]
        {
            let found = self.editor.ask(&format!("callHierarchy/{method}"), json!({"item": item}));
            for call in found.as_array().into_iter().flatten() {
                let ranges = call["fromRanges"].as_array().map_or(0, Vec::len);
                let _ = writeln!(
                    shown,
                    "{word} {} ({ranges})",
                    call[key]["name"].as_str().unwrap_or("")
                );
            }
        }
        if shown.is_empty() { "nothing".to_owned() } else { shown }
    }
}

fn applied(text: &str, edits: &Json) -> String {
    let offset = |position: &Json| {
        let number = |key: &str| usize::try_from(position[key].as_u64().unwrap_or(0)).unwrap_or(0);
        let start: usize = text.split_inclusive('\n').take(number("line")).map(str::len).sum();
        (start + number("character")).min(text.len())
    };
    let mut all: Vec<(usize, usize, &str)> = edits
        .as_array()
        .into_iter()
        .flatten()
        .map(|edit| {
            (
                offset(&edit["range"]["start"]),
                offset(&edit["range"]["end"]),
                edit["newText"].as_str().unwrap_or(""),
            )
        })
        .collect();
    all.sort_by_key(|edit| std::cmp::Reverse((edit.0, edit.1)));
    let mut new = text.to_owned();
    for (from, to, with) in all {
        new.replace_range(from..to, with);
    }
    new
}

fn listed(found: &Json, one: impl Fn(&Json) -> String) -> String {
    let all: Vec<String> = found.as_array().into_iter().flatten().map(one).collect();
    if all.is_empty() { "nothing".to_owned() } else { all.join("\n") }
}

fn answered(fixture: &str) -> String {
    let parts = parts(fixture);
    let project = Project::new("");
    for part in &parts {
        let path = project.path(&part.name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, &part.text).expect("written");
    }
    let snippets = json!({"completion": {"completionItem": {"snippetSupport": true}}});
    let (mut editor, _) = Editor::start(
        &project,
        json!({"general": {"positionEncodings": ["utf-8"]}, "textDocument": snippets}),
    );
    for part in parts.iter().filter(|part| part.name.ends_with(".dax")) {
        editor.open(&part.name, &part.text);
    }
    let texts = parts.iter().map(|part| (part.name.clone(), part.text.clone())).collect();
    let mut look = Look { editor: &mut editor, parts: texts };
    let mut out = String::new();
    for (at, part) in parts.iter().enumerate() {
        if at > 0 {
            let _ = writeln!(out, "#@ {}", part.name);
        }
        for (line, marker) in &part.lines {
            let _ = writeln!(out, "{line}");
            if let Some(marker) = marker {
                for line in look.ask(&part.name, marker).trim_end().lines() {
                    let _ = writeln!(out, "{}", format!("#| {line}").trim_end());
                }
            }
        }
    }
    assert_eq!(editor.end(), 0);
    out
}

#[test]
fn the_server_answers_what_the_markers_say() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/editor");
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .expect("fixtures")
        .map(|entry| entry.expect("a file").path())
        .collect();
    names.sort();
    assert!(!names.is_empty());
    let mut wrong = Vec::new();
    for path in names {
        let fixture = std::fs::read_to_string(&path).expect("a fixture");
        let now = answered(&fixture);
        if now == fixture {
            continue;
        }
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&path, now).expect("written");
            continue;
        }
        let diff = similar::TextDiff::from_lines(&fixture, &now).unified_diff().to_string();
        wrong.push(format!("{}\n{diff}", path.display()));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
