//! Broken programs: the right code at the right place.

use dax_tests::{Files, cases, check, params};
use std::fmt::Write;

/// The parameters that a fixture's first line asks for: `# dax-test: params name=value`.
fn options(text: &str) -> Vec<(String, String)> {
    let first = text.lines().next().and_then(|line| line.strip_prefix("# dax-test: params "));
    first.unwrap_or("").split_whitespace().filter_map(|pair| pair.split_once('=')).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
}

#[test]
fn every_broken_program_gives_its_codes_at_their_places() {
    let mut failures = Vec::new();
    for (case, folder) in cases("check") {
        let files = Files::read(&folder);
        let main = files.0.get("main.dax").cloned().unwrap_or_default();
        let options = options(&main);
        let given: Vec<(&str, &str)> = options.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
        let mut given = params(&given);
        if main.contains("dax-test: report-missing") {
            given.missing = dax_project::Missing::Report;
        }
        let found = check(&files, &given);
        let mut text = String::new();
        for (name, source) in &files.0 {
            if name != "dax.mod" || folder.join(name).exists() {
                let shown = if source.len() > 2_000 { format!("({} bytes)\n", source.len()) } else { source.clone() };
                let _ = write!(text, "--- {name}\n{shown}");
            }
        }
        let _ = write!(text, "--- found\n{found}");
        if found == "no errors\n" {
            failures.push(case.clone());
        }
        super::compare("check", &case, &text);
    }
    assert!(failures.is_empty(), "these were meant to be broken: {failures:?}");
}

#[test]
fn the_standard_library_is_without_errors() {
    let prelude = Files::project("import local from \"std/local\"\nimport memory from \"std/memory\"\n");
    assert_eq!(check(&prelude, &params(&[])), "no errors\n");
    // As projects of their own their expressions are typed too.
    for path in ["service", "strategy", "local", "memory"] {
        let text = std::fs::read_to_string(dax_tests::root().join(format!("stdlib/std/{path}.dax"))).expect("a module");
        assert_eq!(check(&Files::project(&text), &params(&[])), "no errors\n", "{path}");
    }
}

#[test]
fn every_example_is_without_errors() {
    for entry in std::fs::read_dir(dax_tests::root().join("examples")).expect("examples") {
        let folder = entry.expect("an example").path();
        assert_eq!(check(&Files::read(&folder), &params(&[])), "no errors\n", "{}", folder.display());
    }
}
