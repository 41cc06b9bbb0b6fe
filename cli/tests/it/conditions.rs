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
    let mut command = project.command(&["approve", "-e", "dev", &digest]);
    assert!(command.env("DAX_USER", who).output().expect("dax runs").status.success());
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
    let reset = ["state", "conditions", "-e", "dev", "--reset", "--reason", "ann has left"];
    let said = project.expect(0, &reset);
    assert!(said.err.contains("now those of the program"), "{}", said.err);
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-q"]);
    project.expect(0, &["state", "verify"]);
    let again = project.expect(0, &reset);
    assert!(again.err.contains("already"), "{}", again.err);
}
