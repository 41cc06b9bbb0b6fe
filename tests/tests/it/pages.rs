//! The pages of docs/diagnostics: each code has one, and what it shows is true.

use dax_tests::{Files, load, params, plan, root};
use std::collections::BTreeMap;

/// The fenced programs of a page: the words behind the fence, and the text.
fn programs(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, tail)) = rest.split_once("```dax ") {
        let (head, tail) = tail.split_once('\n').unwrap_or((tail, ""));
        let (text, tail) = tail.split_once("```\n").unwrap_or((tail, ""));
        found.push((head.to_owned(), text.to_owned()));
        rest = tail;
    }
    found
}

/// Every code that a program leads to, planning included.
fn codes(text: &str, options: &str) -> Vec<String> {
    let pairs: Vec<(&str, &str)> = options.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let mut given = params(&pairs);
    given.missing = dax_project::Missing::Report;
    let loaded = load(&Files::project(text));
    let (graph, diagnostics) = loaded.analyse(&given);
    let mut codes: Vec<String> = diagnostics.iter().map(|d| d.code.to_string()).collect();
    for name in graph.environments.keys() {
        let (_, diagnostics) = plan(&loaded, &given, name, &BTreeMap::new(), &BTreeMap::new());
        codes.extend(diagnostics.iter().map(|d| d.code.to_string()));
    }
    codes.sort();
    codes.dedup();
    codes
}

#[test]
fn every_code_has_a_page_whose_programs_are_true() {
    let mut wrong = Vec::new();
    for code in dax_engine::codes() {
        let path = root().join(format!("docs/diagnostics/{code}.md"));
        let page = std::fs::read_to_string(&path).unwrap_or_else(|_| panic!("{code} has no page"));
        assert!(page.starts_with(&format!("# {code}: {}\n", code.summary)), "{code}: the page has another head");
        for (head, text) in programs(&page) {
            let (kind, options) = head.split_once(" params ").unwrap_or((&head, ""));
            let found = codes(&text, options);
            match kind.trim() {
                // What only a machine with providers can tell is shown by the tests of the command line.
                _ if code.number / 1000 == 7 => {}
                "error" if found == [code.to_string()] => {}
                "ok" if found.is_empty() => {}
                other => wrong.push(format!("{code}: the program marked `{other}` gives {found:?}")),
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
