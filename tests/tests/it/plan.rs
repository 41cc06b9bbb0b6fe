//! Plans of whole projects, as a reviewer reads them.

use dax_model::Operation;
use dax_plan::{Plan, Task, digest, invariants};
use dax_render::{Flavour, Standing};
use dax_tests::plans::{Applied, Live, after, two_worlds};
use dax_tests::{Files, cases, load, params, plan, root};
use std::collections::BTreeMap;

/// Plans of a project of the fixtures: from nothing, and upon that.
fn two_plans(files: &Files) -> (Plan, Plan) {
    let (first, second) = two_worlds(files);
    (first.plan, second.plan)
}

#[test]
fn plan_fixtures() {
    for (case, folder) in cases("plan") {
        let (_, second) = two_plans(&Files::read(&folder));
        let text = dax_render::terminal(&dax_render::plan(&second, &Standing::default()), false);
        super::compare("plan", &case, &text);
    }
}

#[test]
fn the_same_inputs_give_the_same_bytes_and_another_input_another_digest() {
    let files = Files::read(&root().join("examples/quickstart"));
    let make = |version: &str| {
        plan(
            &load(&files),
            &params(&[("version", version)]),
            "production",
            &Applied::new(),
            &Live::new(),
        )
        .0
    };
    assert_eq!(dax_render::json(&make("1")), dax_render::json(&make("1")));
    assert_ne!(digest::digest(&make("1")), digest::digest(&make("2")));
}

#[test]
fn drift_is_named_with_what_is_live_and_only_where_it_touches_an_owned_leaf() {
    let loaded = load(&Files::read(&root().join("examples/quickstart")));
    let given = params(&[]);
    let (first, _) = plan(&loaded, &given, "production", &Applied::new(), &Live::new());
    let (applied, mut live) = after(&first, &Applied::new(), &Live::new());
    let web =
        live.get_mut("local.machine").and_then(|objects| objects.get_mut("web")).expect("web runs");
    let id = web.active().expect("a revision").clone();
    let revision = web.revisions.get_mut(&id).expect("it is there");
    revision.replicas = 1;
    revision.ready = 1;
    let (second, _) = plan(&loaded, &given, "production", &applied, &live);
    let text = dax_render::terminal(&dax_render::plan(&second, &Standing::default()), false);
    super::compare("plan", "drifted_replicas", &text);
    live.get_mut("local.machine").and_then(|objects| objects.remove("web")).expect("web runs");
    let (third, _) = plan(&loaded, &given, "production", &applied, &live);
    assert_eq!(third.changes.len(), 1);
    assert_eq!(third.changes[0].reason, dax_plan::model::Reason::Lost);
}

#[test]
fn a_plan_that_breaks_a_promise_is_found_out() {
    let files = Files::read(&root().join("examples/quickstart"));
    let (sound, _) = plan(&load(&files), &params(&[]), "production", &Applied::new(), &Live::new());
    assert_eq!(invariants::prove(&sound), []);
    let broken_by = |change: &dyn Fn(&mut Plan)| {
        let mut plan = sound.clone();
        change(&mut plan);
        invariants::prove(&plan)
            .into_iter()
            .map(|broken| format!("{:?}", broken.promise))
            .next()
            .unwrap_or_default()
    };
    let shift = sound
        .steps
        .iter()
        .position(|s| matches!(s.task, Task::Call(Operation::ShiftTraffic { .. })))
        .expect("a shift");
    let halved = broken_by(&|plan| {
        if let Task::Call(Operation::ShiftTraffic { traffic }) = &mut plan.steps[shift].task {
            traffic.values_mut().for_each(|share| *share /= 2);
        }
    });
    assert_eq!(halved, "WholeTraffic(5000)");
    let unproved = broken_by(&|plan| plan.steps[shift - 1].task = Task::Hold { ms: 1 });
    assert!(unproved.starts_with("ReadyBeforeTraffic"), "{unproved}");
    assert_eq!(broken_by(&|plan| plan.steps[shift].inverse.operations.clear()), "Inverse");
    assert_eq!(broken_by(&|plan| plan.steps[0].after = vec![dax_plan::StepId(3)]), "Order");
}

#[test]
fn a_service_that_nobody_answers_for_can_be_mended() {
    let project = |version: &str, drain: &str| {
        let head = format!(
            "import local from \"std/local\"\n\nprovider local.machine {{\n  drain = {drain}\n}}\n\n"
        );
        let service = format!(
            "service web {{\n  command = [\"web\", \"{version}\"]\n  ports = {{ http: 8400 }}\n}}\n\n"
        );
        Files::project(&format!(
            "{head}{service}environment dev {{\n  bind web to local.machine\n}}\n"
        ))
    };
    let (first, _) =
        plan(&load(&project("1", "1s")), &params(&[]), "dev", &Applied::new(), &Live::new());
    let (applied, mut live) = after(&first, &Applied::new(), &Live::new());
    let services = live.values_mut().flat_map(BTreeMap::values_mut);
    services
        .flat_map(|service| service.revisions.values_mut())
        .for_each(|revision| revision.ready = 0);
    let (second, problems) = plan(&load(&project("2", "2s")), &params(&[]), "dev", &applied, &live);
    assert!(problems.is_empty(), "{problems:?}");
    assert!(
        matches!(second.steps[0].task, Task::Call(Operation::UpdateService { .. })),
        "{:?}",
        second.steps[0].task
    );
}

#[test]
fn hostile_names_reach_no_target_as_they_are() {
    let text = "import local from \"std/local\"\nprovider local.machine { }\nservice web {\n  command = [\"x\", \"\\n```\\n</details> @team \u{202e}evil\\u\"]\n}\nenvironment dev {\n  bind web to local.machine\n}\n"
        .replace("\\u\"", "\"");
    let (made, _) =
        plan(&load(&Files::project(&text)), &params(&[]), "dev", &Applied::new(), &Live::new());
    let blocks = dax_render::plan(&made, &Standing::default());
    let terminal = dax_render::terminal(&blocks, false);
    assert!(!terminal.contains('\u{202e}'), "the reading order is turned");
    let markdown = dax_render::markdown(&blocks, Flavour::GitHub, 60_000);
    let fence =
        markdown.lines().find(|line| line.ends_with("diff") && line.contains("````")).is_some();
    assert!(fence, "the fence is longer than the backticks inside: {markdown}");
    assert!(!dax_render::html("t", &blocks).contains("</details> @team"));
    assert!(!markdown.contains("</details> @team") || fence, "what is not in a fence is escaped");
}
