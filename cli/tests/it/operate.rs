//! What people do with environments beside applying: approve, stop, decide, pin, adopt, compare, look after the state.

use crate::project::{Project, wait_until};
use std::os::unix::fs::PermissionsExt;
use std::process::Stdio;

const HEAD: &str = "import memory from \"std/memory\"\n\nparam version: string = \"1\"\n\nprovider memory.world {\n}\n\nprovider memory.other {\n}\n";

fn memory(body: &str) -> Project {
    Project::new(&format!("{HEAD}{body}"))
}

const TWO: &str = "
service api {
  image = \"api:1\"
  ports = { http: 8080 }
}

service web {
  image = \"web:${version}\"
  needs = [api]
}
";

fn apply(project: &Project, code: i32, more: &[&str]) -> String {
    let said = project.expect(code, &[&["apply", "-e", "dev", "--auto-approve"], more].concat());
    format!("{}{}", said.out, said.err)
}

fn history(project: &Project) -> serde_json::Value {
    serde_json::from_str(&project.expect(0, &["history", "-e", "dev", "--format", "json"]).out)
        .expect("JSON")
}

/// The digest that a shown plan ends with.
fn digest(shown: &str) -> String {
    let line = shown.lines().find_map(|line| line.trim().strip_prefix("digest "));
    line.expect("a digest").to_owned()
}

#[test]
fn a_digest_approves_the_plan_that_somebody_has_read_and_no_other() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    apply(&project, 0, &[]);
    let destroy = ["destroy", "-e", "dev"];
    let unasked = project.expect(64, &destroy);
    assert!(unasked.err.contains("stdin is not a terminal"), "{}", unasked.err);
    let good = digest(&unasked.out);
    for (code, expected) in [(64, &good[..31]), (4, &"0".repeat(64)), (4, "")] {
        project.expect(code, &[&destroy[..], &["--expect", expected]].concat());
    }
    project.expect(4, &[&destroy[..], &["--auto-approve", "--expect", "0000"]].concat());
    assert!(project.expect(0, &["status"]).out.contains("web"));
    project.expect(0, &[&destroy[..], &["--expect", &good]].concat());
    assert!(!project.expect(0, &["status"]).out.contains("web"));
}

#[test]
fn a_rollback_pins_the_environment_until_somebody_unpins_it_and_points_have_names() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    apply(&project, 0, &["--point", "golden", "--reason", "the first"]);
    apply(&project, 0, &["-p", "version=2"]);
    apply(&project, 0, &["-p", "version=3"]);
    let back = project.expect(
        0,
        &["rollback", "-e", "dev", "--to", "golden", "--auto-approve", "--reason", "errors"],
    );
    assert!(back.err.contains("`dev` is pinned now"), "{}", back.err);
    assert!(project.expect(0, &["state", "show", "web", "-e", "dev"]).out.contains("web:1"));
    let plan = project.expect(0, &["plan", "-e", "dev", "-p", "version=3"]).out;
    assert!(
        plan.contains("Blocked")
            && plan.contains("is pinned to state 4")
            && plan.contains("(errors)"),
        "{plan}"
    );
    assert!(apply(&project, 3, &["-p", "version=3"]).contains("`dax unpin -e dev` lets it go on"));
    // Going back further is never held up.
    project.expect(0, &["rollback", "-e", "dev", "--to", "2", "--auto-approve"]);
    project.expect(0, &["unpin", "-e", "dev"]);
    apply(&project, 0, &["-p", "version=3"]);
    project.expect(0, &["pin", "-e", "dev", "--reason", "holidays"]);
    assert!(apply(&project, 3, &["-p", "version=4"]).contains("holidays"));
    project.expect(1, &["rollback", "-e", "dev", "--to", "nothing", "--auto-approve"]);
    let runs = history(&project);
    assert_eq!(runs["runs"][5]["name"], "golden");
    assert_eq!(runs["runs"][5]["why"], "the first");
    let audit = project.expect(0, &["history", "-e", "dev", "--audit"]).out;
    for word in ["begin", "end", "pin", "errors", "holidays"] {
        assert!(audit.contains(word), "{word}: {audit}");
    }
    let metrics = project.expect(0, &["history", "--format", "prometheus"]).out;
    assert!(
        metrics.contains(
            "deployments_total{environment=\"dev\",service=\"web\",status=\"succeeded\"} 6"
        ),
        "{metrics}"
    );
    assert!(
        metrics.contains("deployment_duration_seconds_count{environment=\"dev\"} 6"),
        "{metrics}"
    );
    assert!(metrics.contains("dora_change_failure_ratio{environment=\"dev\"}"), "{metrics}");
}

#[test]
fn a_plan_that_needs_approval_waits_for_the_right_people_on_its_own_digest() {
    let project = memory(&format!(
        "{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n  approve 2 of [\"team:sre\"]\n}}\n"
    ));
    let members = "project = \"test\"\ngroup \"team:sre\" { members = [\"ann\", \"bob\"] }\n";
    std::fs::write(project.path("dax.mod"), members).expect("written");
    project.expect(0, &["plan", "-e", "dev", "-o", "p.plan"]);
    let refused = project.expect(3, &["apply", "p.plan", "--auto-approve"]).err;
    assert!(
        refused.contains("it needs the approval of 2 of team:sre (ann, bob): `dax approve -e dev "),
        "{refused}"
    );
    let approve = |who: &str, what: &str| {
        let output = project
            .command(&["approve", what, "-e", "dev", "--reason", "looked at it"])
            .env("DAX_USER", who)
            .output()
            .expect("dax runs");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    approve("eve", "p.plan");
    approve("ann", "p.plan");
    approve("ann", "p.plan");
    let refused = project.expect(3, &["apply", "p.plan", "--auto-approve"]).err;
    assert!(
        refused.contains("it needs the approval of 1 more of team:sre (1 of 2: ann; bob)"),
        "nobody counts twice, and strangers not at all: {refused}"
    );
    let digest = refused
        .split("dax approve -e dev ")
        .nth(1)
        .and_then(|rest| rest.split('`').next())
        .expect("the digest")
        .to_owned();
    approve("bob", &digest);
    // Another plan has another digest and is not approved.
    assert!(
        apply(&project, 3, &["-p", "version=2"]).contains("it needs the approval of 2 of team:sre")
    );
    project.expect(0, &["apply", "p.plan", "--auto-approve"]);
    let runs = history(&project);
    let by: Vec<&str> = runs["runs"][0]["approved_by"]
        .as_array()
        .expect("names")
        .iter()
        .filter_map(|name| name.as_str())
        .collect();
    assert!(by.contains(&"ann") && by.contains(&"bob"), "{by:?}");
    assert!(
        project.expect(1, &["approve", "abc", "-e", "dev"]).err.contains("64 hexadecimal digits")
    );
}

#[test]
fn a_gate_in_a_strategy_waits_and_goes_on_when_somebody_agrees() {
    let gate = "\nstrategy s: canary {\n  step 50% approve 1\n}\n";
    let project = memory(&format!(
        "{TWO}{gate}\nenvironment dev {{\n  bind [api, web] to memory.world\n  rollout web with s\n}}\n"
    ));
    apply(&project, 0, &[]);
    let events = project.path("events.jsonl");
    let args =
        ["apply", "-e", "dev", "--auto-approve", "-p", "version=2", "--events", "events.jsonl"];
    let child = project
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dax runs");
    let told = |word: &str| std::fs::read_to_string(&events).unwrap_or_default().contains(word);
    wait_until("the gate", || told("awaits_approval"));
    project.expect(0, &["approve", "-e", "dev", "--step", "4", "--reason", "looks good"]);
    let done = child.wait_with_output().expect("dax ends");
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let text = std::fs::read_to_string(&events).expect("events");
    let lines: Vec<serde_json::Value> = text
        .lines()
        .map(|line| serde_json::from_str(line).expect("a JSON object a line"))
        .collect();
    assert_eq!(
        (lines[0]["event"].as_str(), lines[0]["format_version"].as_u64()),
        (Some("begin"), Some(1))
    );
    assert!(lines.iter().any(|line| line["event"] == "approved" && line["step"] == 4));
    let audit = project.expect(0, &["history", "-e", "dev", "--audit", "--format", "json"]).out;
    assert!(audit.contains("\"gates\""), "who agreed stays on record: {audit}");
    assert_eq!(lines[lines.len() - 1]["result"]["outcome"], "succeeded");
}

#[test]
fn a_run_is_paused_and_aborted_from_outside_and_everything_is_as_it_was() {
    let gate = "\nstrategy s: canary {\n  step 50% approve 1\n}\n";
    let project = memory(&format!(
        "{TWO}{gate}\nenvironment dev {{\n  bind [api, web] to memory.world\n  rollout web with s\n}}\n"
    ));
    apply(&project, 0, &[]);
    let before = std::fs::read(project.path(".dax/memory.json")).expect("a world");
    let start = || {
        let args =
            ["apply", "-e", "dev", "--auto-approve", "-p", "version=2", "--events", "events.jsonl"];
        project
            .command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("dax runs")
    };
    let waits = || {
        std::fs::read_to_string(project.path("events.jsonl"))
            .unwrap_or_default()
            .contains("awaits_approval")
    };
    let child = start();
    wait_until("the gate", waits);
    project.expect(0, &["pause", "-e", "dev"]);
    let paused = child.wait_with_output().expect("dax ends");
    assert_eq!(paused.status.code(), Some(130), "{}", String::from_utf8_lossy(&paused.stderr));
    let refused = apply(&project, 1, &["-p", "version=2"]);
    assert!(refused.contains("has not ended") && !refused.contains("digest"), "{refused}");
    // Nobody carries it on: whoever aborts it takes it back.
    let aborted = project.expect(5, &["abort", "-e", "dev", "--reason", "not today"]);
    assert!(aborted.err.contains("not today; everything was rolled back"), "{}", aborted.err);
    assert_eq!(std::fs::read(project.path(".dax/memory.json")).expect("a world"), before);
    std::fs::remove_file(project.path("events.jsonl")).expect("removed");
    let child = start();
    wait_until("the gate", waits);
    project.expect(0, &["abort", "-e", "dev", "--reason", "still not"]);
    let aborted = child.wait_with_output().expect("dax ends");
    assert_eq!(aborted.status.code(), Some(5));
    assert_eq!(std::fs::read(project.path(".dax/memory.json")).expect("a world"), before);
    assert_eq!(
        history(&project)["runs"][0]["outcome"]["message"]
            .as_str()
            .map(|text| text.contains("still not")),
        Some(true)
    );
    project.expect(1, &["pause", "-e", "dev"]);
}

#[test]
fn what_waits_for_an_address_is_planned_again_once_it_is_known_and_nothing_is_left() {
    let body = "
service api {
  image = \"api:1\"
  ports = { http: 8080 }
}

service web {
  image = \"web:${version}\"
  env   = { API: api.url }
  needs = [api]
}

policy no_seven on plan of environment.dev {
  deny c in changes where c.name == \"web\" and version == \"7\" {
    message = \"never seven\"
  }
}

environment dev {
  bind [api, web] to memory.world
}
";
    let project = memory(body);
    let plan = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(
        plan.contains("1 to create, 1 deferred")
            && plan.contains("env.API: service.api.url (known after step 4)"),
        "{plan}"
    );
    // The policy is asked again for what was put off, and what was done before stays done.
    let denied = apply(&project, 3, &["-p", "version=7"]);
    assert!(denied.contains("never seven"), "{denied}");
    assert!(project.expect(0, &["state", "list"]).out.contains("service.api"));
    let said = apply(&memory(body), 0, &[]);
    assert!(said.contains("now that it is known what they waited for: web"), "{said}");
    apply(&project, 0, &[]);
    assert!(project.expect(0, &["state", "show", "web"]).out.contains("http://api.dev.test/"));
    project.expect(0, &["plan", "-e", "dev", "--detailed-exitcode"]);
    let runs = history(&project);
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2));
}

#[test]
fn a_point_of_no_return_asks_for_its_own_acknowledgement() {
    let strategy = "\nstrategy s: immediate {\n  migrate [\"./up\"]\n}\n";
    let project = memory(&format!(
        "{TWO}{strategy}\nenvironment dev {{\n  bind [api, web] to memory.world\n  rollout web with s\n}}\n"
    ));
    let refused = apply(&project, 3, &[]);
    assert!(
        refused.contains("step 6 cannot be taken back: say --acknowledge 6 to go on"),
        "{refused}"
    );
    apply(&project, 3, &["--acknowledge", "5"]);
    apply(&project, 0, &["--acknowledge", "6"]);
}

#[test]
fn only_what_was_chosen_is_changed_and_what_was_left_out_is_named() {
    let project = memory(&format!(
        "{TWO}\nservice lone {{\n  image = \"lone:1\"\n}}\n\nenvironment dev {{\n  bind [api, web, lone] to memory.world\n}}\n"
    ));
    let plan = project.expect(0, &["plan", "-e", "dev", "--target", "web"]).out;
    assert!(
        plan.contains("2 to create") && plan.contains("left out by --target or --exclude: lone"),
        "{plan}"
    );
    apply(&project, 0, &["--target", "web"]);
    assert!(!project.expect(0, &["state", "list"]).out.contains("lone"));
    let plan = project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "--exclude", "api"]).out;
    assert!(
        plan.contains("1 to create") && plan.contains("left out by --target or --exclude: web"),
        "{plan}"
    );
    let wrong = project.expect(1, &["plan", "-e", "dev", "--target", "wbe"]).err;
    assert!(wrong.contains("DAX5009") && wrong.contains("did you mean `web`?"), "{wrong}");
}

#[test]
fn what_runs_already_is_refused_until_it_is_taken_over() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    apply(&project, 0, &[]);
    // The state is gone, the services are not.
    for name in ["state.db", "state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(project.path(".dax").join(name));
    }
    std::fs::remove_file(project.memory()).expect("removed");
    let refused = project.expect(1, &["plan", "-e", "dev"]).err;
    assert!(refused.contains("DAX5007") && refused.contains("dax did not make it"), "{refused}");
    let taken = project.expect(0, &["adopt", "api", "-e", "dev", "--auto-approve"]);
    assert!(taken.out.contains("1 to adopt"), "{}", taken.out);
    project.expect(0, &["adopt", "web", "-e", "dev", "--auto-approve"]);
    project.expect(0, &["plan", "-e", "dev", "--detailed-exitcode"]);
}

#[test]
fn drift_is_listed_leaf_by_leaf_and_has_an_exit_code() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    apply(&project, 0, &[]);
    project.expect(0, &["drift", "-e", "dev"]);
    let world = project.path(".dax/memory.json");
    let text = std::fs::read_to_string(&world).expect("a world");
    std::fs::write(
        &world,
        text.replacen("\"replicas\":1,\"ready\":1", "\"replicas\":4,\"ready\":4", 1),
    )
    .expect("written");
    let drifted = project.expect(2, &["drift", "-e", "dev"]).out;
    assert!(drifted.contains("replicas") && drifted.contains("somebody else"), "{drifted}");
    let json: serde_json::Value =
        serde_json::from_str(&project.expect(2, &["drift", "-e", "dev", "--format", "json"]).out)
            .expect("JSON");
    assert_eq!(
        (&json["drift"][0]["applied"], &json["drift"][0]["live"]),
        (&"1".into(), &"4".into())
    );
    apply(&project, 0, &[]);
    project.expect(0, &["drift", "-e", "dev"]);
}

#[test]
fn protection_lives_in_the_state_and_survives_the_block() {
    let with = |protect: &str| {
        format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n{protect}}}\n")
    };
    let project = memory(&with("  protect web from destroy\n"));
    apply(&project, 0, &[]);
    let without = TWO.split("\nservice web").next().expect("the first service");
    project
        .write(&format!("{HEAD}{without}\nenvironment dev {{\n  bind api to memory.world\n}}\n"));
    let plan = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(
        plan.contains("Blocked") && plan.contains("`web` is protected from being destroyed"),
        "{plan}"
    );
    apply(&project, 3, &[]);
    project.expect(3, &["destroy", "-e", "dev", "--auto-approve"]);
    assert!(project.expect(0, &["state", "list"]).out.contains("protected"));
    project.write(&format!("{HEAD}{}", with("")));
    assert!(apply(&project, 0, &[]).contains("only its protection"));
    project
        .write(&format!("{HEAD}{without}\nenvironment dev {{\n  bind api to memory.world\n}}\n"));
    apply(&project, 0, &[]);
}

#[test]
fn the_key_for_jobs_that_plan_reads_a_sealed_state_and_writes_nothing() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    let keyed = |key: &str, args: &[&str]| {
        let output = project.command(args).env("DAX_STATE_KEY", key).output().expect("dax runs");
        crate::project::said(&output)
    };
    let whole = "0123456789abcdef".repeat(4);
    let none = project.expect(64, &["state", "read-key"]).err;
    assert!(none.contains("the state has no key"), "{none}");
    assert_eq!(keyed(&whole, &["apply", "-e", "dev", "--auto-approve"]).code, 0);
    let reading = keyed(&whole, &["state", "read-key"]);
    assert_eq!((reading.code, reading.err.as_str()), (0, ""));
    let reading = reading.out.trim();
    assert!(!reading.contains(&whole));
    assert_eq!(keyed(reading, &["state", "read-key"]).out.trim(), reading);
    for args in [
        &["status"][..],
        &["history"],
        &["state", "verify"],
        &["plan", "-e", "dev", "-p", "version=2", "-o", "made.json"],
    ] {
        let said = keyed(reading, args);
        assert_eq!(said.code, 0, "{args:?}: {}", said.err);
    }
    for args in [
        &["apply", "-e", "dev", "--auto-approve", "-p", "version=2"][..],
        &["approve", "-e", "dev", "made.json"],
        &["pin", "-e", "dev", "--reason", "x"],
    ] {
        let said = keyed(reading, args);
        assert!(said.code == 1 && said.err.contains("only reads"), "{args:?}: {}", said.err);
    }
    // What it made bears no seal: whoever applies it has to vouch for it.
    let unvouched = keyed(&whole, &["apply", "made.json"]);
    assert!(unvouched.code != 0, "{}", unvouched.err);
    assert_eq!(keyed(&whole, &["apply", "-e", "dev", "--auto-approve", "-p", "version=2"]).code, 0);
}

#[test]
fn a_sealed_state_needs_its_key_and_an_old_copy_is_noticed() {
    let project =
        memory(&format!("{TWO}\nenvironment dev {{\n  bind [api, web] to memory.world\n}}\n"));
    let key = project.path("key");
    std::fs::write(&key, "0123456789abcdef".repeat(4)).expect("written");
    let dax = |args: &[&str], variable: (&str, &str)| {
        let output = project.command(args).env(variable.0, variable.1).output().expect("dax runs");
        crate::project::said(&output)
    };
    let file = ("DAX_STATE_KEY_FILE", key.to_str().expect("a path"));
    assert_eq!(dax(&["apply", "-e", "dev", "--auto-approve"], file).code, 0);
    let without = project.expect(1, &["status"]).err;
    assert!(without.contains("is sealed: give its key"), "{without}");
    let command = format!("cat {}", key.display());
    assert_eq!(dax(&["state", "verify"], ("DAX_STATE_KEY_COMMAND", &command)).code, 0);
    let wrong = dax(&["status"], ("DAX_STATE_KEY", &"f".repeat(64)));
    assert!(wrong.code == 1 && wrong.err.contains("does not open"), "{}", wrong.err);
    let bytes = std::fs::read(project.path(".dax/state.db")).expect("a state");
    assert!(!bytes.windows(8).any(|window| window == b"services"), "the state is sealed");
    // An old copy is put back.
    for name in ["state.db", "state.db-wal"] {
        let _ = std::fs::copy(project.path(".dax").join(name), project.path(name));
    }
    assert_eq!(dax(&["apply", "-e", "dev", "--auto-approve", "-p", "version=2"], file).code, 0);
    for name in ["state.db-wal", "state.db-shm"] {
        let _ = std::fs::remove_file(project.path(".dax").join(name));
    }
    for name in ["state.db", "state.db-wal"] {
        let _ = std::fs::copy(project.path(name), project.path(".dax").join(name));
    }
    let noticed = dax(&["plan", "-e", "dev"], file);
    assert!(
        noticed.code == 1 && noticed.err.contains("somebody put an old copy back"),
        "{}",
        noticed.err
    );
    assert_eq!(dax(&["state", "verify", "--accept", "-e", "dev"], file).code, 0);
    assert_eq!(dax(&["plan", "-e", "dev"], file).code, 0);
}

#[test]
fn two_plans_are_compared_and_a_plan_is_simulated_the_same_each_time() {
    let strategy = "\nstrategy s: canary {\n  step 50% hold 1m\n}\n";
    let project = memory(&format!(
        "{TWO}{strategy}\nenvironment dev {{\n  bind [api, web] to memory.world\n  rollout web with s\n}}\n"
    ));
    apply(&project, 0, &[]);
    project.expect(0, &["plan", "-e", "dev", "-p", "version=2", "-o", "two.plan"]);
    project.expect(0, &["plan", "-e", "dev", "-p", "version=3", "-o", "three.plan"]);
    let same = project.expect(0, &["diff", "two.plan", "two.plan"]).out;
    assert!(same.contains("the plans are the same"), "{same}");
    let differ = project.expect(0, &["diff", "two.plan", "three.plan"]).out;
    assert!(
        differ.contains("image: \"web:2\" → \"web:3\"") && differ.contains("1 change differs"),
        "{differ}"
    );
    let simulate = ["plan", "-e", "dev", "-p", "version=2", "--simulate", "--seed", "3"];
    let first = project.expect(0, &simulate).out;
    assert_eq!(first, project.expect(0, &simulate).out);
    assert!(
        first.contains("Simulated, seed 3")
            && first.contains("rolled back")
            && first.contains("1 of 1 (web)"),
        "{first}"
    );
    assert!(
        first
            .lines()
            .filter(|line| line.contains("rolled back"))
            .all(|line| line.contains("  -  ")),
        "everything is as before: {first}"
    );
}

#[test]
fn hooks_and_migrations_run_as_processes_once_and_a_failing_one_goes_back() {
    let text = "import local from \"std/local\"

param version: string = \"1\"
param smoke: string = \"true\"

provider local.machine {
}

service web {
  command = [\"dax\", \"demo-service\", \"--version\", version]
  ports   = { http: PORT0 }
  health http \"/health\" { every = 100ms, ready_within = 10s }
}

strategy s: canary {
  route \"X-Canary\" is \"yes\"
  step 50% hold 500ms
  migrate [\"./migrate\", version] undo [\"./migrate\", \"back\"]
  hook before [smoke]
}

environment dev {
  bind web to local.machine
  rollout web with s
}
";
    let project = Project::new(text);
    let script = "#!/bin/sh\necho \"$1 $DAX_SERVICE\" >> migrations.txt\n";
    std::fs::write(project.path("migrate"), script).expect("written");
    std::fs::set_permissions(project.path("migrate"), std::fs::Permissions::from_mode(0o755))
        .expect("a program");
    apply(&project, 0, &[]);
    let done = || std::fs::read_to_string(project.path("migrations.txt")).unwrap_or_default();
    assert_eq!(done(), "1 web\n");
    let failed = apply(&project, 5, &["-p", "version=2", "-p", "smoke=false"]);
    assert!(failed.contains("`false`: exit status: 1"), "{failed}");
    assert_eq!(done(), "1 web\n2 web\nback web\n");
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "demo version 1");
    apply(&project, 0, &["-p", "version=2"]);
    assert_eq!(done(), "1 web\n2 web\nback web\n2 web\n");
    assert_eq!(project.get(project.ports[0]).expect("an answer").1, "demo version 2");
}

#[test]
fn an_environment_comes_after_one_that_was_verified_and_the_commit_stays_on_record() {
    let analysis = "\nstrategy s: canary {\n  step 50% hold 300ms\n  analysis every 100ms from memory.world {\n    metric e: Percent = memory\"error_rate\"\n    require e < 1%\n    on_no_data = \"pass\"\n  }\n}\n";
    let environments = "\nenvironment dev {\n  bind [api, web] to memory.world\n  rollout web with s\n}\n\nenvironment production {\n  after dev { verified = true }\n  bind [api, web] to memory.world\n}\n";
    let project = memory(&format!("{TWO}{analysis}{environments}"));
    let git = |args: &[&str]| {
        let mut command = std::process::Command::new("git");
        command
            .args(["-c", "user.name=t", "-c", "user.email=t@example.com"])
            .args(args)
            .current_dir(project.path("."));
        assert!(
            command.stdout(Stdio::null()).stderr(Stdio::null()).status().expect("git").success(),
            "git {args:?}"
        );
    };
    git(&["init", "-q"]);
    git(&["add", "main.dax", "dax.mod"]);
    git(&["commit", "-q", "-m", "one"]);
    let refused = |what: &str| {
        let said = project.expect(3, &["apply", "-e", "production", "--auto-approve"]);
        assert!(said.err.contains(what), "{}", said.err);
    };
    refused("`dev` was not applied successfully yet");
    apply(&project, 0, &[]);
    // The first time there was nothing to compare with, and nothing was watched.
    refused("no analysis passed in the last run of `dev`");
    apply(&project, 0, &["-p", "version=2"]);
    project.expect(0, &["apply", "-e", "production", "--auto-approve"]);
    let runs = history(&project);
    assert_eq!(runs["runs"][0]["commit"]["id"].as_str().map(str::len), Some(40));
    assert!(
        runs["metrics"][0]["lead_time_seconds"].as_f64().is_some_and(|seconds| seconds >= 0.0),
        "{runs}"
    );
}

#[test]
fn a_failing_command_that_prints_a_secret_tells_nobody_what_it_is() {
    let text = "import local from \"std/local\"

secret password: string from env(\"SHOP_PASSWORD\")

provider local.machine {
}

service web {
  command = [\"dax\", \"demo-service\"]
  env     = { PASSWORD: password }
}

strategy s: immediate {
  migrate [\"sh\", \"-c\", \"echo connecting with $PASSWORD; exit 3\"] undo [\"true\"]
}

environment dev {
  bind web to local.machine
  rollout web with s
}
";
    let project = Project::new(text);
    let output = project
        .command(&["apply", "-e", "dev", "--auto-approve"])
        .env("SHOP_PASSWORD", "hunter2hunter2")
        .output()
        .expect("dax runs");
    let said = crate::project::said(&output);
    assert_eq!(said.code, 5, "{}", said.err);
    assert!(said.err.contains("connecting with ***"), "{}", said.err);
    assert!(!said.err.contains("hunter2hunter2"));
    for (path, bytes) in crate::project::all_bytes(&project.path(".dax")) {
        let inside = bytes.windows(14).any(|window| window == b"hunter2hunter2");
        // What a process writes into its own log is its own business.
        assert!(
            !inside || path.extension().is_some_and(|end| end == "log"),
            "{} holds the secret",
            path.display()
        );
    }
}
