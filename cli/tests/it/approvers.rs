//! Who approves, as a program and its command line say it: mistakes that were silent, and faults that are no refusal.

use crate::project::{Project, said};

const GUARDED: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:1"
  replicas = default 2
}

strategy slow: canary {
  step 50% hold 1s approve 2 of ["team:sre"]
}

environment dev {
  bind web to memory.world
  rollout web with slow
  approve 1 of ["team:sre"]
}

environment preview keyed pr {
  preview
  bind web to memory.world
}
"#;

/// A key that was thrown away.
const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMm1njew2Cs1Fw7aZ3+H8nO+09rkteMhFr+GZOeYydnz";

fn project(manifest: &str) -> Project {
    let project = Project::new(GUARDED);
    std::fs::write(project.path("dax.mod"), format!("project = \"test\"\n{manifest}"))
        .expect("written");
    project
}

#[test]
fn lines_of_signers_that_openssh_does_not_read_are_errors_with_their_place() {
    let project = project(
        "signers = \"allowed_signers\"\ngroup \"team:sre\" { members = [\"ann\", \"bob\"] }\n",
    );
    let check = |code: i32| project.expect(code, &["check", "--format", "short"]);
    let missing = check(1);
    let all = missing.out + &missing.err;
    assert!(all.contains("dax.mod:2:11: error[DAX8010]"), "{all}");
    assert!(all.contains("`signers` names `allowed_signers`, and there is no such file"), "{all}");
    let write = |text: String| {
        std::fs::write(project.path("allowed_signers"), text).expect("written");
    };
    write(format!("# people\nann {KEY}\n* cert-authority namespaces=\"dax-approval\" {KEY}\n"));
    let wrong = check(1);
    let all = wrong.out + &wrong.err;
    assert!(all.contains("allowed_signers:3:1: error[DAX8010]"), "{all}");
    assert!(all.contains("options are joined by commas"), "{all}");
    write(format!("ann {KEY}\n* cert-authority,namespaces=\"dax-approval\" {KEY}\n"));
    let right = check(0);
    assert_eq!((right.out.as_str(), right.err.as_str()), ("", ""));
}

#[test]
fn a_rule_that_nobody_can_satisfy_is_said() {
    let said = |manifest: &str| {
        let found = project(manifest).expect(0, &["check", "--format", "short"]);
        found.out + &found.err
    };
    let group = |members: &str| format!("group \"team:sre\" {{ members = [{members}] }}\n");
    assert_eq!(said(&group("\"ann\", \"bob\"")), "");
    // The step wants two.
    let one = said(&group("\"ann\""));
    assert!(one.contains("main.dax:12:28: warning[DAX8011]"), "{one}");
    assert!(one.contains("2 must approve, and 1 person is there"), "{one}");
    let none = said(&group(""));
    assert!(none.contains("the group `team:sre` has no members"), "{none}");
    let mistyped = said(&group("\"ann\", \"bob\"").replace("sre", "ser"));
    assert!(mistyped.contains("dax.mod has no group `team:sre`"), "{mistyped}");
    let nested =
        said(&format!("{}group \"all\" {{ members = [\"team:sre\"] }}\n", group("\"a\", \"b\"")));
    assert!(nested.contains("`team:sre` of the group `all` is nobody's login"), "{nested}");
}

#[test]
fn what_cannot_be_approved_as_asked_is_no_refusal() {
    let project = project("group \"team:sre\" { members = [\"ann\", \"bob\"] }\n");
    let digest = "0".repeat(64);
    let cases = [
        (vec!["approve", "-e", "dev", "nosuch.plan"], "nosuch.plan: no such file, and no digest"),
        (vec!["approve", "-e", "dev", "--key", ".", &digest], "the key .: that is no file"),
        (vec!["approve", "-e", "dev", "--key", "nokey", &digest], "there is no such file"),
        (vec!["apply", "nosuch.plan"], "nosuch.plan: no such file"),
        (vec!["fmt", "nosuch.dax"], "nosuch.dax: no such file"),
    ];
    for (args, wanted) in cases {
        let err = project.expect(1, &args).err;
        assert!(err.contains(wanted) && !err.contains("not allowed yet"), "{err}");
    }
    let key = project.command(&["status"]).env("DAX_STATE_KEY", "abc").output().expect("dax runs");
    let told = said(&key);
    assert!(told.code == 1 && told.err.contains("DAX_STATE_KEY"), "{}", told.err);
    assert!(!told.err.contains("is sealed"), "{}", told.err);
}

#[test]
fn an_environment_that_is_there_for_each_key_is_named_with_one() {
    let project = project("group \"team:sre\" { members = [\"ann\", \"bob\"] }\n");
    let digest = "0".repeat(64);
    for args in [
        &["approve", "-e", "preview", &digest][..],
        &["state", "conditions", "-e", "preview"],
        &["rollback", "-e", "preview", "--auto-approve"],
        &["destroy", "-e", "preview", "--auto-approve"],
        &["pin", "-e", "preview"],
        &["plan", "-e", "preview"],
    ] {
        let err = project.expect(64, args).err;
        assert!(err.contains("say which, as `-e 'preview[12]'`"), "{args:?}: {err}");
    }
}

#[test]
fn recorded_conditions_are_shown_as_data_too() {
    let project = project("group \"team:sre\" { members = [\"ann\", \"bob\"] }\n");
    let args = ["state", "conditions", "-e", "dev", "--format", "json"];
    let out = project.expect(0, &args).out;
    let found: serde_json::Value = serde_json::from_str(&out).expect("JSON");
    assert_eq!((&found["environment"], &found["recorded"]), (&"dev".into(), &().into()), "{out}");
    assert_eq!(found["program"]["approvals"][0]["count"], 1, "{out}");
    assert_eq!(found["changes"], serde_json::json!([]));
}

#[test]
fn members_of_a_team_are_sent_to_the_code_host_and_to_no_command() {
    let project = Project::new(GUARDED);
    let manifest = "project = \"test\"\ngroup \"team:sre\" { members = [\"ann\", \"bob\"] }\n";
    std::fs::write(project.path("dax.mod"), manifest).expect("written");
    let wanted = "by a review: who belongs to acme/platform is asked at the code host";
    project.write(
        &GUARDED
            .replace(" approve 2 of [\"team:sre\"]", "")
            .replace("[\"team:sre\"]", "[\"acme/platform\"]"),
    );
    let plan = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(plan.contains(wanted) && !plan.contains("dax approve"), "{plan}");
    let refused = project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]).err;
    assert!(refused.contains(wanted) && !refused.contains("dax approve"), "{refused}");
    let keyed = project.expect(0, &["plan", "-e", "preview[12]"]).out;
    assert!(keyed.contains("dax rollback -e 'preview[12]'"), "{keyed}");
}

#[test]
fn what_was_applied_and_destroyed_again_runs_no_more() {
    let project = project("group \"team:sre\" { members = [\"ann\", \"bob\"] }\n");
    assert!(project.expect(0, &["status"]).err.contains("nothing was applied yet"));
    for command in ["apply", "destroy"] {
        project.expect(0, &[command, "-e", "preview[1]", "--auto-approve", "-q"]);
    }
    assert!(project.expect(0, &["status"]).err.contains("nothing runs"));
}
