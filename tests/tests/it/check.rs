//! Broken programs: the right code at the right place.

use dax_tests::{Files, cases, check, params};
use std::fmt::Write;

/// The parameters that a fixture's first line asks for: `# dax-test: params name=value`.
fn options(text: &str) -> Vec<(String, String)> {
    let first = text.lines().next().and_then(|line| line.strip_prefix("# dax-test: params "));
    first
        .unwrap_or("")
        .split_whitespace()
        .filter_map(|pair| pair.split_once('='))
        .map(|(a, b)| (a.to_owned(), b.to_owned()))
        .collect()
}

/// The areas of the language that have fixtures of their own.
const AREAS: &[&str] = &[
    "check",
    "syntax",
    "names",
    "types",
    "units",
    "phases",
    "secrets",
    "layers",
    "functions",
    "policies",
    "tests",
    "packages",
    "lint",
];

#[test]
fn every_broken_program_gives_its_codes_at_their_places() {
    let mut count = 0;
    for area in AREAS {
        for (case, folder) in cases(area) {
            let files = Files::read(&folder);
            let main = files.0.get("main.dax").cloned().unwrap_or_default();
            let options = options(&main);
            let given: Vec<(&str, &str)> =
                options.iter().map(|(a, b)| (a.as_str(), b.as_str())).collect();
            let mut given = params(&given);
            if main.contains("dax-test: report-missing") {
                given.missing = dax_project::Missing::Report;
            }
            let mut text = String::new();
            for (name, source) in &files.0 {
                if name != "dax.mod" || folder.join(name).exists() {
                    let shown = if source.len() > 2_000 {
                        format!("({} bytes)\n", source.len())
                    } else {
                        source.clone()
                    };
                    let _ = write!(text, "--- {name}\n{shown}");
                }
            }
            let _ = write!(text, "--- found\n{}", found(&files, &given, *area == "lint"));
            super::compare(area, &case, &text);
            count += 1;
        }
    }
    assert!(count >= 250, "the corpus is there: {count}");
}

/// What is found in a program; in a sound one also by plans from nothing, by its tests and, if asked, by lint.
fn found(files: &Files, given: &dax_project::Params, lint: bool) -> String {
    let loaded = dax_tests::load(files);
    let (graph, mut all) = loaded.analyse(given);
    let mut text = String::new();
    if !all.iter().any(|one| one.is_error() && !dax_project::is_policy(one)) {
        for environment in graph.environments.values() {
            all.extend(dax_engine::plan_from_nothing(&loaded.sources, environment).diagnostics);
        }
        if lint {
            all.extend(dax_lint::lint(&loaded, &graph));
        }
        for outcome in dax_engine::run_tests(&loaded, &super::stdlib::request()) {
            match outcome.verdict {
                dax_engine::Verdict::Passed { cases } => {
                    let _ =
                        writeln!(text, "test {:?}: passed, {cases} cases", outcome.title.as_str());
                }
                dax_engine::Verdict::Failed { diagnostics, given } => {
                    let _ =
                        writeln!(text, "test {:?}: failed with {given:?}", outcome.title.as_str());
                    text.push_str(&dax_tests::describe(&loaded.sources, &diagnostics));
                }
            }
        }
    }
    dax_tests::describe(&loaded.sources, &all) + &text
}

#[test]
fn the_standard_library_is_without_errors() {
    let prelude =
        Files::project("import local from \"std/local\"\nimport memory from \"std/memory\"\n");
    assert_eq!(check(&prelude, &params(&[])), "no errors\n");
    // As projects of their own their expressions are typed too.
    for path in dax_stdlib::paths().map(|path| path.trim_start_matches("std/")) {
        let text =
            std::fs::read_to_string(dax_tests::root().join(format!("stdlib/std/{path}.dax")))
                .expect("a module");
        assert_eq!(check(&Files::project(&text), &params(&[])), "no errors\n", "{path}");
    }
}

#[test]
fn every_example_is_without_errors() {
    for entry in std::fs::read_dir(dax_tests::root().join("examples")).expect("examples") {
        let folder = entry.expect("an example").path();
        assert_eq!(
            check(&Files::read(&folder), &params(&[])),
            "no errors\n",
            "{}",
            folder.display()
        );
    }
}

#[test]
fn the_checkout_example_is_planned_and_passes_its_test() {
    let loaded = dax_tests::load(&Files::read(&dax_tests::root().join("examples/checkout")));
    let (graph, found) = loaded.analyse(&params(&[("image_tag", "abc1234")]));
    assert_eq!(dax_tests::describe(&loaded.sources, &found), "no errors\n");
    let planned = dax_engine::plan_from_nothing(&loaded.sources, &graph.environments["production"]);
    assert_eq!(planned.diagnostics, []);
    assert_eq!(planned.changes.len(), 2, "one for each region");
    let outcomes = dax_engine::run_tests(&loaded, &super::stdlib::request());
    assert!(
        matches!(outcomes.as_slice(), [one] if matches!(one.verdict, dax_engine::Verdict::Passed { .. })),
        "{outcomes:?}"
    );
}

#[test]
fn formatting_keeps_the_graph_of_every_program() {
    let mut compared = 0;
    for area in AREAS {
        for (case, folder) in cases(area) {
            let files = Files::read(&folder);
            let mut formatted = files.clone();
            formatted
                .0
                .iter_mut()
                .filter(|(name, _)| name.ends_with(".dax"))
                .for_each(|(_, text)| *text = dax_syntax::format(text));
            let values = |files: &Files| {
                let (graph, found) = dax_tests::load(files).analyse(&params(&[]));
                let services = graph
                    .environments
                    .values()
                    .flat_map(|environment| environment.services.values());
                let values: Vec<String> = services
                    .map(|service| format!("{} {}", service.addr, service.desired.value()))
                    .collect();
                (
                    values,
                    found
                        .iter()
                        .map(|one| one.code.number)
                        .collect::<std::collections::BTreeSet<u16>>(),
                )
            };
            assert_eq!(values(&files), values(&formatted), "{area}/{case}");
            compared += 1;
        }
    }
    assert!(compared > 250, "the programs are there: {compared}");
}
