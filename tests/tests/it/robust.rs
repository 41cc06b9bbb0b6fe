//! No text makes dax panic: prefixes, deletions and noise of everything that is there.

use dax_tests::{Files, cases, check, params, programs, properties, root};

#[test]
fn the_short_way_and_the_grammar_agree_on_every_text_of_the_tests() {
    for area in ["check", "plan", "format"] {
        for (_, folder) in cases(area) {
            Files::read(&folder).0.values().for_each(|text| survives(text));
        }
    }
    corpus().iter().for_each(|text| survives(text));
}

fn corpus() -> Vec<String> {
    let mut texts: Vec<String> = vec![];
    for folder in ["examples/quickstart", "examples/checkout", "stdlib/std"] {
        texts.extend(
            Files::read(&root().join(folder))
                .0
                .into_iter()
                .filter(|(name, _)| name.ends_with(".dax"))
                .map(|(_, text)| text),
        );
    }
    // Every place of a text costs a pass over the text: the long ones hold nothing that the short ones lack.
    texts.retain(|text| text.len() < 2_500);
    texts
}

/// What holds for every text.
fn survives(text: &str) {
    properties::split(text);
    properties::parse(text);
    dax_syntax::format(text);
}

#[test]
fn every_prefix_and_every_deletion_of_every_example_gives_diagnostics_and_no_panic() {
    for text in corpus() {
        for at in (0..text.len()).filter(|at| text.is_char_boundary(*at)) {
            survives(&text[..at]);
            let mut without = text.clone();
            without.remove(at);
            survives(&without);
        }
    }
}

#[test]
fn prefixes_and_deletions_of_the_quickstart_are_analysed_without_panic() {
    let main = std::fs::read_to_string(root().join("examples/quickstart/main.dax"))
        .expect("the quickstart");
    for at in (0..main.len()).step_by(3).filter(|at| main.is_char_boundary(*at)) {
        check(&Files::project(&main[..at]), &params(&[]));
        let mut without = main.clone();
        without.remove(at);
        check(&Files::project(&without), &params(&[]));
    }
}

#[test]
fn noise_at_every_place_of_the_broken_programs_gives_no_panic() {
    for (_, folder) in cases("check") {
        let text = Files::read(&folder).0.remove("main.dax").unwrap_or_default();
        if text.len() > 2_000 {
            continue;
        }
        for at in (0..=text.len()).step_by(3).filter(|at| text.is_char_boundary(*at)) {
            for noise in ["{", "}", "(", "\"", "\"\"\"", "${", "=", "\n", "\\", "é", "\u{0}"] {
                survives(&format!("{}{noise}{}", &text[..at], &text[at..]));
            }
        }
    }
}

#[test]
fn endless_chains_and_nesting_without_brackets_are_refused_and_exhaust_no_stack() {
    for (head, piece) in [
        ("let a = 1", " + 1"),
        ("let a = b", ".b"),
        ("let a = ", "if "),
        ("type T = ", "List<"),
        ("let a = f", "(1)"),
        ("let a = b", "[0]"),
        ("let a = \"", "${\""),
        ("let a = ", "not "),
        ("let a = ", "-"),
    ] {
        for count in [50, 300, 20_000] {
            let text = format!("{head}{}\n", piece.repeat(count));
            survives(&text);
            check(&Files::project(&text), &params(&[]));
        }
    }
}

#[test]
fn unclosed_brackets_cost_linear_time_and_deep_ones_are_refused() {
    for open in ["{", "[", "(", "service a {\n", "\"${", "x = {", "[for x in ["] {
        survives(&open.repeat(80));
        survives(&open.repeat(10_000));
        survives(&format!("let a = {}", open.repeat(5_000)));
    }
}

#[test]
fn programs_made_of_random_bytes_are_evaluated_and_formatting_keeps_their_graph() {
    let mut state = 7_u64;
    let mut sound = 0;
    for _ in 0..400 {
        let mut bytes = Vec::new();
        for _ in 0..120 {
            state = state
                .wrapping_mul(6_364_136_223_846_793_005)
                .wrapping_add(1_442_695_040_888_963_407);
            bytes.push((state >> 33) as u8);
        }
        let text = programs::program(&bytes);
        properties::analyse(&text);
        let loaded = dax_tests::load(&Files::project(&text));
        let (graph, found) = loaded.analyse(&params(&[]));
        sound += usize::from(!dax_core::diagnostic::has_errors(&found));
        let formatted = dax_tests::load(&Files::project(&dax_syntax::format(&text)));
        let (other, _) = formatted.analyse(&params(&[]));
        assert_eq!(values(&graph), values(&other), "formatting changed the meaning of\n{text}");
    }
    assert!(sound > 20, "some of the programs are sound: {sound}");
}

/// What a graph wants, without places.
fn values(graph: &dax_ir::Graph) -> Vec<String> {
    let services =
        graph.environments.values().flat_map(|environment| environment.services.values());
    services
        .map(|service| {
            format!("{} {} {:?}", service.addr, service.desired.value(), service.needs.len())
        })
        .collect()
}

/// Texts that fuzzing found once; each stays.
#[test]
fn what_fuzzing_found_stays_mended() {
    let folder = root().join("tests/fixtures/fuzz");
    let mut count = 0;
    for entry in std::fs::read_dir(folder).expect("the folder of found texts") {
        let bytes = std::fs::read(entry.expect("an entry").path()).expect("a text");
        let text = String::from_utf8_lossy(&bytes);
        properties::split(&text);
        properties::parse(&text);
        properties::format(&text);
        properties::analyse(&text);
        properties::analyse(&programs::program(&bytes));
        count += 1;
    }
    assert!(count >= 3, "the texts are there: {count}");
}
