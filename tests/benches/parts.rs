//! The parts by themselves: parsing, formatting, analysis, planning, the machine's bookkeeping.

use dax_tests::{Files, load, params, plan};
use divan::Bencher;
use divan::counter::BytesCount;
use std::collections::BTreeMap;
use std::fmt::Write;

fn main() {
    divan::main();
}

/// A program of `count` services in one environment.
fn program(count: usize) -> String {
    let mut text = "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n\n".to_owned();
    for i in 0..count {
        let _ = write!(
            text,
            "service svc{i} {{\n  image    = \"registry.example.com/svc{i}:1.0.0\"\n  replicas = default 2\n  cpu      = 250mcpu\n  ports    = {{ http: {} }}\n  env      = {{ LOG_LEVEL: default \"info\", NAME: \"svc{i}\" }}\n  health http \"/healthz\" {{ every = 10s }}\n}}\n\n",
            8000 + i
        );
    }
    text.push_str("environment dev {\n");
    for i in 0..count {
        let _ = writeln!(text, "  bind svc{i} to memory.world");
    }
    text.push_str("}\n");
    text
}

#[divan::bench]
fn parse_to_the_typed_tree(bencher: Bencher<'_, '_>) {
    let text = program(1_000);
    bencher.counter(BytesCount::of_str(&text)).bench(|| dax_syntax::parse(dax_core::FileId(0), &text));
}

#[divan::bench]
fn format(bencher: Bencher<'_, '_>) {
    let text = program(1_000);
    bencher.counter(BytesCount::of_str(&text)).bench(|| dax_syntax::format(&text));
}

#[divan::bench]
fn analyse_1000_services(bencher: Bencher<'_, '_>) {
    let loaded = load(&Files::project(&program(1_000)));
    bencher.bench(|| loaded.analyse(&params(&[])));
}

#[divan::bench]
fn plan_1000_services_from_nothing(bencher: Bencher<'_, '_>) {
    let loaded = load(&Files::project(&program(1_000)));
    bencher.bench(|| plan(&loaded, &params(&[]), "dev", &BTreeMap::new(), &BTreeMap::new()));
}
