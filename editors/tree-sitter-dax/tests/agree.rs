//! The grammar for editors and the grammar of record: what one reads, the other reads, and both call it the same.

use dax_ide::tokens::{TYPES, tokens};
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use tree_sitter::{Parser, Query, QueryCursor, StreamingIterator, Tree};

fn parse(text: &str) -> Tree {
    let mut parser = Parser::new();
    parser.set_language(&tree_sitter_dax::LANGUAGE.into()).expect("the language");
    parser.parse(text, None).expect("a tree")
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            files(&path, into);
        } else if path.extension().is_some_and(|ending| ending == "dax") {
            into.push(path);
        }
    }
    into.sort();
}

/// Every sound program of the project.
fn programs() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut paths = Vec::new();
    for folder in ["stdlib", "examples", "tests/fixtures", "cli/tests/editor"] {
        files(&root.join(folder), &mut paths);
    }
    let texts = paths
        .into_iter()
        .filter_map(|path| Some((path.clone(), std::fs::read_to_string(path).ok()?)));
    let sound = |text: &str| dax_syntax::parse(dax_core::FileId::default(), text).1.is_empty();
    // A word of the language as a name has a form; that it is no name is found out later.
    let all: Vec<_> = texts
        .filter(|(path, text)| sound(text) && !path.ends_with("keyword_as_name_of_let/main.dax"))
        .collect();
    assert!(all.len() > 300, "{}", all.len());
    all
}

#[test]
fn every_sound_program_is_read_without_an_error() {
    let wrong: Vec<String> = programs()
        .into_iter()
        .filter(|(_, text)| parse(text).root_node().has_error())
        .map(|(path, text)| format!("{}\n{}", path.display(), parse(&text).root_node().to_sexp()))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What the queries call each byte: the last pattern that matches counts, as it does in editors.
fn colours(text: &str) -> Vec<Option<String>> {
    let language = tree_sitter_dax::LANGUAGE.into();
    let query = Query::new(&language, tree_sitter_dax::HIGHLIGHTS).expect("a query");
    let tree = parse(text);
    let mut cursor = QueryCursor::new();
    let mut found: Vec<(usize, std::ops::Range<usize>, String)> = Vec::new();
    let mut matches = cursor.matches(&query, tree.root_node(), text.as_bytes());
    while let Some(one) = matches.next() {
        for capture in one.captures() {
            let name = query.capture_names()[capture.index as usize].to_owned();
            found.push((one.pattern_index, capture.node.byte_range(), name));
        }
    }
    // What is inside of something else counts there, and of two of one size the later pattern.
    found.sort_by_key(|(pattern, range, _)| (std::cmp::Reverse(range.len()), *pattern));
    let mut colours = vec![None; text.len()];
    for (_, range, name) in found {
        colours[range].fill(Some(name));
    }
    colours
}

/// The name of a colour for each kind of piece.
fn capture(kind: &str) -> &'static str {
    match kind {
        "comment" => "comment",
        "keyword" => "keyword",
        "modifier" => "keyword.modifier",
        "string" => "string",
        "number" => "number",
        "operator" => "operator",
        "type" => "type",
        "property" => "property",
        "function" => "function",
        "parameter" => "variable.parameter",
        "macro" => "function.macro",
        _ => "variable",
    }
}

#[test]
fn both_grammars_give_the_pieces_of_every_program_the_same_colours() {
    let mut wrong: BTreeMap<String, String> = BTreeMap::new();
    let mut compared = 0;
    for (path, text) in programs() {
        let colours = colours(&text);
        for token in tokens(&text) {
            let have = colours[token.range.start].as_deref().unwrap_or("nothing");
            let kind = TYPES[token.kind];
            // The server knows which names are modules; a grammar does not. A text may begin with what is escaped.
            let same = match kind {
                "namespace" => ["module", "variable"].contains(&have),
                "string" => ["string", "string.escape", "punctuation.special"].contains(&have),
                "comment" => have.starts_with("comment"),
                kind => have == capture(kind),
            };
            compared += 1;
            if !same {
                let line = text[..token.range.start].matches('\n').count() + 1;
                let place = format!("{}:{line} {:?}", path.display(), &text[token.range.clone()]);
                wrong.entry(format!("{kind} is {have}")).or_insert(place);
            }
        }
    }
    assert!(compared > 10_000, "{compared}");
    let mut shown = String::new();
    wrong.iter().for_each(|(what, place)| writeln!(shown, "{what}: {place}").expect("a text"));
    assert!(wrong.is_empty(), "{shown}");
}

#[test]
fn the_other_queries_name_nodes_that_there_are() {
    let language = tree_sitter_dax::LANGUAGE.into();
    for query in [
        tree_sitter_dax::FOLDS,
        tree_sitter_dax::INJECTIONS,
        tree_sitter_dax::LOCALS,
        tree_sitter_dax::INDENTS,
    ] {
        let query = Query::new(&language, query).expect("a query");
        assert!(query.pattern_count() > 0);
    }
}

/// The corpus: titles, programs and their trees, as `tree-sitter test` has them.
#[test]
fn the_trees_of_the_corpus_are_as_they_were() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("test/corpus");
    let rule = "=".repeat(30);
    let mut seen = 0;
    for entry in std::fs::read_dir(folder).expect("a corpus") {
        let path = entry.expect("a file").path();
        let corpus = std::fs::read_to_string(&path).expect("a text");
        let mut now = String::new();
        let line = format!("{rule}\n");
        let mut parts = corpus.split(&line).skip(1);
        while let (Some(title), Some(rest)) = (parts.next(), parts.next()) {
            let (program, _) =
                rest.split_once("\n---\n").expect("a rule between a program and its tree");
            let tree = parse(&format!("{}\n", program.trim_matches('\n')));
            let _ = write!(
                now,
                "{rule}\n{title}{rule}\n\n{}\n\n---\n\n{}\n\n",
                program.trim_matches('\n'),
                indented(&tree.root_node().to_sexp())
            );
            seen += 1;
        }
        let now = now.trim_end().to_owned() + "\n";
        if std::env::var_os("UPDATE_FIXTURES").is_some() {
            std::fs::write(&path, now).expect("written");
        } else {
            let diff = similar::TextDiff::from_lines(&corpus, &now).unified_diff().to_string();
            assert!(diff.is_empty(), "{}\n{diff}", path.display());
        }
    }
    assert!(seen > 5, "{seen}");
}

/// A tree with each node on a line of its own.
fn indented(tree: &str) -> String {
    let (mut out, mut depth, mut chars) = (String::new(), 0_usize, tree.chars().peekable());
    while let Some(c) = chars.next() {
        match c {
            '(' => {
                depth += 1;
                out.push(c);
            }
            ')' => {
                depth = depth.saturating_sub(1);
                out.push(c);
            }
            ' ' if chars.peek() != Some(&'(') || !out.ends_with(':') => {
                let _ = write!(out, "\n{}", "  ".repeat(depth));
            }
            other => out.push(other),
        }
    }
    out
}

/// The parser is what `grammar.js` makes; Node.js reads it.
#[test]
fn the_parser_is_what_the_grammar_makes() {
    let Some(folder) = dax_tests::peers::node() else { return };
    let node = folder.join("node").display().to_string();
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let fresh = tempfile::tempdir().expect("a folder");
    let update = std::env::var_os("UPDATE_FIXTURES").is_some();
    let out = if update { root.join("src") } else { fresh.path().to_owned() };
    let optimise = tree_sitter_generate::OptLevel::default();
    let grammar = Some(root.join("grammar.js"));
    tree_sitter_generate::generate_parser_in_directory(
        root,
        Some(out),
        grammar,
        14,
        None,
        Some(&node),
        true,
        optimise,
        &mut Vec::new(),
    )
    .expect("a parser");
    if update {
        return;
    }
    for name in ["grammar.json", "node-types.json", "parser.c", "tree_sitter/parser.h"] {
        let read = |folder: &Path| std::fs::read_to_string(folder.join(name)).unwrap_or_default();
        assert!(
            !read(fresh.path()).is_empty() && read(fresh.path()) == read(&root.join("src")),
            "{name} is old: UPDATE_FIXTURES=1 makes it anew"
        );
    }
}
