//! The author's commands: tests, lint, eval, doc, packages, and what a change touches.

use crate::project::Project;
use std::path::Path;
use std::process::Command;

const PROGRAM: &str = r#"import local from "std/local"

## How many copies run.
param copies: int 1..9 = 2

provider local.machine {
}

service web {
  command  = ["dax", "demo-service"]
  replicas = copies
}

environment dev {
  bind web to local.machine
}

policy few on check {
  deny s in services where s.replicas > 7 { message = "${s.name} has ${s.replicas}" }
}

policy frozen on apply {
  deny where copies_are_odd() { message = "not now" }
}

fn copies_are_odd() -> bool = mod(copies, 2) == 1

test "kept" {
  given n: int 1..7
  assert plan(environment.dev, copies: n).web.replicas == n
}

test "refused" {
  expect DAX4020 from plan(environment.dev, copies: 8)
}
"#;

fn git(folder: &Path, args: &[&str]) {
    let output = Command::new("git")
        .current_dir(folder)
        .args([
            "-c",
            "user.name=dax",
            "-c",
            "user.email=dax@example.com",
            "-c",
            "init.defaultBranch=main",
        ])
        .args(args)
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn tests_pass_fail_and_are_told_as_junit() {
    let project = Project::new(PROGRAM);
    let said = project.dax(&["test"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(said.out, "ok    kept (100 cases)\nok    refused\n");
    project.write(&PROGRAM.replace("replicas == n", "replicas < 5"));
    let said = project.dax(&["test", "--junit", "report.xml"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("FAIL  kept") && said.out.contains("with n = 5"), "{}", said.out);
    let report = std::fs::read_to_string(project.path("report.xml")).expect("the report");
    assert!(
        report.contains("<testsuites tests=\"2\" failures=\"1\"")
            && report.contains("<failure message="),
        "{report}"
    );
    let said = project.dax(&["test", "nothing has this title"]);
    assert_eq!((said.code, said.out.as_str()), (0, ""));
}

#[test]
fn policies_hold_up_check_plan_and_apply_with_an_exit_code_of_their_own() {
    let project = Project::new(PROGRAM);
    let said = project.dax(&["check", "-p", "copies=8"]);
    assert_eq!(said.code, 3, "{}", said.err);
    assert!(said.err.contains("DAX4020") && said.err.contains("web has 8"), "{}", said.err);
    assert_eq!(project.dax(&["plan", "-p", "copies=8"]).code, 3);
    assert_eq!(project.dax(&["plan", "-p", "copies=3", "-o", "saved.plan"]).code, 0);
    let said = project.dax(&["apply", "saved.plan", "--auto-approve"]);
    assert_eq!(said.code, 3, "the policy on apply is asked for a saved plan, too: {}", said.err);
    assert!(said.err.contains("not now"), "{}", said.err);
    assert_eq!(project.dax(&["status"]).code, 0);
}

#[test]
fn lint_finds_and_mends() {
    let project = Project::new(&PROGRAM.replace("copies\n}", "if true then copies else 1\n}"));
    let said = project.dax(&["lint", "--format", "short", "--strict"]);
    assert_eq!(said.code, 1);
    assert!(said.out.contains("DAX9016"), "{}", said.out);
    assert_eq!(project.dax(&["lint", "--fix"]).code, 0);
    let text = std::fs::read_to_string(project.path("main.dax")).expect("the program");
    assert!(text.contains("replicas = copies\n"), "{text}");
    assert_eq!(project.dax(&["lint", "--strict"]).code, 0);
    assert!(project.dax(&["lint", "--list"]).out.lines().count() > 25);
}

#[test]
fn expressions_are_evaluated_alone_and_one_after_the_other() {
    let project = Project::new(PROGRAM);
    assert_eq!(project.dax(&["eval", "copies * 2", "-p", "copies=4"]).out, "8\n");
    assert_eq!(project.dax(&["eval", "web.replicas", "-e", "dev", "--format", "json"]).out, "2\n");
    let said = project.dax(&["eval", "nothing"]);
    assert_eq!(said.code, 1);
    assert!(said.err.contains("DAX2002"), "{}", said.err);
    assert_eq!(project.dax(&["eval", "1", "-e", "nowhere"]).code, 64);
    let output = project.with_input(
        &["eval"],
        "let a = 3\na + 1\n:type [a]\n:env dev\nweb.replicas\n:nonsense\n:quit\n99\n",
    );
    assert_eq!(output.out, "4\nList<int>\n2\n", "{}", output.err);
    assert!(output.err.contains(":nonsense"));
}

#[test]
fn the_site_names_everything_and_shows_no_markup_of_the_program() {
    let project = Project::new(&PROGRAM.replace(
        "## How many copies run.",
        "## How many <script>alert(1)</script> [x](javascript:y) copies run.",
    ));
    assert_eq!(project.dax(&["doc", "-o", "site"]).code, 0);
    let page = std::fs::read_to_string(project.path("site/module.html")).expect("the page");
    assert!(!page.contains("<script>") && !page.contains("javascript:"), "{page}");
    assert!(page.contains("copies_are_odd") && page.contains("policy-few"), "{page}");
    let environment =
        std::fs::read_to_string(project.path("site/environment-dev.html")).expect("the page");
    assert!(
        environment.contains("replicas") && environment.contains("main.dax:11"),
        "{environment}"
    );
}

#[test]
fn packages_are_brought_locked_and_refused_when_they_were_changed() {
    let project = Project::new("import base from \"acme/base\"\nlet two = base.twice(1)\n");
    let repository = project.path("elsewhere");
    std::fs::create_dir_all(&repository).expect("a folder");
    std::fs::write(repository.join("dax.mod"), "project = \"base\"\n").expect("written");
    std::fs::write(repository.join("main.dax"), "fn twice(n: int) -> int = n * 2\n")
        .expect("written");
    git(&repository, &["init", "--quiet"]);
    git(&repository, &["add", "."]);
    git(&repository, &["commit", "--quiet", "-m", "one"]);
    let rev = Command::new("git")
        .current_dir(&repository)
        .args(["rev-parse", "HEAD"])
        .output()
        .expect("git runs")
        .stdout;
    let rev = String::from_utf8_lossy(&rev).trim().to_owned();
    let manifest = format!(
        "project = \"test\"\nrequire \"acme/base\" {{ git = \"{}\", rev = \"{rev}\" }}\n",
        repository.display()
    );
    std::fs::write(project.path("dax.mod"), manifest).expect("written");
    let said = project.dax(&["check"]);
    assert!(said.code == 1 && said.err.contains("DAX8006"), "{}", said.err);
    let said = project.dax(&["vendor"]);
    assert!(said.code == 0 && said.out.contains("brought"), "{}{}", said.out, said.err);
    assert_eq!(project.dax(&["check"]).code, 0);
    let file = project.path(&format!("vendor/acme/base@{rev}/main.dax"));
    std::fs::write(file, "fn twice(n: int) -> int = n * 3\n").expect("written");
    let said = project.dax(&["check"]);
    assert!(
        said.code == 1 && said.err.contains("DAX8008") && said.err.contains("main.dax"),
        "{}",
        said.err
    );
}

#[test]
fn a_change_affects_the_environments_whose_graph_it_touches() {
    let project = Project::new(PROGRAM);
    let folder = project.path("");
    git(&folder, &["init", "--quiet"]);
    git(&folder, &["add", "."]);
    git(&folder, &["commit", "--quiet", "-m", "one"]);
    project.write(&format!("# A comment changes nothing.\n{PROGRAM}"));
    assert_eq!(project.dax(&["affected", "--base", "HEAD"]).out, "");
    project.write(&PROGRAM.replace("int 1..9 = 2", "int 1..9 = 3"));
    let said = project.dax(&["affected", "--base", "HEAD", "--format", "json"]);
    let found: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
    assert_eq!(found["affected"][0]["environment"], "dev");
    assert_eq!(found["affected"][0]["how"], "changed");
    assert_eq!(found["affected"][0]["services"][0], "service.web");
    let said = project.dax(&["affected", "--base", "no-such-revision"]);
    assert!(said.code == 1 && said.err.contains("git"), "{}", said.err);
}

#[test]
fn a_protected_service_is_not_destroyed_and_an_environment_with_approvals_waits() {
    let bind = "  bind web to local.machine\n";
    let project =
        Project::new(&PROGRAM.replace(bind, &format!("{bind}  protect web from destroy\n")));
    let said = project.dax(&["destroy", "--auto-approve"]);
    assert!(said.code == 3 && said.err.contains("protected"), "{}", said.err);
    project.write(&PROGRAM.replace(bind, &format!("{bind}  approve 1 of [\"team:sre\"]\n")));
    let said = project.dax(&["apply", "--auto-approve"]);
    assert!(said.code == 3 && said.err.contains("team:sre"), "{}", said.err);
}

#[test]
fn the_types_of_a_schema_are_checked_by_dax() {
    let project =
        Project::new("import schema from \"./schema.dax\"\nlet a: schema.Widget = { size: 3 }\n");
    let schema = r##"{ "title": "Widget", "type": "object", "required": ["size"], "properties": {
        "size": { "type": "integer", "minimum": 1, "maximum": 9, "description": "How large." },
        "next": { "$ref": "#" } } }"##;
    std::fs::write(project.path("schema.json"), schema).expect("written");
    let said = project.dax(&["import-schema", "schema.json", "-o", "schema.dax"]);
    assert_eq!(said.code, 0, "{}", said.err);
    assert_eq!(project.dax(&["check"]).code, 0, "{}", project.dax(&["check"]).err);
    project.write("import schema from \"./schema.dax\"\nlet a: schema.Widget = { size: 12 }\n");
    assert!(project.dax(&["check"]).err.contains("not within 1..9"));
    assert_eq!(project.dax(&["import-schema", "main.dax"]).code, 1);
}
