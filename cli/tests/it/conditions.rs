//! Conditions that the last apply recorded, seen and set by hand.

use crate::project::Project;

/// A service of the world in memory, in an environment that asks for an approval.
const GUARDED: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:1"
  replicas = default 1
}

environment dev {
  bind web to memory.world
  approve 1 of ["team:sre"]
}
"#;

fn digest(project: &Project) -> String {
    let plan = project.dax(&["plan", "-e", "dev", "--format", "json"]).out;
    let plan: serde_json::Value = serde_json::from_str(&plan).expect("a plan");
    plan["digest"].as_str().expect("a digest").to_owned()
}

fn approve(project: &Project, who: &str) {
    let digest = digest(project);
    project.expect_as(who, 0, &["approve", "-e", "dev", &digest]);
}

/// A project whose approvals must be signed, with a key of ann.
fn signed() -> Project {
    let project = Project::new(GUARDED);
    let manifest = "project = \"test\"\nsigners = \"allowed_signers\"\n\n\
                    group \"team:sre\" { members = [\"ann\", \"bob\"] }\n";
    std::fs::write(project.path("dax.mod"), manifest).expect("written");
    let ann = key(&project, "ann");
    std::fs::write(project.path("allowed_signers"), format!("ann {ann}\n")).expect("written");
    project
}

/// Makes a key of this name without a passphrase; gives its public half.
fn key(project: &Project, name: &str) -> String {
    let file = project.path(name);
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"];
    let made = std::process::Command::new("ssh-keygen").args(args).arg(&file).status();
    assert!(made.expect("ssh-keygen runs").success());
    std::fs::read_to_string(project.path(&format!("{name}.pub"))).expect("a key").trim().to_owned()
}

#[test]
fn a_rule_whose_people_are_gone_is_taken_back_by_whoever_may_write_the_state_and_on_the_record() {
    let project = Project::new(GUARDED);
    let group = "project = \"test\"\n\ngroup \"team:sre\" { members = [\"ann\"] }\n";
    std::fs::write(project.path("dax.mod"), group).expect("written");
    approve(&project, "ann");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    // Ann has left; who is there now is nobody whom the recorded rule names.
    std::fs::write(project.path("dax.mod"), group.replace("ann", "bob")).expect("written");
    project.write(&GUARDED.replace("default 1", "default 2"));
    approve(&project, "bob");
    let said = project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    assert!(said.err.contains("team:sre") && said.err.contains("ann"), "{}", said.err);
    let shown = project.expect(0, &["state", "conditions", "-e", "dev"]);
    assert!(shown.out.contains("approve 1 of team:sre (ann)"), "{}", shown.out);
    assert!(shown.out.contains("bob"), "{}", shown.out);
    // Not without a reason.
    project.expect(64, &["state", "conditions", "-e", "dev", "--reset"]);
    for blank in ["", " \t"] {
        let args = ["state", "conditions", "-e", "dev", "--reset", "--reason", blank];
        let said = project.expect(64, &args);
        assert!(said.err.contains("--reason is empty"), "{}", said.err);
    }
    let reset = ["state", "conditions", "-e", "dev", "--reset", "--reason", "ann has left"];
    let said = project.expect(0, &reset);
    assert!(said.err.contains("now those of the program"), "{}", said.err);
    // What was approved before is of the rules of before.
    project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    approve(&project, "bob");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.expect(0, &["state", "verify"]);
    let again = project.expect(0, &reset);
    assert!(again.err.contains("already"), "{}", again.err);
}

#[test]
fn an_approval_is_of_the_signers_that_the_file_named_then() {
    let project = signed();
    let first = digest(&project);
    project.expect_as("ann", 0, &["approve", "-e", "dev", "--key", "ann", &first]);
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.write(&GUARDED.replace("web:1", "web:5"));
    let seen = digest(&project);
    project.expect_as("ann", 0, &["approve", "-e", "dev", "--key", "ann", &seen]);
    project.expect(0, &["plan", "-e", "dev", "-o", "seen.plan"]);
    // Nothing of the program changes but whose signatures count.
    let mallory = key(&project, "mallory");
    let file = project.path("allowed_signers");
    let signers = std::fs::read_to_string(&file).expect("signers");
    std::fs::write(&file, format!("{signers}ann {mallory}\n")).expect("written");
    let plan = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(plan.contains("the allowed signers gain ann"), "{plan}");
    assert!(plan.contains("needs 1 of team:sre") && !plan.contains("approved by ann"), "{plan}");
    assert_ne!(digest(&project), seen);
    project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.expect(3, &["apply", "-e", "dev", "--expect", &seen, "-q"]);
    // Neither does the saved plan bring what it did not show, whoever vouches for it.
    let said = project.expect(3, &["apply", "seen.plan", "--expect", &seen, "-q"]);
    assert!(said.err.contains("is not the one that the plan was made from"), "{}", said.err);
    let kept = project.expect(0, &["state", "conditions", "-e", "dev"]).out;
    assert!(kept.contains("the allowed signers gain ann"), "{kept}");
    // As it was approved, it goes through.
    std::fs::write(&file, signers).expect("written");
    project.expect(0, &["apply", "-e", "dev", "--expect", &seen, "-q"]);
}

/// Conditions that somebody adds to [`GUARDED`], and takes away with the next change.
const TIGHT: &str = r#"
policy pinned on plan of environment.dev {
  deny s in services where s.image == "acme/web:0" { message = "a version has a number" }
}
"#;

#[test]
fn an_approval_is_of_what_a_plan_loosens_and_not_of_what_was_recorded_since() {
    let project = Project::new(GUARDED);
    let manifest = "project = \"test\"\n\ngroup \"team:sre\" { members = [\"ann\"] }\n";
    std::fs::write(project.path("dax.mod"), manifest).expect("written");
    approve(&project, "ann");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    let change = GUARDED.replace("web:1", "web:2");
    project.write(&change);
    let seen = digest(&project);
    approve(&project, "ann");
    project.expect(0, &["plan", "-e", "dev", "-o", "seen.plan"]);
    // Somebody else's change tightens the rules meanwhile.
    project.write(&format!("{GUARDED}{TIGHT}"));
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.write(&change);
    let plan = project.expect(0, &["plan", "-e", "dev"]).out;
    assert!(plan.contains("policy `pinned` removed") && plan.contains("needs 1 of team"), "{plan}");
    assert!(!plan.contains("approved by ann"), "{plan}");
    assert_ne!(digest(&project), seen);
    project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.expect(3, &["apply", "-e", "dev", "--expect", &seen, "-q"]);
    for vouched in [&["--auto-approve"][..], &["--expect", &seen]] {
        let args = [&["apply", "seen.plan", "-q"], vouched].concat();
        let said = project.expect(4, &args);
        let why = "the plan is stale: other conditions of `dev` were recorded since it was made";
        assert!(said.err.contains(why), "{}", said.err);
    }
    // The plan of before counts again where it loosens nothing: with the rule it keeps.
    let both = format!("{change}{TIGHT}");
    project.write(&both);
    project.expect(0, &["plan", "-e", "dev", "-o", "both.plan"]);
    approve(&project, "ann");
    project.expect(0, &["apply", "both.plan", "--auto-approve", "-q"]);
}

#[test]
fn who_expects_a_plan_that_does_nothing_expects_its_conditions() {
    let open = GUARDED.replace("  approve 1 of [\"team:sre\"]\n", "");
    let project = Project::new(&format!("{open}{TIGHT}"));
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    let seen = digest(&project);
    project.write(&open);
    project.expect(4, &["apply", "-e", "dev", "--expect", &seen, "-q"]);
    let now = digest(&project);
    project.expect(0, &["apply", "-e", "dev", "--expect", &now, "-q"]);
    // Once it is done there is nothing left to expect.
    project.expect(0, &["apply", "-e", "dev", "--expect", &now, "-q"]);
}

#[test]
fn an_approval_that_can_never_count_is_refused_with_what_helps() {
    let project = signed();
    let plan = digest(&project);
    let mallory = key(&project, "mallory");
    assert!(mallory.starts_with("ssh-ed25519"));
    let refused = |who: &str, code: i32, args: &[&str], wanted: &str| {
        let said = project.expect_as(who, code, &[&["approve"], args].concat());
        assert!(said.err.contains(wanted) && !said.err.contains("` approves"), "{}", said.err);
    };
    refused("ann", 1, &["-e", "dev", &plan], "pass --key FILE");
    let with = |key: &'static str| ["-e", "dev", "--key", key, plan.as_str()];
    refused("ann", 1, &with("mallory"), "would not count");
    refused("mallory", 1, &with("mallory"), "would not count");
    refused("mallory", 1, &with("ann"), "would not count");
    refused("ann", 64, &["-e", "prod", "--key", "ann", &plan], "there is no environment `prod`");
    project.expect(0, &["plan", "-e", "dev", "-o", "p.plan"]);
    refused("ann", 64, &["-e", "prod", "--key", "ann", "p.plan"], "is a plan of `dev`");
    let shown = project.expect(0, &["plan", "-e", "dev"]).out;
    let command = format!("dax approve -e dev --key FILE {plan}");
    assert!(shown.contains(&command), "{shown}");
    let denied = project.expect(3, &["apply", "-e", "dev", "--auto-approve", "-q"]).err;
    assert!(denied.contains(&command), "{denied}");
    let said = project.expect_as("ann", 0, &["approve", "-e", "dev", "--key", "ann", "p.plan"]);
    let short = &plan[..16];
    let wanted = format!("recorded: `ann` (team:sre) approves plan {short} of `dev`, signed\n");
    assert_eq!(said.err, wanted);
}

#[test]
fn whom_nobody_asks_is_told_so_with_who_is_asked() {
    let project = Project::new(GUARDED);
    let manifest = "project = \"test\"\n\ngroup \"team:sre\" { members = [\"ann\"] }\n";
    std::fs::write(project.path("dax.mod"), manifest).expect("written");
    let plan = digest(&project);
    let said = project.expect_as("mallory", 0, &["approve", "-e", "dev", &plan]).err;
    let warning = "warning: no rule of `dev` asks for `mallory`: asked are 1 of team:sre (ann)";
    assert!(said.contains(warning), "{said}");
    let said = project.expect_as("ann", 0, &["approve", "-e", "dev", &plan]).err;
    assert!(!said.contains("warning"), "{said}");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
}
