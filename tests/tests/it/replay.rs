//! Journals that former versions wrote, carried on by this one.
//!
//! Each file of the corpus holds a plan, the live objects when its process died, and the journal as far as it had
//! come. `DAX_CORPUS=1` writes files for the format of today; those of former formats are never written again.

use dax_apply::operations;
use dax_core::Name;
use dax_machine::Machine;
use dax_machine::journal::{Entry, Outcome};
use dax_model::LiveService;
use dax_plan::Plan;
use dax_provider_testkit::Memory;
use dax_tests::kill::{Case, corpus};
use dax_tests::root;
use dax_tests::world::{Crash, End, Sim};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Serialize, Deserialize)]
struct File {
    /// The format of the state that the journal is from.
    format_version: u32,
    plan: Plan,
    live: BTreeMap<Name, BTreeMap<Name, LiveService>>,
    journal: Vec<Entry>,
}

fn folder() -> std::path::PathBuf {
    root().join("tests/journals")
}

/// Where the processes of the corpus died: a step under way, a rollback under way, people who are waited for.
fn write() {
    let cases = corpus();
    let find = |name: &str| cases.iter().find(|case| case.name == name).expect("a case");
    let wanted: [(&str, &str, Option<usize>, Crash); 7] = [
        ("canary_half_way", "canary_with_analysis, changed", None, Crash::AfterCall(5)),
        ("canary_watching", "canary_with_analysis, changed", None, Crash::AfterWrite(7)),
        ("canary_going_back", "canary_with_analysis, changed", Some(6), Crash::AfterWrite(14)),
        (
            "routes_and_a_gate",
            "canary_with_routes_and_a_gate, changed",
            None,
            Crash::AfterWrite(13),
        ),
        (
            "migration_going_back",
            "migration_with_a_way_back, changed",
            Some(2),
            Crash::AfterWrite(6),
        ),
        (
            "replaced_on_the_way",
            "replaced_on_another_provider, changed",
            None,
            Crash::BeforeCall(5),
        ),
        ("held", "conditions_of_an_environment, changed", Some(1), Crash::Never),
    ];
    for (name, case, fault, crash) in wanted {
        let case: &Case = find(case);
        let mut sim = case.sim();
        if let Some(call) = fault {
            case.fail(&sim, call, dax_provider_testkit::Fault::Refused);
        }
        let ended = sim.process(crash);
        assert!(
            ended == End::Crashed || matches!(ended, End::Finished(Outcome::Held { .. })),
            "{name}: {ended:?}"
        );
        let file = File {
            format_version: dax_store::FORMAT,
            plan: case.plan().clone(),
            live: sim.live(),
            journal: sim.journal(),
        };
        let text = serde_json::to_string_pretty(&file).expect("JSON");
        std::fs::write(folder().join(format!("{name}.{}.json", dax_store::FORMAT)), text + "\n")
            .expect("written");
    }
}

#[test]
fn journals_of_every_format_are_carried_on_to_a_right_end() {
    if std::env::var_os("DAX_CORPUS").is_some() {
        std::fs::create_dir_all(folder()).expect("a folder");
        write();
    }
    let mut said = String::new();
    let mut files: Vec<_> = std::fs::read_dir(folder())
        .expect("a corpus")
        .map(|entry| entry.expect("an entry").path())
        .collect();
    files.sort();
    for path in &files {
        let name =
            path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let file: File = serde_json::from_str(&std::fs::read_to_string(path).expect("a text"))
            .unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(file.format_version <= dax_store::FORMAT);
        let machine = Machine::new(std::sync::Arc::new(file.plan.clone()), &file.journal);
        let statuses: Vec<String> =
            file.plan.steps.iter().map(|step| format!("{:?}", machine.status(step.id))).collect();
        // The world as it was, and the run carried on in it.
        let mut platforms: BTreeMap<Name, Memory> =
            file.plan.steps.iter().map(|step| (step.provider.clone(), Memory::default())).collect();
        for (provider, services) in &file.live {
            let memory = platforms.entry(provider.clone()).or_default();
            services.iter().for_each(|(object, service)| {
                memory.put(&file.plan.environment, object, service.clone())
            });
        }
        let mut sim = Sim::new(file.plan.clone(), platforms);
        sim.approvers = Some(vec!["ann".into()]);
        let outcome = sim.carry_on(&file.journal);
        // Every step is one that this version can carry out.
        let specs = operations::Specs::of(&file.plan);
        let calls = file.plan.steps.iter().filter(|step| {
            let fence = dax_provider_api::Fence::default();
            operations::call(&file.plan, &specs, 1, fence, step.id, dax_machine::Which::Do)
                .is_some()
        });
        said.push_str(&format!(
            "{name}: {} calls, {}\n  {}\n",
            calls.count(),
            outcome.word(),
            statuses.join(" ")
        ));
    }
    assert!(files.len() >= 7, "the corpus is there");
    super::compare("journals", "corpus", &said);
}
