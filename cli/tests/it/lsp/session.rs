//! The language server as a process, spoken to as an editor does.

use super::editor::Editor;
use crate::project::Project;
use serde_json::{Value as Json, json};

pub(super) const PROGRAM: &str = "import local from \"std/local\"\n\nprovider local.machine {\n}\n\nservice web {\n  command = [\"dax\", \"demo-service\"]\n  replicas = names\n}\n\nenvironment dev {\n  bind web to local.machine\n}\n";

#[test]
fn what_is_wrong_is_told_while_somebody_types_and_gone_when_it_is_mended() {
    let project = Project::new("");
    let (mut editor, capabilities) =
        Editor::start(&project, json!({"general": {"positionEncodings": ["utf-16", "utf-8"]}}));
    assert_eq!(capabilities["positionEncoding"], "utf-8");
    // A text that was never saved, and a name that no file has yet.
    editor.open("main.dax", PROGRAM);
    let found = editor.until("main.dax", |found| !found.is_empty());
    assert!(
        found.len() == 1 && found[0].starts_with("7:13 DAX2002") && found[0].contains("names"),
        "{found:?}"
    );
    // Another file that is open brings it.
    editor.open("more.dax", "let names = \"ä\"\n");
    let found = editor.until("main.dax", |found| found.iter().any(|one| one.contains("DAX3001")));
    assert_eq!(found.len(), 1, "{found:?}");
    // Behind a character of two bytes, counted in bytes as was agreed.
    editor.edit("more.dax", 2, [0, 12, 0, 16], "2");
    assert_eq!(editor.until("main.dax", |found| found.is_empty()), Vec::<String>::new());
    // What the form alone tells needs no check of the project.
    editor.edit("main.dax", 2, [5, 0, 5, 7], "service service");
    let found = editor.until("main.dax", |found| !found.is_empty());
    assert!(found.iter().any(|one| one.starts_with("5:")), "{found:?}");
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_text_is_formatted_outlined_folded_and_selected() {
    let project = Project::new("");
    let (mut editor, capabilities) = Editor::start(&project, json!({}));
    assert_eq!(capabilities["positionEncoding"], "utf-16");
    editor.open(
        "main.dax",
        "let crab = \"🦀\"  \n\nservice web {\n replicas=2\n  env = {\n    A: \"1\"\n  }\n}\n",
    );
    let document = json!({"textDocument": {"uri": editor.uri("main.dax")}});
    let with = |more: Json| {
        let mut all = document.clone();
        all.as_object_mut()
            .expect("an object")
            .extend(more.as_object().cloned().unwrap_or_default());
        all
    };
    let edits = editor.ask(
        "textDocument/formatting",
        with(json!({"options": {"tabSize": 2, "insertSpaces": true}})),
    );
    let lines: Vec<(u64, &str)> = edits
        .as_array()
        .expect("edits")
        .iter()
        .map(|edit| {
            (
                edit["range"]["start"]["line"].as_u64().unwrap_or(99),
                edit["newText"].as_str().unwrap_or(""),
            )
        })
        .collect();
    assert_eq!(lines, [(0, "let crab = \"🦀\"\n"), (3, "  replicas = 2\n")], "{edits}");
    let symbols = editor.ask("textDocument/documentSymbol", document.clone());
    let names: Vec<&Json> =
        symbols.as_array().expect("symbols").iter().map(|symbol| &symbol["name"]).collect();
    assert_eq!(names, ["crab", "web"]);
    assert_eq!(symbols[1]["children"][0]["name"], "replicas");
    let folds = editor.ask("textDocument/foldingRange", document.clone());
    let folds: Vec<(u64, u64)> = folds
        .as_array()
        .expect("folds")
        .iter()
        .map(|fold| {
            (fold["startLine"].as_u64().unwrap_or(99), fold["endLine"].as_u64().unwrap_or(99))
        })
        .collect();
    assert_eq!(folds, [(2, 6), (4, 5)]);
    // Two units of UTF-16 for the crab: what stands in the quotes, and the text with them.
    let selected = editor.ask(
        "textDocument/selectionRange",
        with(json!({"positions": [{"line": 0, "character": 14}]})),
    );
    let on_the_first_line = |from: u32, to: u32| json!({"start": {"line": 0, "character": from}, "end": {"line": 0, "character": to}});
    assert_eq!(selected[0]["range"], on_the_first_line(12, 14), "{selected}");
    assert_eq!(selected[0]["parent"]["range"], on_the_first_line(11, 15), "{selected}");
    // What the server does not do, and what makes no sense, are errors of their own.
    assert_eq!(editor.respond("textDocument/moniker", document.clone())["error"]["code"], -32601);
    assert_eq!(
        editor.respond("textDocument/foldingRange", json!({"textDocument": 3}))["error"]["code"],
        -32602
    );
    assert_eq!(editor.end(), 0);
}

#[test]
fn a_client_that_goes_away_ends_the_server() {
    let project = Project::new("");
    let (editor, _) = Editor::start(&project, json!({}));
    let Editor { mut child, input, .. } = editor;
    drop(input);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn a_client_may_connect_to_an_address_and_a_log_says_what_took_how_long() {
    let project = Project::new(PROGRAM);
    let address = format!("127.0.0.1:{}", dax_tests::peers::free_port());
    let mut server = project
        .command(&["lsp", "--listen", &address, "--log", "server.log"])
        .spawn()
        .expect("dax runs");
    let mut stream = loop {
        match std::net::TcpStream::connect(&address) {
            Ok(stream) => break stream,
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(20)),
        }
    };
    let mut send = |message: Json| {
        let text = message.to_string();
        std::io::Write::write_all(
            &mut stream,
            format!("Content-Length: {}\r\n\r\n{text}", text.len()).as_bytes(),
        )
        .expect("sent");
    };
    send(
        json!({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {"capabilities": {}}}),
    );
    send(json!({"jsonrpc": "2.0", "method": "initialized", "params": {}}));
    let uri =
        format!("file://{}", project.path("main.dax").canonicalize().expect("a file").display());
    let document =
        json!({"uri": uri, "languageId": "dax", "version": 1, "text": "let confidential = 1\n"});
    send(
        json!({"jsonrpc": "2.0", "method": "textDocument/didOpen", "params": {"textDocument": document}}),
    );
    send(
        json!({"jsonrpc": "2.0", "id": 2, "method": "textDocument/hover", "params": {"textDocument": {"uri": uri}, "position": {"line": 0, "character": 5}}}),
    );
    send(json!({"jsonrpc": "2.0", "id": 3, "method": "shutdown"}));
    send(json!({"jsonrpc": "2.0", "method": "exit"}));
    assert_eq!(server.wait().expect("it ends").code(), Some(0));
    let log = std::fs::read_to_string(project.path("server.log")).expect("a log");
    assert!(
        log.contains("ms  textDocument/hover 2")
            && log.contains("ms  textDocument/didOpen")
            && !log.contains("confidential"),
        "{log}"
    );
}
