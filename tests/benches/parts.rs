//! The parts by themselves: parsing, formatting, analysis, planning, the machine's bookkeeping.

use dax_machine::{Entry, Outcome};
use dax_plan::StepId;
use dax_store::audit::Actor;
use dax_store::{Ending, Holder, Snapshot, Sqlite, Store};
use dax_tests::world::now;
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
    bencher
        .counter(BytesCount::of_str(&text))
        .bench(|| dax_syntax::parse(dax_core::FileId(0), &text));
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

/// What reading a saved plan takes beside parsing it; the aim is less than 50 ms.
#[divan::bench]
fn prove_a_plan_of_1000_services(bencher: Bencher<'_, '_>) {
    let loaded = load(&Files::project(&program(1_000)));
    let (made, _) = plan(&loaded, &params(&[]), "dev", &BTreeMap::new(), &BTreeMap::new());
    assert_eq!(dax_plan::proof::prove(&made), []);
    bencher.bench(|| dax_plan::proof::prove(&made));
}

/// One durable entry of the journal, upon states of different sizes: it must cost the same.
#[divan::bench(args = [10, 1_000, 10_000])]
fn append_with_services_in_the_state(bencher: Bencher<'_, '_>, services: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let (made, _) = plan(
        &load(&Files::project(&program(services))),
        &params(&[]),
        "dev",
        &BTreeMap::new(),
        &BTreeMap::new(),
    );
    let state = Snapshot {
        services: made
            .result
            .iter()
            .filter_map(|(addr, applied)| Some((addr.clone(), applied.clone()?)))
            .collect(),
        ..Snapshot::default()
    };
    let blobs = std::sync::Arc::new(Sqlite::open(&folder.path().join("state.db")).expect("a file"));
    let store = now(Store::open(blobs, None)).expect("a store");
    let holder = Holder { name: "bench".to_owned(), host: "here".to_owned(), pid: 1, started: 1 };
    let mut lease = now(store.acquire("dev", &holder, 0, &|_| true)).expect("a lease");
    let small = plan(
        &load(&Files::project("environment dev {\n}\n")),
        &params(&[]),
        "dev",
        &BTreeMap::new(),
        &BTreeMap::new(),
    )
    .0;
    now(store.begin(&mut lease, &small, Vec::new(), &Actor::default())).expect("a run");
    let outcome = Outcome::Succeeded;
    let ending = Ending {
        outcome: &outcome,
        state: Some(&state),
        name: None,
        complete: Vec::new(),
        verified: false,
        gates: Vec::new(),
        pin: false,
    };
    now(store.finish(&mut lease, &[], ending, &Actor::default())).expect("ended");
    now(store.begin(&mut lease, &small, Vec::new(), &Actor::default())).expect("a run");
    bencher.bench_local(|| {
        now(store.append(&mut lease, &[Entry::Done { step: StepId(0) }])).expect("written")
    });
}
