//! The standard library: its functions do what their examples say.

use dax_engine::{TestRequest, Verdict};
use dax_syntax::ast::ItemKind;
use dax_tests::{Files, load};
use std::collections::BTreeMap;

/// A run of tests as it is the same every time.
pub(crate) fn request() -> TestRequest {
    TestRequest {
        filter: String::new(),
        values: BTreeMap::new(),
        cases: 50,
        seed: 1,
        now: "2026-11-20T12:00:00Z".into(),
    }
}

#[test]
fn every_function_has_examples_that_hold() {
    let mut program = String::new();
    let mut lacking = Vec::new();
    let mut examples = 0;
    for path in dax_stdlib::paths() {
        let text = dax_stdlib::module(path).expect("it is listed");
        let (file, _) = dax_syntax::parse(dax_core::FileId(0), text);
        for item in &file.items {
            let ItemKind::Fn(function) = &item.kind else { continue };
            let doc = item.doc.as_deref().unwrap_or("");
            let lines: Vec<&str> =
                doc.lines().filter_map(|line| line.strip_prefix("    ")).collect();
            if lines.is_empty() {
                lacking.push(format!("{path}: {}", function.name.name));
            }
            for (at, line) in lines.iter().enumerate() {
                examples += 1;
                program.push_str(&format!(
                    "test \"{path} {} {at}\" {{ assert {line} }}\n",
                    function.name.name
                ));
            }
        }
    }
    assert_eq!(lacking, Vec::<String>::new(), "functions without an example");
    assert!(examples > 90, "the examples are read: {examples}");
    let loaded = load(&Files::project(&program));
    let (_, diagnostics) = loaded.analyse(&dax_tests::params(&[]));
    assert!(diagnostics.is_empty(), "{}", dax_tests::describe(&loaded.sources, &diagnostics));
    let mut wrong = Vec::new();
    for outcome in dax_engine::run_tests(&loaded, &request()) {
        if let Verdict::Failed { diagnostics, .. } = outcome.verdict {
            wrong.push(format!(
                "{}\n{}",
                outcome.title,
                dax_tests::describe(&loaded.sources, &diagnostics)
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
