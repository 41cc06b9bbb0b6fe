//! What is printed: nothing from outside acts on a terminal, a log or a reader, and what is lost
//! fails.

use crate::project::{Project, Said, said};
use dax_core::printable::is_hidden;
use std::io::Read;
use std::process::Stdio;

/// Clears a screen, rings, goes back to the start of the line, turns the reading order, hides,
/// and begins lines of its own.
const HOSTILE: &str =
    "\u{1b}[2J\u{7}\rgood\u{9b}31m\u{202e}\u{2066}\u{200b}\u{2028}\u{e0041}\n::error::x\n999  2026";

/// The same as the language writes it.
const WRITTEN: &str = "\\u{1b}[2J\\u{7}\\rgood\\u{9b}31m\\u{202e}\\u{2066}\\u{200b}\\u{2028}\
    \\u{e0041}\\n::error::x\\n999  2026";

const PROGRAM: &str = r#"import memory from "std/memory"

param version: string = "1"

provider memory.world {
}

let settings = { "K=HOSTILE": "v=HOSTILE" }

service web {
  image  = "web:${version}"
  env    = { VALUE: "v=HOSTILE ${version}", "KEY HOSTILE": "x" }
}

## A note that Markdown makes worse: &#x202e; &#27; &#x200b;
param note: string = "x"

policy loud on plan {
  warn s in services where true { message = "watch out HOSTILE" }
  deny s in services where version == "9" { message = "denied HOSTILE" }
}

environment dev {
  bind web to memory.world
}

test "passes HOSTILE" {
  assert true
}

test "fails HOSTILE" {
  assert "a HOSTILE" == "b HOSTILE"
}
"#;

fn hostile() -> Project {
    Project::new(&PROGRAM.replace("HOSTILE", WRITTEN))
}

fn run(project: &Project, args: &[&str]) -> Said {
    said(&project.command(args).env("DAX_USER", format!("eve {HOSTILE}")).output().expect("runs"))
}

/// Nothing that acts or hides, and no line that a pipeline obeys.
fn assert_printable(what: &str, text: &str) {
    let found = text.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\t'));
    assert_eq!(found, None, "{what} prints {found:?}:\n{}", text.escape_debug());
    let command = text.lines().find(|line| line.trim_start().starts_with("::"));
    assert_eq!(command, None, "{what} gives a pipeline a command");
    assert!(!text.lines().any(|line| line.starts_with("999")), "{what}: a line of its own\n{text}");
}

/// Every command that shows something, in every format.
const SHOWN: &[&str] = &[
    "check",
    "check --format short",
    "check --format json",
    "check --format sarif",
    "lint",
    "lint --format json",
    "lint --format sarif",
    "test",
    "test --format json",
    "test --format junit",
    "plan -e dev",
    "plan -e dev --format markdown",
    "plan -e dev --format html",
    "plan -e dev --format json",
    "plan -e dev --simulate",
    "plan -e dev -p version=9",
    "plan -e dev -o p.plan",
    "show p.plan",
    "show p.plan --format markdown",
    "show p.plan --format html",
    "show p.plan --format json",
    "diff p.plan p.plan --format json",
    "why dev.web.env",
    "why dev.web.env --format json",
    "eval settings",
    "eval settings --format json",
    "graph -e dev",
    "graph -e dev --format mermaid",
    "graph -e dev --format svg",
    "build",
    "status",
    "status --format json",
    "drift -e dev",
    "drift -e dev --format json",
    "history",
    "history --format json",
    "history --format prometheus",
    "history -e dev --audit",
    "history -e dev --audit --format json",
    "history -e dev --run 1",
    "history -e dev --run 1 --format json",
    "state list",
    "state list --format json",
    "state show web -e dev",
    "state pull -e dev",
    "state verify",
    "doctor",
    "doctor --format json",
    "explain DAX1013",
];

fn words(line: &str) -> Vec<&str> {
    line.split(' ').collect()
}

#[test]
fn no_command_prints_a_character_from_outside_that_acts_or_hides() {
    let project = hostile();
    let reason = format!("because {HOSTILE}");
    let changes: [&[&str]; 5] = [
        &["apply", "-e", "dev", "--auto-approve", "--reason", &reason, "--events", "events"],
        &["pin", "-e", "dev", "--reason", &reason],
        &["apply", "-e", "dev", "--auto-approve", "-p", "version=2"],
        &["unpin", "-e", "dev", "--reason", &reason],
        &["apply", "-e", "dev", "--auto-approve", "-p", "version=2", "--point", HOSTILE],
    ];
    for args in changes {
        let said = run(&project, args);
        assert_printable(&format!("{args:?}"), &(said.out + &said.err));
    }
    for line in SHOWN {
        let said = run(&project, &words(line));
        assert!(said.code < 100, "{line}: {} {}", said.code, said.err);
        assert_printable(line, &(said.out + &said.err));
    }
    for file in ["events", "p.plan"] {
        let text = std::fs::read_to_string(project.path(file)).expect("written");
        assert_printable(file, &text);
    }
    run(&project, &["doc", "-o", "site"]);
    for page in std::fs::read_dir(project.path("site")).expect("pages").flatten() {
        let text = std::fs::read_to_string(page.path()).expect("a page");
        let hidden = text.chars().find(|c| is_hidden(*c) && !matches!(c, '\n' | '\t'));
        assert_eq!(hidden, None, "{}", page.path().display());
    }
    let wrong: [&[&str]; 4] =
        [&["plan", "-e", HOSTILE], &["explain", HOSTILE], &[HOSTILE, "x"], &["eval", HOSTILE]];
    for args in wrong {
        let said = run(&project, args);
        assert_ne!(said.code, 0);
        assert_printable(&format!("{args:?}"), &(said.out + &said.err));
    }
}

#[test]
fn the_record_shows_one_line_for_each_entry_whatever_was_said() {
    let project = hostile();
    let forged = "ok\n999  2026-01-01T00:00:00Z  alice  approve  1";
    let wide = format!("fine{}999  2026-01-01T00:00:00Z  alice", " ".repeat(400));
    for reason in [forged, &wide, "\u{2028}999", "\r999"] {
        run(&project, &["pin", "-e", "dev", "--reason", reason]);
        run(&project, &["unpin", "-e", "dev", "--reason", reason]);
    }
    let audit = project.expect(0, &["history", "-e", "dev", "--audit"]).out;
    let records = project.expect(0, &["history", "-e", "dev", "--audit", "--format", "json"]).out;
    let records: serde_json::Value = serde_json::from_str(&records).expect("JSON");
    let records = records["records"].as_array().expect("records");
    assert_eq!(records.len(), 8);
    assert_eq!(records[0]["why"], forged, "the record itself keeps every character");
    let lines: Vec<&str> = audit.lines().collect();
    assert_eq!(lines.len(), 1 + records.len(), "{audit}");
    for (number, line) in lines[1..].iter().enumerate() {
        let cells: Vec<&str> = line.split("  ").filter(|cell| !cell.trim().is_empty()).collect();
        assert_eq!(cells[0], (number + 1).to_string(), "{audit}");
        // Number, time, who, what and why: no cell passes for two.
        assert_eq!(cells.len(), 5, "{cells:?}");
        assert!(cells[2].starts_with("eve \\u{1b}") && cells[2].chars().count() < 400, "{line}");
    }
    let long = "x".repeat(1001);
    assert_eq!(run(&project, &["pin", "-e", "dev", "--reason", &long]).code, 64);
}

#[test]
fn output_that_is_lost_fails_the_command_and_a_reader_that_went_does_not() {
    let project = hostile();
    project.expect(0, &["apply", "-e", "dev", "--auto-approve"]);
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a full disk");
    let silent = ["drift -e dev", "lint", "check", "check --format short"];
    let shown = SHOWN.iter().filter(|line| !silent.contains(*line));
    for line in shown.chain(&["--help", "--version", "init --help"]) {
        let output = project.command(&words(line)).stdout(full()).output().expect("runs");
        let output = said(&output);
        assert_ne!(output.code, 0, "{line}");
        let told = "cannot write to stdout: no space left on device";
        assert!(output.err.contains(told), "{line}: {}", output.err);
    }
    for line in ["build", "plan -e dev --format json", "state pull -e dev"] {
        let mut child = project
            .command(&words(line))
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("starts");
        drop(child.stdout.take());
        let mut told = String::new();
        child.stderr.take().expect("piped").read_to_string(&mut told).expect("read");
        assert_eq!(child.wait().expect("ends").code(), Some(141), "{line}");
        assert!(!told.contains("stdout"), "{line}: {told}");
    }
}

#[test]
fn a_run_whose_plan_cannot_be_shown_does_not_begin_and_one_whose_reader_went_ends_as_it_ends() {
    let project = hostile();
    let full = || std::fs::File::options().write(true).open("/dev/full").expect("a full disk");
    let apply = ["apply", "-e", "dev", "--auto-approve"];
    let output = said(&project.command(&apply).stdout(full()).output().expect("runs"));
    assert_eq!(output.code, 1);
    assert!(output.err.contains("no space left on device"), "{}", output.err);
    assert!(output.err.contains("nothing was changed"), "{}", output.err);
    assert_eq!(project.expect(0, &["history"]).out, "");
    let mut child = project.command(&apply).stdout(Stdio::piped()).spawn().expect("starts");
    drop(child.stdout.take());
    assert_eq!(child.wait().expect("ends").code(), Some(0), "the run is what was asked for");
    // The events of a run are lost: the run goes on, and the command says so.
    let events = [&apply[..], &["-p", "version=2", "--events", "/dev/full"]].concat();
    let lost = project.expect(1, &events);
    assert!(lost.err.contains("/dev/full: no space left on device"), "{}", lost.err);
    assert!(lost.err.contains("done: `dev` is as planned"), "{}", lost.err);
    let runs = project.expect(0, &["history", "--format", "json"]).out;
    let runs: serde_json::Value = serde_json::from_str(&runs).expect("JSON");
    assert_eq!(runs["runs"].as_array().map(Vec::len), Some(2), "{runs}");
}

#[test]
fn a_program_that_reads_differently_from_what_it_is_does_not_check_and_is_shown_escaped() {
    let project = Project::new("let a = 1\n");
    for c in ['\u{202e}', '\u{2066}', '\u{202a}', '\u{1b}', '\u{9b}', '\u{2028}', '\u{7f}'] {
        for text in [
            format!("# a {c} comment\nlet a = 1\n"),
            format!("let a = \"{c}x\"\n"),
            format!("let a = \"\"\"\n  {c}x\n  \"\"\"\n"),
            format!("let a{c} = 1\n"),
            format!("let é = \"ü{c}\" + 1\n"),
        ] {
            project.write(&text);
            for format in ["human", "short", "json", "sarif"] {
                let said = run(&project, &["check", "--format", format]);
                assert_eq!(said.code, 1, "{text:?}");
                let all = said.out + &said.err;
                assert!(all.contains("DAX1013"), "{text:?}: {all}");
                assert_printable(&format!("{text:?} {format}"), &all);
            }
        }
    }
    project.write("let b = \"ü\u{202e}\" # \u{1b}[2J\n");
    let human = run(&project, &["check"]).err;
    assert!(human.contains("[main.dax:1:11]"), "{human}");
    assert!(human.contains(r#"let b = "ü\u{202e}" # \u{1b}[2J"#), "{human}");
    let column = |line: &str| line.find(r"\u{202e}").map(|at| line[..at].chars().count());
    let source = human.lines().find_map(column).expect("the source");
    let caret = human.lines().find_map(|line| {
        line.find(['─', '┬']).filter(|_| line.contains('┬')).map(|at| line[..at].chars().count())
    });
    assert_eq!(caret, Some(source), "the mark stands below the escape:\n{human}");
    // Nothing but what shapes what is seen stays, and it is no finding.
    project.write("let b = \"❤\u{fe0f} می\u{200c}خواهم\" # 👩\u{200d}🚀\nlet c = b\n");
    project.expect(0, &["check"]);
    assert!(!project.dax(&["lint"]).err.contains("DAX9032"));
}

#[test]
fn what_cannot_be_seen_is_found_and_fixed() {
    let text = "let a = \"x\u{202e}\" # \u{200b}\n";
    let project = Project::new(text);
    assert_eq!(run(&project, &["fmt"]).code, 0);
    let kept = std::fs::read_to_string(project.path("main.dax")).expect("there");
    assert_eq!(kept, text, "the format changes no character");
    project.write("let a = \"x\u{200b}\" # \u{ad}\nlet b = a\n");
    let found = project.expect(0, &["lint"]).err;
    assert!(found.matches("DAX9032").count() == 2 && found.contains("U+200B"), "{found}");
    project.expect(0, &["lint", "--fix"]);
    let fixed = std::fs::read_to_string(project.path("main.dax")).expect("there");
    assert!(fixed.contains(r#"let a = "x\u{200b}" #"#) && fixed.is_ascii(), "{fixed:?}");
}

/// What a failing service writes, as `printf` makes it: it clears the screen, says that all is well
/// and begins lines.
const WRITES: &str = r#"[
    "sh"
    "-c"
    "printf 'a\\033[2Jb\\007c\\rAll good, applied.\\n::add-mask::a\\n\\302\\2331m\\342\\200\\256d\\n'; exit 3"
  ]"#;

#[test]
fn the_last_lines_of_a_failing_service_are_shown_escaped() {
    let project = Project::new(
        &crate::project::WEB
            .replace("[\"dax\", \"demo-service\", \"--name\", \"api\"]", WRITES)
            .replace("ready_within = 10s", "ready_within = 1s"),
    );
    let failed = run(&project, &["apply", "-e", "dev", "--auto-approve", "--events", "events"]);
    assert_eq!(failed.code, 5, "{}", failed.err);
    assert!(failed.err.contains(r"a\u{1b}[2Jb\u{7}c\rAll good"), "{}", failed.err);
    for (what, text) in [
        ("apply", failed.out + &failed.err),
        ("history", run(&project, &["history", "--run", "1", "-e", "dev"]).out),
        ("json", run(&project, &["history", "--run", "1", "-e", "dev", "--format", "json"]).out),
        ("events", std::fs::read_to_string(project.path("events")).expect("events")),
    ] {
        assert_printable(what, &text);
    }
}

#[test]
fn a_pipe_that_another_process_made_non_blocking_gets_everything() {
    let long = "x".repeat(300_000);
    let project = Project::new(&format!(
        "import memory from \"std/memory\"\nprovider memory.world {{\n}}\nservice web {{\n  \
         image = \"web:1\"\n  env = {{ A: \"{long}\" }}\n}}\n\
         environment dev {{\n  bind web to memory.world\n}}\n"
    ));
    let (mut reader, writer) = std::io::pipe().expect("a pipe");
    let flags = rustix::fs::fcntl_getfl(&writer).expect("flags");
    rustix::fs::fcntl_setfl(&writer, flags | rustix::fs::OFlags::NONBLOCK).expect("set");
    let mut child = project.command(&["build"]).stdout(writer).spawn().expect("starts");
    std::thread::sleep(std::time::Duration::from_millis(300));
    let mut read = String::new();
    reader.read_to_string(&mut read).expect("read");
    assert_eq!(child.wait().expect("ends").code(), Some(0));
    let json: serde_json::Value = serde_json::from_str(&read).expect("whole JSON");
    assert!(json.to_string().contains(&long));
}

#[test]
fn a_report_for_reviewers_shows_hostile_text_as_escapes_and_forges_no_line() {
    let project = hostile();
    let passing = PROGRAM.split("test \"fails").next().expect("the program without its test");
    project.write("let a = 1\n");
    let git = |args: &[&str]| {
        let done = std::process::Command::new("git")
            .args(["-c", "user.name=eve\u{1b}[2J", "-c", "user.email=a@b"])
            .args(args)
            .current_dir(project.path("."))
            .output()
            .expect("git runs");
        assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    };
    git(&["init", "-q", "-b", "hostile-\u{202e}"]);
    git(&["add", "main.dax", "dax.mod"]);
    git(&["commit", "-qm", "one"]);
    project.write(&passing.replace("HOSTILE", WRITTEN));
    git(&["commit", "-qam", "two"]);
    let ci = project
        .command(&["ci", "--base", "HEAD~1", "--dry-run", "--output", "report"])
        .env_remove("GITHUB_ACTIONS")
        .env_remove("GITLAB_CI")
        .env_remove("BITBUCKET_BUILD_NUMBER")
        .output()
        .expect("runs");
    let ci = said(&ci);
    assert_eq!(ci.code, 0, "{}", ci.err);
    assert!(ci.out.contains("\n!   │ 999"), "a line of a message is seen to be one:\n{}", ci.out);
    assert_printable("ci", &(ci.out + &ci.err));
    for file in std::fs::read_dir(project.path("report")).expect("a folder").flatten() {
        let text = std::fs::read_to_string(file.path()).expect("a file");
        assert_printable(&file.path().display().to_string(), &text);
    }
}
