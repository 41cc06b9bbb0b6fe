//! Commands that change nothing outside of the project's folder.

use crate::project::{Project, WEB};
use std::io::Write;
use std::process::Stdio;

#[test]
fn init_makes_a_project_that_checks_formats_and_plans() {
    let project = Project::new("");
    std::fs::remove_file(project.path("main.dax")).expect("removed");
    std::fs::remove_file(project.path("dax.mod")).expect("removed");
    project.expect(0, &["init"]);
    assert_eq!(project.expect(0, &["check"]).err, "");
    project.expect(0, &["fmt", "--check"]);
    let plan = project.expect(0, &["plan"]);
    assert!(plan.out.contains("1 to create"), "{}", plan.out);
    let again = project.expect(1, &["init"]);
    assert!(again.err.contains("is there already"), "{}", again.err);
}

#[test]
fn words_that_do_not_fit_end_with_64_and_say_what_would() {
    let project = Project::web();
    project.expect(64, &["plann"]);
    let environment = project.expect(64, &["plan", "-e", "devv"]);
    assert!(environment.err.contains("did you mean `dev`?"), "{}", environment.err);
    let param = project.expect(64, &["plan", "-e", "dev", "-p", "versoin=2"]);
    assert!(param.err.contains("did you mean `version`?"), "{}", param.err);
    let nobody = project.expect(64, &["apply", "-e", "dev"]);
    assert!(nobody.err.contains("--auto-approve"), "{}", nobody.err);
    project.expect(0, &["--version"]);
    project.expect(0, &["--help"]);
}

#[test]
fn diagnostics_come_in_every_format_and_end_with_1() {
    let project = Project::new("service web {\n  replicas = \"x\"\n}\n");
    let human = project.expect(1, &["check"]);
    assert!(human.err.contains("DAX3001") && human.err.contains("main.dax:2:14"), "{}", human.err);
    let short = project.expect(1, &["check", "--format", "short"]);
    assert!(short.out.starts_with("main.dax:2:14: error[DAX3001]"), "{}", short.out);
    let json = project.expect(1, &["check", "--format", "json"]);
    let json: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(json["diagnostics"][0]["span"]["start"]["line"], 2);
    let sarif = project.expect(1, &["check", "--format", "sarif"]);
    let sarif: serde_json::Value = serde_json::from_str(&sarif.out).expect("JSON");
    assert_eq!(sarif["runs"][0]["results"][0]["ruleId"], "DAX3001");
    let github = project.expect(1, &["check", "--format", "github"]);
    assert!(github.out.starts_with("::error file=main.dax,line=2,col=14,"), "{}", github.out);
    project.expect(1, &["plan", "-e", "dev"]);
}

#[test]
fn without_a_project_the_way_to_one_is_shown() {
    let project = Project::web();
    std::fs::remove_file(project.path("dax.mod")).expect("removed");
    assert!(project.expect(1, &["check"]).err.contains("dax init"));
}

#[test]
fn fmt_settles_files_and_standard_input() {
    let project = Project::new("let  a=1\n");
    let check = project.expect(1, &["fmt", "--check"]);
    assert!(check.out.contains("main.dax"));
    project.expect(0, &["fmt"]);
    project.expect(0, &["fmt", "--check"]);
    assert_eq!(std::fs::read_to_string(project.path("main.dax")).expect("there"), "let a = 1\n");
    let mut child = project
        .command(&["fmt", "-"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("started");
    child.stdin.take().expect("piped").write_all(b"let b=  2\n").expect("written");
    let output = child.wait_with_output().expect("ended");
    assert_eq!(String::from_utf8_lossy(&output.stdout), "let b = 2\n");
}

#[test]
fn why_names_the_place_and_what_lost() {
    let project = Project::new(
        &WEB.replace("replicas = 2", "replicas = default 2")
            .replace("rollout web", "set web { replicas = 7 }\n  rollout web"),
    );
    let why = project.expect(0, &["why", "dev.web.replicas"]).out;
    let (lost, won) = (
        why.find("instead of 2").expect("the default"),
        why.find("dev.web.replicas = 7").expect("the set"),
    );
    assert!(lost < won && why.contains("plain, by `set`"), "{why}");
    let version = project.expect(0, &["why", "dev.web.command"]).out;
    assert!(version.contains("where version is defined: main.dax:3:7"), "{version}");
    let missing = project.expect(1, &["why", "dev.web.replica"]);
    assert!(missing.err.contains("it has"), "{}", missing.err);
}

#[test]
fn graphs_come_as_dot_mermaid_and_svg_and_the_program_as_json() {
    let project = Project::web();
    assert!(project.expect(0, &["graph"]).out.contains("\"web\" -> \"api\""));
    assert!(project.expect(0, &["graph", "--format", "mermaid"]).out.contains("web --> api"));
    assert!(project.expect(0, &["graph", "--format", "svg"]).out.contains("</svg>"));
    let build: serde_json::Value =
        serde_json::from_str(&project.expect(0, &["build", "-e", "dev"]).out).expect("JSON");
    assert_eq!(build["environments"]["dev"]["services"]["service.web"]["values"]["replicas"], 2);
    assert_eq!(
        build["environments"]["dev"]["services"]["service.web"]["provenance"]["replicas"]["layer"],
        "plain"
    );
}

#[test]
fn explain_shows_a_page_for_every_code() {
    let project = Project::web();
    let all = project.expect(0, &["explain"]).out;
    let codes: Vec<&str> =
        all.lines().skip(1).filter_map(|line| line.split_whitespace().next()).collect();
    assert!(codes.len() > 50);
    for code in codes {
        assert!(
            project.expect(0, &["explain", code]).out.starts_with(&format!("# {code}")),
            "{code}"
        );
    }
    project.expect(64, &["explain", "DAX9999"]);
}

#[test]
fn plan_has_every_format_and_the_same_bytes_each_time() {
    let project = Project::web();
    let json = project.expect(0, &["plan", "-e", "dev", "--format", "json"]);
    assert_eq!(project.expect(0, &["plan", "-e", "dev", "--format", "json"]).out, json.out);
    let parsed: serde_json::Value = serde_json::from_str(&json.out).expect("JSON");
    assert_eq!(parsed["changes"].as_array().map(Vec::len), Some(2));
    assert!(
        project.expect(0, &["plan", "-e", "dev", "--format", "markdown"]).out.contains("```diff")
    );
    assert!(
        project
            .expect(0, &["plan", "-e", "dev", "--format", "html"])
            .out
            .starts_with("<!doctype html>")
    );
    project.expect(2, &["plan", "-e", "dev", "--detailed-exitcode"]);
}
