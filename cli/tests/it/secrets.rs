//! A secret's value is in no file of dax, in no output and in no log.

use crate::project::{Project, WEB, all_bytes, said, wait_until};
use std::process::Command;

const VALUE: &str = "hunter2-correct-horse-battery";
const FILE_VALUE: &str = "file-secret-staple-93417";

#[test]
fn the_value_reaches_the_process_and_nothing_else() {
    let text = WEB
        .replace(
            "ports   = { http: PORT1 }",
            "ports   = { http: PORT1 }\n  env     = { TOKEN: token, PASSWORD: password, URL: secret\"db://${token}:${password}@host\" }",
        )
        .replace(
            "service api",
            "secret token: string from env(\"DAX_TEST_TOKEN\")\n\nsecret password: string from file(\"password.txt\")\n\nservice api",
        );
    let project = Project::new(&text);
    std::fs::write(project.path("password.txt"), format!("{FILE_VALUE}\n")).expect("written");
    let mut outputs = String::new();
    for args in [
        vec!["plan", "-e", "dev", "--format", "human,markdown,html,json"],
        vec!["build", "-e", "dev"],
        vec!["apply", "-e", "dev", "--auto-approve", "-v"],
        vec!["status", "--format", "json"],
        vec!["history", "--format", "json"],
        vec!["why", "dev.api.env.TOKEN"],
        vec!["plan", "-e", "dev", "-o", "plan.json"],
    ] {
        let output =
            project.command(&args).env("DAX_TEST_TOKEN", VALUE).output().expect("dax runs");
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        outputs.push_str(&String::from_utf8_lossy(&output.stdout));
        outputs.push_str(&String::from_utf8_lossy(&output.stderr));
    }
    let api = project
        .processes()
        .into_iter()
        .find(|(_, line)| line.contains("--name api"))
        .expect("api runs")
        .0;
    let environ = std::fs::read(format!("/proc/{api}/environ")).expect("its environment");
    let environ = String::from_utf8_lossy(&environ);
    assert!(environ.contains(VALUE) && environ.contains(FILE_VALUE), "the process needs them");
    assert!(
        environ.contains(&format!("URL=db://{VALUE}:{FILE_VALUE}@host")),
        "a text of secrets is put together for the process"
    );
    let agent = project.agent().expect("an agent");
    let agent = String::from_utf8_lossy(
        &std::fs::read(format!("/proc/{agent}/environ")).expect("its environment"),
    )
    .into_owned();
    for value in [VALUE, FILE_VALUE] {
        assert!(!outputs.contains(value), "a command printed it");
        assert!(!agent.contains(value), "the agent's environment holds it");
        let files = all_bytes(&project.path(".dax"));
        assert!(files.len() > 5, "the files are there");
        for (path, bytes) in files.into_iter().chain([(
            project.path("plan.json"),
            std::fs::read(project.path("plan.json")).expect("the plan"),
        )]) {
            let holds = bytes.windows(value.len()).any(|window| window == value.as_bytes());
            assert!(!holds, "{} holds it", path.display());
        }
    }
    // Another value is a change, though nobody can read it.
    let changed = project
        .command(&["plan", "-e", "dev", "--detailed-exitcode"])
        .env("DAX_TEST_TOKEN", "another")
        .output()
        .expect("dax runs");
    assert_eq!(changed.status.code(), Some(2));
}

const DECLARED: &str = r#"import theirs from "./theirs"

secret token: string from env("DAX_TEST_TOKEN")

secret password: string from file("password.txt")

"#;

const MIXED: &str = r#"{
    TOKEN: token
    URL: secret"https://u:${token}@host/x"
    WORD: secret"w-${token}"
    BOTH: secret"${token}:${password}"
    TURNED: secret"${password}:${token}"
    PASSWORD: password
    THEIRS: theirs.token
    OF_THEIRS: secret"w-${theirs.token}"
  }"#;

/// The variables of a process that are made of secrets.
fn made_of_secrets(pid: i32) -> Vec<String> {
    let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("its environment");
    let environ = String::from_utf8_lossy(&environ);
    let names = ["BOTH", "OF_THEIRS", "PASSWORD", "THEIRS", "TOKEN", "TURNED", "URL", "WORD"];
    let one = |name: &str| {
        let mut found = environ
            .split('\0')
            .filter(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with('=')));
        found.next().unwrap_or_default().to_owned()
    };
    names.map(one).to_vec()
}

#[test]
fn secrets_and_texts_made_of_them_are_not_taken_for_each_other() {
    let text = WEB
        .replace(
            "ports   = { http: PORT1 }",
            &format!("ports   = {{ http: PORT1 }}\n  env     = {MIXED}"),
        )
        .replace("param version", &format!("{DECLARED}param version"));
    let project = Project::new(&text);
    std::fs::write(project.path("password.txt"), FILE_VALUE).expect("written");
    // Another secret of the same name.
    let theirs = "secret token: string from env(\"DAX_TEST_THEIRS\")\n";
    std::fs::create_dir(project.path("theirs")).expect("a folder");
    std::fs::write(project.path("theirs/main.dax"), theirs).expect("written");
    let apply = |version: &str| {
        let args = ["apply", "-e", "dev", "--auto-approve", "-q", "-p", version];
        let mut command = project.command(&args);
        command.env("DAX_TEST_TOKEN", VALUE).env("DAX_TEST_THEIRS", "theirs-55120");
        let said = said(&command.output().expect("dax runs"));
        assert_eq!(said.code, 0, "{}\n{}", said.out, said.err);
    };
    let api = || {
        let found = project.processes().into_iter().find(|(_, line)| line.contains("--name api"));
        found.map(|(pid, _)| pid)
    };
    let kill = |pid: i32| {
        Command::new("kill").args(["-9", &pid.to_string()]).status().expect("killed");
    };
    let kill_agent = || {
        kill(project.agent().expect("an agent"));
        wait_until("the agent's end", || project.agent().is_none());
    };
    let wanted = [
        format!("BOTH={VALUE}:{FILE_VALUE}"),
        "OF_THEIRS=w-theirs-55120".to_owned(),
        format!("PASSWORD={FILE_VALUE}"),
        "THEIRS=theirs-55120".to_owned(),
        format!("TOKEN={VALUE}"),
        format!("TURNED={FILE_VALUE}:{VALUE}"),
        format!("URL=https://u:{VALUE}@host/x"),
        format!("WORD=w-{VALUE}"),
    ];
    let answers = || project.get(project.ports[1]).is_ok_and(|got| got.0 == 200);
    apply("version=1");
    let first = api().expect("it runs");
    assert_eq!(made_of_secrets(first), wanted);

    // The next agent finds the values where the process has them, and starts it again with them.
    kill_agent();
    apply("version=2");
    assert_eq!(api(), Some(first), "nothing changed for it");
    kill(first);
    wait_until("its next process", || api().is_some_and(|pid| pid != first) && answers());
    let second = api().expect("it runs");
    assert_eq!(made_of_secrets(second), wanted);

    // Where nothing of it runs any more, an apply gives them anew.
    kill_agent();
    kill(second);
    wait_until("its end", || api().is_none());
    apply("version=2");
    wait_until("an answer", answers);
    assert_eq!(made_of_secrets(api().expect("it runs")), wanted);
}

const CLONED: &str = r#"import memory from "std/memory"

provider memory.world {
}

secret token: string from env("DAX_TEST_TOKEN")

service web {
  image = "acme/web:1"
  env   = { TOKEN: token }
}

environment dev {
  bind web to memory.world
}
"#;

/// Commands of clones that share a state and a world; each clone has a folder and a home of its own.
struct Clones {
    world: tempfile::TempDir,
    state: String,
    key: Option<String>,
    said: std::cell::RefCell<String>,
}

impl Clones {
    fn dax(&self, clone: &Project, args: &[&str]) -> (i32, String) {
        let home = clone.path("home");
        std::fs::create_dir_all(&home).expect("a home");
        let mut command = clone.command(args);
        command.env("HOME", &home).env("XDG_STATE_HOME", home.join("state"));
        command.env("DAX_MEMORY", self.world.path()).env("DAX_STATE", &self.state);
        command
            .env("DAX_TEST_TOKEN", VALUE)
            .envs(self.key.iter().map(|key| ("DAX_STATE_KEY", key)));
        let said = said(&command.output().expect("dax runs"));
        let text = format!("{}{}", said.out, said.err);
        self.said.borrow_mut().push_str(&text);
        (said.code, text)
    }
}

#[test]
fn fresh_clones_that_share_a_state_see_the_same_secret() {
    for key in [None, Some("7".repeat(64))] {
        let Some(state) = dax_tests::peers::shared::database() else { return };
        let world = tempfile::tempdir().expect("a folder");
        let clones = Clones { world, state: state.clone(), key, said: Default::default() };
        let first = Project::new(CLONED);
        // A clone of an older version has a key of its own, which moves.
        assert_eq!(clones.dax(&first, &["status"]).0, 0);
        let old = [0xab; 32];
        std::fs::write(first.path(".dax/fingerprint.key"), old).expect("written");
        let (code, text) = clones.dax(&first, &["apply", "-e", "dev", "--auto-approve", "-v"]);
        assert_eq!(code, 0, "{text}");
        assert!(!first.path(".dax/fingerprint.key").exists(), "it moved");
        for _ in 0..2 {
            let clone = Project::new(CLONED);
            let args = ["plan", "-e", "dev", "--detailed-exitcode", "--format", "human,json"];
            let (code, text) = clones.dax(&clone, &args);
            assert_eq!(code, 0, "a fresh clone plans changes that nobody made: {text}");
            assert!(!clone.path(".dax/fingerprint.key").exists(), "it makes a key of its own");
        }
        clones.dax(&Project::new(CLONED), &["state", "pull", "-e", "dev"]);
        clones.dax(&Project::new(CLONED), &["state", "verify", "-v"]);
        let said = clones.said.borrow();
        assert!(said.contains("web") && !said.contains(VALUE), "a command printed the value");
        for form in ["abababab", "q6urq6ur", "\u{ab}\u{ab}\u{ab}"] {
            assert!(!said.contains(form), "a command printed the key");
        }
        let rows = dax_tests::peers::shared::sql(&state, "SELECT bytes FROM dax_state");
        let rows = format!("{rows:?}");
        // The bytes of the key's digits, as PostgreSQL shows bytes.
        assert_eq!(rows.contains(&"6162".repeat(32)), clones.key.is_none());
        assert!(rows.len() > 1_000, "{rows}");
    }
}
