//! Saved plans that somebody has written or changed, and runs whose plan cannot be trusted.

use crate::project::{Project, wait_until};
use dax_model::Operation;
use dax_plan::Task;
use dax_tests::plans::{force_run, forge};
use serde_json::{Value, json};
use std::path::Path;

const PROGRAM: &str = "
import memory from \"std/memory\"

param version: string = \"1\"

provider memory.world {
}

service web {
  image    = \"web:${version}\"
  replicas = 2
}

environment dev {
  bind web to memory.world
}
";

const SAVED: &str = "saved.plan";

/// A project with a plan that brings version 2 where version 1 runs.
fn project() -> Project {
    let project = Project::new(PROGRAM);
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    save(&project);
    project
}

fn save(project: &Project) {
    project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "-o", SAVED]);
}

/// The first step of a kind.
fn step(plan: &mut Value, kind: &str) -> usize {
    let steps = plan["steps"].as_array().expect("steps");
    let is_it = |step: &Value| step["task"]["call"].get(kind).is_some();
    steps.iter().position(is_it).expect(kind)
}

/// Edits of a plan with the field that must be named; each is given a new digest.
type Edit = (&'static str, &'static str, fn(&mut Value));

const EDITS: &[Edit] = &[
    ("another command", "steps[0].task.revision", |plan| {
        let at = step(plan, "create_revision");
        plan["steps"][at]["task"]["call"]["create_revision"]["spec"]["map"]["image"] =
            json!({"str": "evil:1"});
    }),
    ("another command with its name", "steps[0].task.revision", |plan| {
        let text = plan.to_string();
        let made = plan["steps"][0]["task"]["call"]["create_revision"].clone();
        let mut spec: dax_core::Value =
            serde_json::from_value(made["spec"].clone()).expect("a spec");
        if let dax_core::Value::Map(map) = &mut spec {
            map.insert("image".into(), dax_core::Value::str("evil:1"));
        }
        let (old, new) =
            (made["revision"].as_str().expect("a name"), dax_core::RevisionId::of(&spec));
        let renamed = text.replace(old, &new.0);
        *plan = serde_json::from_str(&renamed).expect("JSON");
        plan["steps"][0]["task"]["call"]["create_revision"]["spec"] = json!(spec);
        plan["result"]["service.web"]["revision"] = json!(old);
    }),
    ("no way back", "steps[0].inverse.operations", |plan| {
        plan["steps"][0]["inverse"]["operations"] = json!([]);
    }),
    ("another way back", "inverse.operations", |plan| {
        let at = step(plan, "scale");
        plan["steps"][at]["inverse"]["operations"][0]["scale"]["replicas"] = json!(0);
    }),
    ("traffic before readiness", "steps[1].", |plan| {
        plan["steps"][1]["task"] = json!({"hold": {"ms": 1}});
    }),
    ("a circle", "steps[0].after", |plan| plan["steps"][0]["after"] = json!([2])),
    ("a step that there is not", "steps[1].after", |plan| plan["steps"][1]["after"] = json!([999])),
    ("another number", "steps[0].id", |plan| plan["steps"][0]["id"] = json!(999)),
    ("replicas without an end", "replicas", |plan| {
        plan["steps"][0]["task"]["call"]["create_revision"]["replicas"] = json!(i64::MAX);
    }),
    ("replicas wanted without an end", "result.service.web.values.replicas", |plan| {
        plan["result"]["service.web"]["values"]["map"]["replicas"] = json!({"int": i64::MAX});
    }),
    ("a hidden leaf", "steps[0].cause", |plan| plan["changes"][0]["leaves"] = json!([])),
    ("a hidden leaf with its cause", "changes[0].leaves", |plan| {
        plan["changes"][0]["leaves"] = json!([]);
        plan["steps"][0]["cause"] = json!([]);
    }),
    ("another leaf", "changes[0].leaves[0].after", |plan| {
        plan["changes"][0]["leaves"][0]["after"] = json!({"str": "web:3"});
    }),
    ("no risk", "changes[0].risks", |plan| plan["changes"][0]["risks"] = json!([])),
    ("another object", "steps[0].object", |plan| plan["steps"][0]["object"] = json!("../../etc")),
    ("another provider", "observed", |plan| plan["steps"][0]["provider"] = json!("memory.other")),
    ("a way around the gates", "plan.mode", |plan| plan["mode"] = json!("rollback")),
    ("a shorter time", "timeout_ms", |plan| plan["steps"][1]["timeout_ms"] = json!(1)),
    ("more calls", "estimate", |plan| plan["estimate"]["calls"] = json!(1)),
    ("another place", "environment", |plan| plan["environment"] = json!("../dev")),
];

fn edited(project: &Project, edit: fn(&mut Value)) {
    save(project);
    forge(&project.path(SAVED), edit);
}

#[test]
fn a_plan_that_was_changed_and_digested_anew_is_refused_with_the_field_by_whoever_reads_it() {
    let project = project();
    for (what, field, edit) in EDITS {
        edited(&project, *edit);
        for args in [
            &["apply", SAVED, "--auto-approve"][..],
            &["show", SAVED],
            &["diff", SAVED, SAVED],
            &["approve", SAVED, "-e", "dev", "--reason", "x"],
        ] {
            let said = project.expect(1, args);
            assert!(said.err.contains(field), "{what}, dax {args:?}: {}", said.err);
            assert!(!said.err.contains("panic"), "{what}: {}", said.err);
        }
    }
    project.expect(0, &["status"]);
    assert!(project.expect(0, &["state", "show", "web", "-e", "dev"]).out.contains("web:1"));
    save(&project);
    project.expect(0, &["apply", SAVED, "--auto-approve"]);
    assert!(project.expect(0, &["state", "show", "web", "-e", "dev"]).out.contains("web:2"));
}

#[test]
fn a_plan_of_another_project_is_refused() {
    let project = project();
    edited(&project, |plan| plan["project"] = json!("other"));
    let said = project.expect(1, &["apply", SAVED, "--auto-approve"]);
    assert!(said.err.contains("of the project `other`"), "{}", said.err);
}

#[test]
fn a_sound_plan_of_another_program_needs_somebody_who_has_read_it() {
    let project = project();
    project.write(&PROGRAM.replace("web:${version}", "evil:${version}"));
    save(&project);
    project.write(PROGRAM);
    let said = project.expect(4, &["apply", SAVED, "--auto-approve"]);
    assert!(
        said.err.contains("its files have changed since") && said.err.contains("--expect"),
        "{}",
        said.err
    );
    // Whoever writes such a plan can also say that it is of this program.
    let honest = project.path("honest.plan");
    project.expect(
        0,
        &["plan", "-e", "dev", "-p", "version=2", "-o", honest.to_str().expect("a path")],
    );
    let read = |path: &Path| -> Value {
        serde_json::from_slice(&std::fs::read(path).expect("a plan")).expect("JSON")
    };
    let sources = read(&honest)["plan"]["sources"].clone();
    forge(&project.path(SAVED), |plan| plan["sources"] = sources);
    let said = project.expect(4, &["apply", SAVED, "--auto-approve"]);
    assert!(said.err.contains("`changes[0]` differs"), "{}", said.err);
    let digest = read(&project.path(SAVED))["digest"].as_str().expect("a digest").to_owned();
    project.expect(4, &["apply", SAVED, "--auto-approve", "--expect", &digest[..4]]);
    project.expect(4, &["apply", SAVED, "--auto-approve", "--expect", &"0".repeat(64)]);
    project.expect(0, &["apply", SAVED, "--auto-approve", "--expect", &digest]);
    assert!(project.expect(0, &["state", "show", "web", "-e", "dev"]).out.contains("evil:2"));
}

#[test]
fn a_plan_reaches_no_provider_that_the_program_does_not_name_so() {
    let project = project();
    edited(&project, |plan| {
        plan["providers"] =
            json!({"memory.world": {"map": {"endpoint": {"str": "http://127.0.0.1:9"}}}});
    });
    let said = project.expect(4, &["apply", SAVED, "--auto-approve"]);
    assert!(said.err.contains("`providers.memory.world` differs"), "{}", said.err);
}

const THREE: &str = "
import memory from \"std/memory\"

provider memory.world {
}

service api {
  image = \"api:1\"
}

service web {
  image = \"web:1\"
  needs = [api]
}

service lone {
  image = \"lone:1\"
}

environment dev {
  bind [api, web, lone] to memory.world
}
";

#[test]
fn a_plan_has_the_order_and_the_services_of_the_program_and_says_what_it_leaves_out() {
    let project = Project::new(THREE);
    let save = |args: &[&str]| {
        project.expect(0, &[&["plan", "-e", "dev", "-o", SAVED], args].concat());
    };
    let refused = |field: &str, edit: &dyn Fn(&mut Value)| {
        forge(&project.path(SAVED), edit);
        project.expect(0, &["show", SAVED]);
        let said = project.expect(4, &["apply", SAVED, "--auto-approve"]);
        assert!(said.err.contains(field) && said.err.contains("--expect"), "{}", said.err);
    };
    // Steps that wait for nobody take less time: as much as those of a program without needs.
    project.write(&THREE.replace("  needs = [api]\n", ""));
    save(&[]);
    let file = std::fs::read(project.path(SAVED)).expect("a plan");
    let estimate =
        serde_json::from_slice::<Value>(&file).expect("JSON")["plan"]["estimate"].clone();
    project.write(THREE);
    save(&[]);
    refused("`steps[", &|plan| {
        plan["estimate"] = estimate.clone();
        let steps = plan["steps"].as_array_mut().expect("steps");
        let first = steps.iter_mut().find(|step| step["service"] == "service.web");
        let first = first.expect("a step of web");
        assert_ne!(first["after"], json!([]), "it waits for what it needs");
        first["after"] = json!([]);
    });
    save(&[]);
    refused("`steps[", &|plan| {
        let steps = plan["steps"].as_array_mut().expect("steps");
        let last = |name: &str| {
            let of = |step: &&Value| step["service"] == name;
            steps.iter().rev().find(of).map(|step| step["id"].clone()).expect("a step")
        };
        let (api, lone) = (last("service.api"), last("service.lone"));
        let web = steps.iter_mut().find(|step| step["service"] == "service.web");
        let after = &mut web.expect("a step of web")["after"];
        assert_eq!(*after, json!([api]));
        *after = json!([lone]);
    });
    save(&["--exclude", "lone"]);
    refused("`changes[1]`", &|plan| {
        plan["left_out"] = json!([]);
        plan["unchanged"] = json!(99);
    });
    save(&["--exclude", "lone"]);
    refused("`changes[1]`", &|plan| plan["left_out"] = json!(["service.other"]));
    save(&["--exclude", "lone"]);
    refused("`unchanged`", &|plan| plan["unchanged"] = json!(99));
    assert!(!project.expect(0, &["state", "list"]).out.contains("service."));
    save(&["--target", "web"]);
    let shown = project.expect(0, &["show", SAVED]).out;
    assert!(shown.contains("left out by --target or --exclude: lone"), "{shown}");
    project.expect(0, &["apply", SAVED, "--auto-approve"]);
    let state = project.expect(0, &["state", "list"]).out;
    assert!(state.contains("web") && !state.contains("lone"), "{state}");
    save(&[]);
    project.expect(0, &["apply", SAVED, "--auto-approve"]);
    let rest = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(rest.contains("nothing to change"), "{rest}");
}

#[test]
fn what_a_plan_left_out_may_have_been_applied_since_then() {
    let project = Project::new(THREE);
    project.expect(0, &["plan", "-e", "dev", "--target", "web", "-o", SAVED]);
    project.expect(0, &["apply", "-e", "dev", "--target", "lone", "--auto-approve"]);
    project.expect(0, &["apply", SAVED, "--auto-approve"]);
    let rest = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(rest.contains("nothing to change"), "{rest}");
}

#[test]
fn where_the_state_has_a_key_a_plan_bears_its_seal() {
    let project = Project::new(PROGRAM);
    let key = "c".repeat(64);
    let dax = |code: i32, args: &[&str], key: &str| {
        let output = project.command(args).env("DAX_STATE_KEY", key).output().expect("dax runs");
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "dax {args:?}: {said}");
        said
    };
    let save = || dax(0, &["plan", "-e", "dev", "-o", SAVED], &key);
    let file = project.path(SAVED);
    let change = |edit: &dyn Fn(&mut Value)| {
        let mut whole: Value =
            serde_json::from_slice(&std::fs::read(&file).expect("a plan")).expect("JSON");
        edit(&mut whole);
        std::fs::write(&file, whole.to_string()).expect("written");
        whole["digest"].as_str().expect("a digest").to_owned()
    };
    save();
    dax(0, &["show", SAVED], &key);
    let apply = ["apply", SAVED, "--auto-approve"];
    // Without its seal, and with that of another key or another plan.
    let digest = change(&|whole| drop(whole.as_object_mut().expect("a map").remove("mac")));
    let said = dax(1, &apply, &key);
    assert!(said.contains("it bears no seal") && said.contains(&digest), "{said}");
    save();
    change(&|whole| whole["mac"] = json!("0".repeat(64)));
    assert!(dax(1, &apply, &key).contains("not made with the key of this state"));
    save();
    let mac = change(&|_| {});
    assert!(!mac.is_empty());
    forge(&file, |plan| plan["unchanged"] = json!(7));
    let said = dax(1, &apply, &key);
    assert!(said.contains("not made with the key of this state"), "{said}");
    // Whoever has read it needs no seal; a sealed one needs nobody.
    save();
    let digest = change(&|whole| drop(whole.as_object_mut().expect("a map").remove("mac")));
    dax(0, &[&apply[..], &["--expect", &digest]].concat(), &key);
    dax(0, &["destroy", "-e", "dev", "--auto-approve"], &key);
    save();
    dax(0, &apply, &key);
}

/// Something that nobody's planner would write.
type Forged = fn(&mut dax_plan::Plan);

#[test]
fn a_run_whose_plan_cannot_be_trusted_can_be_ended_and_the_environment_goes_on() {
    let edits: [(&str, Forged); 3] = [
        ("steps[0].id", |plan| plan.steps[0].id = dax_plan::StepId(999)),
        ("steps[0].after", |plan| plan.steps[0].after = vec![dax_plan::StepId(77)]),
        ("steps[0].task.revision", |plan| {
            if let Task::Call(Operation::CreateRevision { spec, .. }) = &mut plan.steps[0].task {
                *spec = dax_core::Value::None;
            }
        }),
    ];
    for (field, edit) in edits {
        let project = project();
        force_run(&project.path(""), &project.path(SAVED), edit);
        for args in [
            &["resume", "-e", "dev"][..],
            &["resume", "-e", "dev", "--again", "5", "--reason", "x"],
            &["resume", "-e", "dev", "--done", "999", "--reason", "x"],
        ] {
            let said = project.expect(1, args);
            assert!(
                said.err.contains(field) && said.err.contains("dax abort -e dev"),
                "{}",
                said.err
            );
        }
        project.expect(0, &["history", "-e", "dev"]);
        project.dax(&["history", "-e", "dev", "--run", "2"]);
        let said = project.expect(6, &["abort", "-e", "dev", "--reason", "nobody wrote this"]);
        assert!(said.err.contains(field) && said.err.contains("dax drift -e dev"), "{}", said.err);
        let audit = project.expect(0, &["history", "-e", "dev", "--audit"]).out;
        assert!(audit.contains("abandoned") && audit.contains("nobody wrote this"), "{audit}");
        project.expect(0, &["apply", "-e", "dev", "-p", "version=2", "--auto-approve"]);
        let said = project.expect(0, &["state", "verify"]);
        assert!(said.out.contains("sound"), "{}", said.out);
    }
}

#[test]
fn a_plan_that_lacks_a_field_is_named_with_it_and_what_is_no_file_is_not_waited_for() {
    let project = project();
    let mut whole: Value =
        serde_json::from_slice(&std::fs::read(project.path(SAVED)).expect("a plan")).expect("JSON");
    whole["plan"]["steps"][0].as_object_mut().expect("a step").remove("pre");
    std::fs::write(project.path(SAVED), whole.to_string()).expect("written");
    let said = project.expect(1, &["show", SAVED]);
    assert!(said.err.contains("`plan.steps[0]`: missing field `pre`"), "{}", said.err);
    let pipe = project.path("pipe");
    rustix::fs::mknodat(
        rustix::fs::CWD,
        &pipe,
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR,
        0,
    )
    .expect("a pipe");
    let child = std::cell::RefCell::new(project.start(&["apply", "pipe", "--auto-approve"]));
    let ended = || child.borrow_mut().try_wait().expect("a child").is_some();
    wait_until("a pipe is refused", ended);
    // A link of a checkout does not lead the plan elsewhere.
    std::fs::remove_file(project.path(SAVED)).expect("removed");
    std::os::unix::fs::symlink("../outside", project.path(SAVED)).expect("a link");
    let said = project.expect(1, &["plan", "-e", "dev", "-p", "version=2", "-o", SAVED]);
    assert!(said.err.contains("leads out of"), "{}", said.err);
    assert!(!project.path("..").join("outside").exists());
}

const NOBODY: &str = "
import local from \"std/local\"

param copies: int 0..5 = 0

provider local.machine {
}

service web {
  command  = [\"dax\", \"demo-service\"]
  replicas = copies
  ports    = { http: PORT0 }
}

environment dev {
  bind web to local.machine
}
";

#[test]
fn a_service_of_no_replicas_keeps_its_place_and_answers_nobody_until_it_is_scaled_up() {
    let project =
        Project::new(&NOBODY.replace("\"dax\"", &format!("{:?}", env!("CARGO_BIN_EXE_dax"))));
    let apply = |copies: &str| {
        project.expect(
            0,
            &["apply", "-e", "dev", "-p", &format!("copies={copies}"), "--auto-approve"],
        );
        let rest = project.expect(0, &["plan", "-e", "dev", "-p", &format!("copies={copies}")]).out;
        assert!(rest.contains("nothing to change"), "{rest}");
    };
    let code = || project.get(project.ports[0]).map(|(code, _)| code).unwrap_or(0);
    apply("0");
    assert_eq!((code(), project.services().len()), (503, 0));
    apply("2");
    assert_eq!((code(), project.services().len()), (200, 2));
    apply("0");
    assert_eq!((code(), project.services().len()), (503, 0));
    project.expect(0, &["status", "-e", "dev"]);
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
}
