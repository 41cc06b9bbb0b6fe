//! The pages of docs/diagnostics: each code has one, and what it shows is true.

use dax_tests::{Files, load, params, root};

/// The fenced programs of a page: the words behind the fence, and the text.
fn programs(page: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut rest = page;
    while let Some((_, tail)) = rest.split_once("```dax") {
        let (head, tail) = tail.split_once('\n').unwrap_or((tail, ""));
        let (text, tail) = tail.split_once("```\n").unwrap_or((tail, ""));
        found.push((head.to_owned(), text.to_owned()));
        rest = tail;
    }
    found
}

/// The files of a program: one, or several behind lines of the form `--- name`.
fn files(text: &str) -> Files {
    if !text.starts_with("--- ") {
        return Files::project(text);
    }
    let mut files = Files::project("");
    for part in format!("\n{text}").split("\n--- ").skip(1) {
        let (name, content) = part.split_once('\n').unwrap_or((part, ""));
        files.0.insert(name.to_owned(), format!("{content}\n"));
    }
    files
}

/// Every code that a program leads to, planning and its tests included; what lint finds only where it is asked.
fn codes(text: &str, options: &str, lint: bool) -> Vec<String> {
    let pairs: Vec<(&str, &str)> =
        options.split_whitespace().filter_map(|word| word.split_once('=')).collect();
    let mut given = params(&pairs);
    given.missing = dax_project::Missing::Report;
    let loaded = load(&files(text));
    let (graph, mut found) = loaded.analyse(&given);
    if !dax_core::diagnostic::has_errors(&found) {
        for environment in graph.environments.values() {
            found.extend(dax_engine::plan_from_nothing(&loaded.sources, environment).diagnostics);
            let (nothing, nobody) =
                (std::collections::BTreeMap::new(), std::collections::BTreeMap::new());
            found.extend(dax_tests::plan(&loaded, &given, &environment.name, &nothing, &nobody).1);
        }
        for outcome in dax_engine::run_tests(&loaded, &super::stdlib::request()) {
            if let dax_engine::Verdict::Failed { diagnostics, .. } = outcome.verdict {
                found.extend(diagnostics);
            }
        }
        if lint {
            found.extend(dax_lint::lint(&loaded, &graph));
        }
    }
    let mut codes: Vec<String> = found.iter().map(|d| d.code.to_string()).collect();
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
        assert!(
            page.starts_with(&format!("# {code}: {}\n", code.summary)),
            "{code}: the page has another head"
        );
        for (head, text) in programs(&page) {
            let (kind, options) = head.split_once(" params ").unwrap_or((&head, ""));
            let found = codes(&text, options, code.number / 1000 == 9);
            match kind.trim() {
                // What only a machine with providers can tell is shown by the tests of the command line.
                _ if code.number / 1000 == 7 => {}
                "world" => {}
                "error" if found == [code.to_string()] => {}
                "ok" if found.is_empty() => {}
                other => {
                    wrong.push(format!("{code}: the program marked `{other}` gives {found:?}"))
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_program_of_the_language_page_and_the_tour_is_true_and_formatted() {
    let mut wrong = Vec::new();
    let mut count = 0;
    for name in
        ["docs/language.md", "docs/tour.md", "docs/kubernetes.md", "docs/review.md", "README.md"]
    {
        let page = std::fs::read_to_string(root().join(name)).expect("a page");
        for (head, text) in programs(&page) {
            count += 1;
            let expected: Vec<String> = head
                .trim()
                .strip_prefix("error ")
                .map(|code| vec![code.to_owned()])
                .unwrap_or_default();
            let found = codes(&text, "", false);
            if found != expected {
                wrong.push(format!("{name}: {found:?} instead of {expected:?} in\n{text}"));
            }
            for (file, text) in files(&text).0.iter().filter(|(file, _)| file.ends_with(".dax")) {
                let formatted = dax_syntax::format(text);
                if formatted.trim_end() != text.trim_end() {
                    wrong.push(format!("{name}: {file} is not formatted:\n{formatted}"));
                }
            }
        }
    }
    assert!(count > 20, "the programs are there: {count}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
