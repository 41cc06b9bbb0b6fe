//! The state tells the truth: what is gone, damaged, unfinished or only a program's word is said, with what to do.

use crate::project::{Project, Said, WEB, said, wait_until};
use std::net::TcpListener;
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

const BODY: &str = "import memory from \"std/memory\"

param version: string = \"1\"

provider memory.world {
}

service web {
  image = \"web:${version}\"
}
";

const PLAIN: &str = "
environment dev {
  bind web to memory.world
}
";

const GATED: &str = "
strategy gated: canary {
  step 50% approve 1
}

environment dev {
  bind web to memory.world
  rollout web with gated
}
";

fn plain() -> Project {
    Project::new(&format!("{BODY}{PLAIN}"))
}

fn apply(project: &Project, version: &str) {
    let version = format!("version={version}");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve", "-p", &version]);
}

/// Both outputs of a command.
fn all(said: &Said) -> String {
    format!("{}{}", said.out, said.err)
}

fn json(text: &str) -> serde_json::Value {
    serde_json::from_str(text).expect("JSON")
}

/// The image that is applied.
fn image(project: &Project) -> String {
    let shown = json(&project.expect(0, &["state", "show", "web", "-e", "dev"]).out);
    let text = shown.to_string();
    let at = text.find("web:").expect("an image");
    text[at..at + 5].to_owned()
}

const READING: [&[&str]; 9] = [
    &["status"],
    &["state", "verify"],
    &["state", "list"],
    &["drift", "-e", "dev"],
    &["plan", "-e", "dev"],
    &["apply", "-e", "dev", "--auto-approve"],
    &["history", "-e", "dev"],
    &["history", "-e", "dev", "--audit"],
    &["rollback", "-e", "dev", "--auto-approve"],
];

#[test]
fn a_state_that_is_gone_empty_or_another_is_an_error_in_every_command() {
    let project = plain();
    apply(&project, "1");
    apply(&project, "2");
    let own = project.path(".dax");
    let remove = || {
        for name in ["state.db", "state.db-wal", "state.db-shm"] {
            let _ = std::fs::remove_file(own.join(name));
        }
    };
    let kept = std::fs::read(own.join("state.db")).expect("a state");
    let other = plain();
    apply(&other, "1");
    let another = std::fs::read(other.path(".dax/state.db")).expect("a state");
    for content in [None, Some(Vec::new()), Some(another)] {
        remove();
        if let Some(content) = &content {
            std::fs::write(own.join("state.db"), content).expect("written");
        }
        for args in READING {
            let refused = project.expect(1, args);
            let text = all(&refused);
            assert!(
                text.contains("this machine remembers a state there of `dev`"),
                "{args:?}: {text}"
            );
            assert!(text.contains("dax state verify --accept"), "{args:?}: {text}");
        }
    }
    // The copy that was kept is put back.
    std::fs::write(own.join("state.db"), &kept).expect("written");
    assert_eq!(image(&project), "web:2");
    // Or a person says that it is meant to be gone: then it is a new beginning.
    remove();
    project.expect(0, &["state", "verify", "--accept"]);
    assert!(all(&project.expect(0, &["status"])).contains("nothing was applied yet"));
    let plan = project.dax(&["plan", "-e", "dev"]);
    assert!(all(&plan).contains("adopt"), "{}", all(&plan));
}

#[test]
fn what_goes_with_the_whole_folder_is_missed_and_an_old_copy_of_it_is_not_taken_for_the_state() {
    let project = plain();
    apply(&project, "1");
    let copy = |from: &str, to: &str| {
        let mut copy = Command::new("cp");
        copy.arg("-a").arg(project.path(from)).arg(project.path(to));
        assert!(copy.status().expect("cp runs").success());
    };
    copy(".dax", "old");
    apply(&project, "2");
    std::fs::remove_dir_all(project.path(".dax")).expect("removed");
    for args in READING {
        let text = all(&project.expect(1, args));
        assert!(text.contains("this machine remembers a state there of `dev`"), "{args:?}: {text}");
    }
    let _ = std::fs::remove_dir_all(project.path(".dax"));
    copy("old", ".dax");
    for args in READING {
        let text = all(&project.expect(1, args));
        assert!(text.contains("older"), "{args:?}: {text}");
    }
    // A person says that it is meant so.
    project.expect(0, &["state", "verify", "--accept"]);
    assert_eq!(image(&project), "web:1");
    // Where nothing was left, nothing is lost with the folder.
    project.expect(0, &["destroy", "-e", "dev", "--auto-approve"]);
    std::fs::remove_dir_all(project.path(".dax")).expect("removed");
    assert!(all(&project.expect(0, &["status"])).contains("nothing was applied yet"));
    apply(&project, "3");
}

#[test]
fn a_memory_that_is_cut_is_an_error_and_begins_anew_only_when_a_person_says_so() {
    let project = plain();
    apply(&project, "1");
    std::fs::write(project.memory(), "{\"plac").expect("written");
    let refused = project.expect(1, &["status"]).err;
    assert!(
        refused.contains("anchor.json") && refused.contains("is cut or was changed"),
        "{refused}"
    );
    project.expect(0, &["state", "verify", "--accept"]);
    project.expect(0, &["status"]);
    apply(&project, "2");
}

#[test]
fn verify_names_each_row_that_is_not_as_it_was_written() {
    let project = plain();
    apply(&project, "1");
    apply(&project, "2");
    let good = project.expect(0, &["state", "verify"]).out;
    assert!(good.contains("dev: sound; 2 states, 2 plans, 5 records, 2 journals"), "{good}");
    let whole = std::fs::read(project.path(".dax/state.db")).expect("a state");
    let change = |sql: &str| {
        std::fs::write(project.path(".dax/state.db"), &whole).expect("written");
        let file = rusqlite::Connection::open(project.path(".dax/state.db")).expect("the file");
        file.execute_batch(sql).expect("changed");
    };
    for kind in ["plans", "heads", "states", "journal", "audit", "points"] {
        let flip = format!(
            "UPDATE blobs SET bytes = CAST(replace(CAST(bytes AS TEXT), '\"', '''') AS BLOB) WHERE key = (SELECT max(key) FROM blobs WHERE key LIKE '{kind}/%')"
        );
        let delete = format!(
            "DELETE FROM blobs WHERE key = (SELECT max(key) FROM blobs WHERE key LIKE '{kind}/%')"
        );
        for sql in [flip, delete] {
            change(&sql);
            let found = project.expect(1, &["state", "verify"]);
            let named = found.out.lines().any(|line| line.starts_with(&format!("  {kind}/dev")));
            assert!(named, "{sql}: {}", all(&found));
        }
    }
}

#[test]
fn a_second_rollback_goes_further_back_and_an_apply_begins_anew_from_there() {
    let project = plain();
    for version in ["1", "2", "3"] {
        apply(&project, version);
    }
    let back = || project.dax(&["rollback", "-e", "dev", "--auto-approve"]);
    let first = back();
    assert!(first.code == 0 && first.err.contains("back to state 2"), "{}", all(&first));
    assert_eq!(image(&project), "web:2");
    let second = back();
    assert!(second.code == 0 && second.err.contains("back to state 1"), "{}", all(&second));
    assert_eq!(image(&project), "web:1");
    let none = back();
    assert!(none.code == 1 && none.err.contains("no earlier one is kept"), "{}", all(&none));
    assert_eq!(image(&project), "web:1");
    let history = project.expect(0, &["history", "-e", "dev"]).out;
    assert!(history.contains("rollback to 2") && history.contains("rollback to 1"), "{history}");
    project.expect(0, &["unpin", "-e", "dev"]);
    apply(&project, "5");
    assert_eq!(back().code, 0);
    assert_eq!(image(&project), "web:1", "what ran before the last apply");
}

/// A run that waits at its gate, and whose process is then killed.
fn interrupted() -> Project {
    let project = Project::new(&format!("{BODY}{GATED}"));
    apply(&project, "1");
    let args =
        ["apply", "-e", "dev", "--auto-approve", "-p", "version=2", "--events", "events.jsonl"];
    let mut child = project
        .command(&args)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("dax runs");
    wait_until("the gate", || {
        let events = std::fs::read_to_string(project.path("events.jsonl")).unwrap_or_default();
        events.contains("awaits_approval")
    });
    let under_way = all(&project.expect(0, &["status"]));
    assert!(under_way.contains("run 2 of `dev` (apply, by "), "{under_way}");
    assert!(under_way.contains("is in progress") && under_way.contains("dax pause"), "{under_way}");
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    project
}

#[test]
fn a_run_whose_process_is_dead_is_told_by_status_plan_and_drift_with_what_to_do() {
    let project = interrupted();
    for args in [&["status"][..], &["plan", "-e", "dev"], &["drift", "-e", "dev"]] {
        let text = all(&project.dax(args));
        assert!(
            text.contains("run 2 of `dev`") && text.contains("is interrupted"),
            "{args:?}: {text}"
        );
        assert!(text.contains("dax resume -e dev") && text.contains("dax abort -e dev"), "{text}");
    }
    let status = json(&project.expect(0, &["status", "--format", "json"]).out);
    assert_eq!(status["runs"][0]["state"], "interrupted");
    assert_eq!(status["runs"][0]["next"][0], "dax resume -e dev");
    // What differs in a service that the run changes may be its work.
    let world = std::fs::read_to_string(project.path(".dax/memory.json")).expect("a world");
    assert!(world.contains("\"replicas\":1"), "{world}");
    let other = world.replace("\"replicas\":1", "\"replicas\":4");
    std::fs::write(project.path(".dax/memory.json"), other).expect("written");
    let drift = project.expect(2, &["drift", "-e", "dev"]);
    assert!(!drift.out.contains("somebody else"), "{}", drift.out);
    assert!(drift.out.contains("perhaps run 2, which has not ended"), "{}", drift.out);
    let drift = json(&project.expect(2, &["drift", "-e", "dev", "--format", "json"]).out);
    assert_eq!((&drift["run"]["run"], &drift["run"]["state"]), (&2.into(), &"interrupted".into()));
    std::fs::write(project.path(".dax/memory.json"), world).expect("written");
    let plan = project.expect(0, &["plan", "-e", "dev", "--format", "markdown"]);
    assert!(plan.out.contains("is interrupted"), "{}", plan.out);
    let json_plan = project.expect(0, &["plan", "-e", "dev", "--format", "json"]);
    assert!(json_plan.err.contains("is interrupted"), "{}", json_plan.err);
    json(&json_plan.out);
    let refused = all(&project.expect(1, &["apply", "-e", "dev", "--auto-approve"]));
    assert!(refused.contains("run 2 of `dev` has not ended"), "{refused}");
    let aborted = all(&project.dax(&["abort", "-e", "dev", "--reason", "dead"]));
    assert!(aborted.contains("what ran before runs again: web"), "{aborted}");
    let quiet = json(&project.expect(0, &["status", "--format", "json"]).out);
    assert_eq!(quiet["runs"], serde_json::json!([]));
    project.expect(0, &["drift", "-e", "dev"]);
}

#[test]
fn a_run_that_is_held_is_told_and_what_failed_says_what_became_of_it() {
    let text = WEB
        .replace(
            "\"demo-service\"\n    \"--name\"\n    \"web\"",
            "word\n    \"--name\"\n    \"web\"",
        )
        .replace("param version", "param word: string = \"demo-service\"\nparam version")
        .replace("ready_within = 10s", "ready_within = 2s");
    let fails = |extra: &str| {
        let strategy = "  rollout web with careful\n";
        Project::new(&text.replace(strategy, &format!("{strategy}{extra}")))
    };
    let broken = ["apply", "-e", "dev", "--auto-approve", "-p", "word=no-such-word"];
    // Nothing ran before.
    let first = fails("");
    let said = all(&first.expect(5, &broken));
    assert!(said.contains("nothing ran before, and what was made was removed: web"), "{said}");
    assert!(!said.contains("runs again"), "{said}");
    assert!(said.contains("not rolled back, because complete before: api"), "{said}");
    // Something ran.
    let project = fails("");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve"]);
    let said = all(&project.expect(5, &broken));
    assert!(said.contains("what ran before runs again: web"), "{said}");
    // It is held.
    let project = fails("  on failure hold\n");
    project.expect(0, &["apply", "-e", "dev", "--auto-approve"]);
    project.expect(6, &broken);
    let status = all(&project.expect(0, &["status"]));
    assert!(status.contains("is held") && status.contains("dax resume -e dev --again"), "{status}");
    let status = json(&project.expect(0, &["status", "--format", "json"]).out);
    assert_eq!(status["runs"][0]["state"], "held");
    let drift = project.dax(&["drift", "-e", "dev"]);
    assert!(!drift.out.contains("somebody else"), "{}", drift.out);
    project.expect(5, &["abort", "-e", "dev", "--reason", "no"]);
}

/// A server that counts who comes and hears what they say.
fn server() -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
    let port = listener.local_addr().expect("an address").port();
    let count = Arc::new(AtomicUsize::new(0));
    let counted = count.clone();
    std::thread::spawn(move || {
        for client in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            drop(client);
        }
    });
    (port, count)
}

#[test]
fn a_state_that_only_the_program_names_gets_no_password_of_this_machine() {
    let project = plain();
    let (port, count) = server();
    let url = format!("postgres://dax@127.0.0.1:{port}/db");
    std::fs::write(project.path("dax.mod"), format!("project = \"test\"\nstate = \"{url}\"\n"))
        .expect("written");
    let memory = project.path("memory");
    let with = |args: &[&str], more: &[(&str, &str)]| {
        let mut command = project.command(args);
        command.env("PGPASSWORD", "hunter2").env("XDG_STATE_HOME", &memory);
        command.env_remove("DAX_STATE").envs(more.iter().copied());
        said(&command.output().expect("dax runs"))
    };
    for ci in [&[][..], &[("CI", "true")]] {
        let refused = with(&["plan", "-e", "dev"], ci);
        let text = all(&refused);
        assert!(refused.code == 1 && text.contains("PGPASSWORD of this machine"), "{text}");
        assert!(text.contains("DAX_STATE") && text.contains("dax state trust"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(count.load(Ordering::SeqCst), 0, "nobody was called");
    // A person names it.
    with(&["status"], &[("DAX_STATE", &url)]);
    let named = count.load(Ordering::SeqCst);
    assert!(named > 0, "it was called");
    // A person allows it, once for this project and this address.
    let trusted = with(&["state", "trust"], &[]);
    assert!(trusted.code == 0 && trusted.err.contains("127.0.0.1"), "{}", all(&trusted));
    with(&["status"], &[]);
    assert!(count.load(Ordering::SeqCst) > named, "it was called");
    let event = project.path("event.json");
    let fork = r#"{"action":"opened","pull_request":{"number":1,"head":{"sha":"a","repo":{"full_name":"eve/test"}},"base":{"sha":"b","repo":{"full_name":"acme/test"}}}}"#;
    std::fs::write(&event, fork).expect("written");
    let before = count.load(Ordering::SeqCst);
    let fork = [
        ("GITHUB_ACTIONS", "true"),
        ("GITHUB_EVENT_NAME", "pull_request"),
        ("GITHUB_EVENT_PATH", event.to_str().expect("a path")),
        ("GITHUB_SHA", "a"),
        ("GITHUB_REPOSITORY", "acme/test"),
    ];
    let refused = with(&["plan", "-e", "dev"], &fork);
    assert!(all(&refused).contains("in a pipeline no program decides that"), "{}", all(&refused));
    assert_eq!(count.load(Ordering::SeqCst), before, "what was allowed is not for a fork");
    // Nor for any other job, whose program is a change request's; the address is the job's word.
    let jobs = [("GITHUB_ACTIONS", "true"), ("GITLAB_CI", "true"), ("BITBUCKET_BUILD_NUMBER", "7")];
    for job in jobs {
        let refused = with(&["plan", "-e", "dev"], &[job]);
        let text = all(&refused);
        assert!(refused.code == 1 && text.contains("Set DAX_STATE in the job"), "{text}");
        assert!(!text.contains("hunter2"), "{text}");
    }
    assert_eq!(count.load(Ordering::SeqCst), before, "nobody was called for the program");
    with(&["status"], &[jobs[1], ("DAX_STATE", &url)]);
    assert!(count.load(Ordering::SeqCst) > before, "the job named it");
    let other = url.replace("/db", "/other");
    std::fs::write(project.path("dax.mod"), format!("project = \"test\"\nstate = \"{other}\"\n"))
        .expect("written");
    assert_eq!(with(&["status"], &[]).code, 1, "another address is another matter");
    std::fs::write(project.path("dax.mod"), "project = \"test\"\nstate = \"s3://bucket/x\"\n")
        .expect("written");
    let refused = all(&with(&["status"], &[("AWS_ACCESS_KEY_ID", "AKIDEXAMPLE")]));
    assert!(refused.contains("your credentials for AWS would be used there"), "{refused}");
    std::fs::write(project.path("dax.mod"), "project = \"test\"\n").expect("written");
}

#[test]
fn a_program_names_no_file_outside_of_the_project_and_none_that_came_with_it() {
    let outer = tempfile::tempdir().expect("a folder");
    let project = plain();
    let url = |url: &str| {
        let text = format!("project = \"test\"\nstate = \"file:{url}\"\n");
        std::fs::write(project.path("dax.mod"), text).expect("written");
    };
    std::os::unix::fs::symlink(outer.path(), project.path("out")).expect("a link");
    let absolute = outer.path().join("state.db").display().to_string();
    for path in ["../state.db", "a/../../state.db", &absolute, ".git/state.db", "out/state.db"] {
        url(path);
        let refused = all(&project.expect(1, &["status"]));
        assert!(refused.contains("the program says that the state is at"), "{path}: {refused}");
    }
    assert_eq!(std::fs::read_dir(outer.path()).expect("a folder").count(), 0);
    url("state.db");
    apply(&project, "1");
    let git = |args: &[&str]| {
        let done = Command::new("git").args(args).current_dir(project.path("")).output();
        assert!(done.expect("git runs").status.success(), "{args:?}");
    };
    git(&["init", "-q"]);
    git(&["add", "-f", "state.db"]);
    let refused = all(&project.expect(1, &["status"]));
    assert!(refused.contains("git tracks it"), "{refused}");
    git(&["rm", "-q", "--cached", "state.db"]);
    project.expect(0, &["status"]);
}

#[test]
fn where_nothing_can_be_written_what_reads_works_and_what_writes_says_so() {
    let project = plain();
    apply(&project, "1");
    let spaces = Command::new("unshare").args(["--map-root-user", "--mount", "true"]).status();
    if !spaces.is_ok_and(|status| status.success()) {
        return dax_tests::peers::not_tested("unshare", "no mount namespace may be made here");
    }
    let here = project.path("");
    let read_only = |what: &str, args: &[&str]| {
        let script = format!(
            "mount --bind \"$1\" \"$1\" && mount -o remount,ro,bind \"$1\" && cd '{}' && shift && exec \"$@\"",
            here.display()
        );
        let dax = project.command(args);
        let mut command = Command::new("unshare");
        command.args(["--map-root-user", "--mount", "sh", "-c", &script, "sh"]);
        command.arg(here.join(what)).arg(dax.get_program()).args(dax.get_args());
        command.env("NO_COLOR", "1").env_remove("CI").stdin(Stdio::null());
        said(&command.output().expect("it runs"))
    };
    for what in [".dax", ""] {
        for args in [
            &["status"][..],
            &["history", "-e", "dev"],
            &["plan", "-e", "dev"],
            &["drift", "-e", "dev"],
            &["state", "verify"],
            &["state", "list"],
        ] {
            let read = read_only(what, args);
            assert_eq!(read.code, 0, "`{what}` {args:?}: {}", all(&read));
        }
        let args = ["apply", "-e", "dev", "--auto-approve", "-p", "version=2"];
        let refused = read_only(what, &args);
        assert!(
            refused.code == 1 && refused.err.contains("cannot be written"),
            "{}",
            all(&refused)
        );
    }
    assert_eq!(image(&project), "web:1");
    let fresh = plain();
    let here = fresh.path("");
    let script =
        "mount --bind . . && mount -o remount,ro,bind \"$PWD\" && cd \"$PWD\" && exec \"$@\"";
    let mut command = Command::new("unshare");
    command.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]).current_dir(here);
    command.arg(env!("CARGO_BIN_EXE_dax")).arg("status").env("NO_COLOR", "1");
    let status = said(&command.output().expect("it runs"));
    assert!(status.code == 0 && status.err.contains("nothing was applied yet"), "{}", all(&status));
}

#[test]
fn whatever_the_umask_is_the_files_are_this_users_alone() {
    use std::os::unix::fs::PermissionsExt;
    let project = plain();
    let dax = project.command(&["apply", "-e", "dev", "--auto-approve"]);
    let mut command = Command::new("sh");
    command.args(["-c", "umask 000; exec \"$@\"", "sh"]).arg(dax.get_program());
    command.args(dax.get_args()).current_dir(project.path(""));
    assert!(command.output().expect("it runs").status.success());
    let mode = |path: &str| {
        let found = std::fs::metadata(project.path(path)).expect("it is there");
        found.permissions().mode() & 0o777
    };
    assert_eq!(mode(".dax"), 0o700);
    assert_eq!(mode(".dax/state.db"), 0o600);
    let memory = std::fs::metadata(project.memory()).expect("it is there");
    assert_eq!(memory.permissions().mode() & 0o777, 0o600);
}

#[test]
fn an_empty_secret_is_refused_by_name() {
    let body = BODY.replace(
        "service web {\n",
        "secret pw: string from env(\"DB_PW\")\n\nsecret file: string from file(\"pw.txt\")\n\nservice web {\n  env = { PW: pw, FILE: file }\n",
    );
    let project = Project::new(&format!("{body}{PLAIN}"));
    std::fs::write(project.path("pw.txt"), "\n").expect("written");
    let with = |value: &str| {
        let mut command = project.command(&["apply", "-e", "dev", "--auto-approve"]);
        said(&command.env("DB_PW", value).output().expect("dax runs"))
    };
    let refused = all(&with(""));
    assert!(
        refused.contains("DAX7002") && refused.contains("`DB_PW` is set to nothing"),
        "{refused}"
    );
    assert!(refused.contains("the file `pw.txt` is empty"), "{refused}");
    std::fs::write(project.path("pw.txt"), "x\n").expect("written");
    let refused = with("");
    assert_eq!(refused.code, 1, "{}", all(&refused));
    assert_eq!(with("y").code, 0);
}

#[test]
fn who_waits_for_another_run_plans_upon_what_it_leaves() {
    let project = Project::new(&format!("{BODY}{GATED}"));
    apply(&project, "1");
    let args =
        ["apply", "-e", "dev", "--auto-approve", "-p", "version=2", "--events", "events.jsonl"];
    let mut first = project.start(&args);
    let told = |word: &str| {
        std::fs::read_to_string(project.path("events.jsonl")).unwrap_or_default().contains(word)
    };
    wait_until("the gate", || told("awaits_approval"));
    let second = project
        .command(&[
            "apply",
            "-e",
            "dev",
            "--auto-approve",
            "-p",
            "version=2",
            "--lock-timeout",
            "30s",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dax runs");
    std::thread::sleep(std::time::Duration::from_millis(700));
    let events = std::fs::read_to_string(project.path("events.jsonl")).expect("events");
    let waits = events.lines().map(json).find(|line| line["event"] == "awaits_approval");
    let step = waits.expect("it waits")["step"].to_string();
    project.expect(0, &["approve", "-e", "dev", "--step", &step]);
    assert!(first.wait().expect("it ends").success());
    let second = said(&second.wait_with_output().expect("it ends"));
    assert_eq!(second.code, 0, "{}", all(&second));
}
