//! Values of secrets: masked in whatever form a service writes them, withheld where nobody can mask
//! them, and given again after the agent's death.

use super::{APPLY, SCRIPT, kill, kill_agent, running, scripted};
use crate::project::{Project, all_bytes, said, wait_until};
use std::process::{Output, Stdio};
use std::time::Duration;

const VALUE: &str = "CANARY/env plain+9a?";

fn program() -> String {
    SCRIPT
        .replace("  ports ", "  env     = { TOK: tok }\n  ports ")
        .replace("service web", "secret tok: string from env(\"DAX_TEST_TOK\")\n\nservice web")
}

fn command(project: &Project, args: &[&str]) -> std::process::Command {
    let mut command = project.command(args);
    command.env("DAX_TEST_TOK", VALUE);
    command
}

/// The forms in which the value must be nowhere.
fn forms() -> Vec<String> {
    let hex: String = VALUE.bytes().map(|byte| format!("{byte:02x}")).collect();
    vec![
        VALUE.to_owned(),
        "Q0FOQVJZL2VudiBwbGFpbis5YT8".to_owned(), // base64
        "CANARY%2Fenv%20plain%2B9a".to_owned(),
        hex.to_uppercase(),
        hex,
    ]
}

fn assert_nowhere(project: &Project, output: &Output) {
    let said = said(output);
    let history = project.dax(&["history", "--run", "2"]);
    let shown = [said.out, said.err, history.out, history.err].join("\n");
    for form in forms() {
        assert!(!shown.contains(&form), "{form} in {shown}");
        for (path, bytes) in all_bytes(&project.path(".dax")) {
            // Its own log is the service's to write.
            let log = path.to_string_lossy().contains("/logs/");
            let holds = bytes.windows(form.len()).any(|window| window == form.as_bytes());
            assert!(log || !holds, "{form} in {}", path.display());
        }
    }
}

const ECHO: &str = r#"echo "token $TOK"
printf %s "$TOK" | base64
printf 'user:%s' "$TOK" | base64
printf %s "$TOK" | od -An -tx1 | tr -d ' \n'; echo
echo 'CANARY%2Fenv%20plain%2B9a%3F'
"#;

#[test]
fn a_failing_service_shows_its_secrets_in_no_form() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let script = format!("{ECHO}[ $1 = bad ] && exit 3\nexec {dax} demo-service\n");
    let project = scripted(&program(), &script);
    assert!(command(&project, APPLY).output().expect("dax runs").status.success());
    let bad = [APPLY, &["-p", "v=bad", "--events", "events.jsonl"]].concat();
    let failed = command(&project, &bad).output().expect("dax runs");
    assert_eq!(failed.status.code(), Some(5));
    let said = said(&failed).err;
    assert!(said.contains("its last lines") && said.contains("***"), "{said}");
    let events = std::fs::read_to_string(project.path("events.jsonl")).expect("events");
    assert!(forms().iter().all(|form| !events.contains(form.as_str())), "{events}");
    assert_nowhere(&project, &failed);
}

#[test]
fn an_agent_that_was_restarted_in_the_middle_shows_no_secret() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let script = format!("{ECHO}[ $1 = bad ] && sleep 2.5 && exit 3\nexec {dax} demo-service\n");
    let project = scripted(&program(), &script);
    assert!(command(&project, APPLY).output().expect("dax runs").status.success());
    let bad = [APPLY, &["-p", "v=bad", "--events", "events.jsonl"]].concat();
    let child = command(&project, &bad)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("dax starts");
    wait_until("the bad one", || !running(&project, "s.sh bad").is_empty());
    std::thread::sleep(Duration::from_millis(700));
    kill(project.agent().expect("an agent"));
    let failed = child.wait_with_output().expect("ended");
    assert_ne!(failed.status.code(), Some(0));
    let events = std::fs::read_to_string(project.path("events.jsonl")).expect("events");
    assert!(forms().iter().all(|form| !events.contains(form.as_str())), "{events}");
    assert_nowhere(&project, &failed);
}

#[test]
fn a_service_with_secrets_that_died_without_an_agent_is_drift_that_an_apply_mends() {
    let dax = env!("CARGO_BIN_EXE_dax");
    let project = scripted(&program(), &format!("exec {dax} demo-service\n"));
    assert!(command(&project, APPLY).output().expect("dax runs").status.success());
    for agent_comes_back in [false, true] {
        kill_agent(&project);
        kill(running(&project, "demo-service")[0]);
        wait_until("its end", || running(&project, "demo-service").is_empty());
        if agent_comes_back {
            // Another change starts the agent, and does not have the secret.
            let other = ["apply", "-e", "dev", "--auto-approve", "-q"];
            let failed = project.command(&other).env_remove("DAX_TEST_TOK").output();
            assert!(!failed.expect("dax runs").status.success());
        }
        let plan = ["plan", "-e", "dev", "--detailed-exitcode"];
        let planned = said(&command(&project, &plan).output().expect("dax runs"));
        assert_eq!(planned.code, 2, "{}\n{}", planned.out, planned.err);
        let drift = ["drift", "-e", "dev"];
        assert_eq!(said(&command(&project, &drift).output().expect("dax runs")).code, 2);
        let mended = said(&command(&project, APPLY).output().expect("dax runs"));
        assert_eq!(mended.code, 0, "{}", mended.err);
        wait_until("an answer", || project.get(project.ports[0]).is_ok_and(|got| got.0 == 200));
        let pid = running(&project, "demo-service")[0];
        let environ = std::fs::read(format!("/proc/{pid}/environ")).expect("its environment");
        assert!(String::from_utf8_lossy(&environ).contains(VALUE));
        let planned = said(&command(&project, &plan).output().expect("dax runs"));
        assert_eq!(planned.code, 0, "{}", planned.out);
    }
}
