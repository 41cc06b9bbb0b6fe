//! Formatting keeps the meaning, settles on one form, and leaves what it cannot read.

use dax_tests::properties::shape;
use dax_tests::{Files, cases, root};

#[test]
fn formatting_twice_is_formatting_once_and_keeps_the_tree() {
    let mut texts: Vec<(String, String)> = Vec::new();
    for area in ["check", "plan", "format"] {
        for (case, folder) in cases(area) {
            texts.extend(
                Files::read(&folder)
                    .0
                    .into_iter()
                    .map(|(name, text)| (format!("{area}/{case}/{name}"), text)),
            );
        }
    }
    for module in dax_tests_modules() {
        texts.push(module);
    }
    assert!(texts.len() > 60, "the corpus is there");
    for (name, text) in texts {
        let once = dax_syntax::format(&text);
        assert_eq!(dax_syntax::format(&once), once, "{name} is not settled");
        assert_eq!(shape(&once), shape(&text), "{name} changed its meaning");
    }
}

fn dax_tests_modules() -> Vec<(String, String)> {
    let files = Files::read(&root().join("stdlib/std"));
    let examples = Files::read(&root().join("examples"));
    let ours = |(name, _): &(String, String)| name.ends_with(".dax") || name.ends_with("dax.mod");
    files.0.into_iter().chain(examples.0).filter(ours).collect()
}

#[test]
fn the_examples_and_the_standard_library_are_formatted() {
    for (name, text) in dax_tests_modules() {
        assert_eq!(dax_syntax::format(&text), text, "{name}");
    }
}

#[test]
fn format_fixtures() {
    for (case, folder) in cases("format") {
        let files = Files::read(&folder);
        let text = files.0.get("main.dax").cloned().unwrap_or_default();
        super::compare("format", &case, &dax_syntax::format(&text));
    }
}
