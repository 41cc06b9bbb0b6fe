//! Records, folders and requests that somebody else made: nothing of them is believed, and nothing
//! ends the agent.

use super::{APPLY, PLAN};
use crate::project::{Project, wait_until};
use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

/// A record that starts a command of whoever wrote it, as an older agent would have believed it.
const FORGED: &str = r#"{"format_version":VERSION,MAC"boot":"","services":[{"environment":"dev","service":"api","settings":{"ports":{"map":{}}},"traffic":{},"routes":[],"commands":[],"revisions":{"deadbeef":{"spec":{"map":{"command":{"list":[{"str":"sh"},{"str":"-c"},{"str":"id >RCE"}]},"env":{"map":{}},"health":"none"}},"wanted":1,"replicas":[{"number":0,"ports":{},"process":null,"token":"0123456789abcdef"}]}}}]}"#;

#[test]
fn a_record_of_somebody_else_starts_nothing_and_is_named() {
    let project = Project::web();
    project.expect(0, &["plan", "-e", "dev"]);
    let local = project.path(".dax/local");
    std::fs::create_dir_all(local.join("logs/dev/api")).expect("made");
    std::fs::write(local.join("logs/dev/api/deadbeef-0.log"), "").expect("written");
    let mac = format!("\"mac\":\"{}\",", "0".repeat(64));
    for (version, mac) in [("1", ""), ("2", ""), ("2", mac.as_str())] {
        let record = FORGED.replace("VERSION", version).replace("MAC", mac);
        std::fs::write(local.join("agent.json"), &record).expect("written");
        for args in [PLAN, &["status"], &["drift", "-e", "dev"], APPLY] {
            let said = project.dax(args);
            let text = said.out + &said.err;
            // Before the first apply there is nothing whose status or drift could be read.
            if args[0] == "plan" || args[0] == "apply" {
                assert_ne!(said.code, 0, "{args:?}");
                assert!(text.contains("agent.json"), "{args:?}: {text}");
                assert!(text.contains("dax agent --end"), "{args:?}: {text}");
            }
        }
        std::thread::sleep(Duration::from_millis(500));
        assert!(!project.path("RCE").exists(), "a command of the record ran");
        assert!(project.processes().is_empty());
        assert_eq!(std::fs::read_to_string(local.join("agent.json")).expect("there"), record);
    }
    project.expect(0, &["agent", "--end"]);
    project.expect(0, APPLY);
    assert!(!project.path("RCE").exists());
}

#[test]
fn a_record_of_another_project_is_not_believed_here() {
    let (one, other) = (Project::web(), Project::web());
    one.expect(0, APPLY);
    other.expect(0, &["plan", "-e", "dev"]);
    std::fs::create_dir_all(other.path(".dax/local")).expect("made");
    std::fs::copy(one.path(".dax/local/agent.json"), other.path(".dax/local/agent.json"))
        .expect("copied");
    let said = other.dax(PLAN);
    let text = said.out + &said.err;
    assert!(text.contains("was not written on this machine for this folder"), "{text}");
    assert_eq!(other.agent(), None);
}

#[test]
fn in_a_path_of_any_length_the_socket_is_in_the_projects_own_folder() {
    let project = Project::web();
    let deep = project.path(&["long"; 30].map(|name| format!("{name}-{name}")).join("/"));
    std::fs::create_dir_all(&deep).expect("made");
    for name in ["dax.mod", "main.dax"] {
        std::fs::copy(project.path(name), deep.join(name)).expect("copied");
    }
    let run = |args: &[&str]| {
        let mut command = project.command(args);
        command.current_dir(&deep).env_remove("XDG_RUNTIME_DIR");
        crate::project::said(&command.output().expect("dax runs"))
    };
    let applied = run(APPLY);
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert!(deep.join(".dax/local/agent.sock").exists());
    assert_eq!(run(PLAN).code, 0);
    assert_eq!(run(&["destroy", "-e", "dev", "--auto-approve", "-q"]).code, 0);
    assert!(project.processes().is_empty());
}

#[test]
fn noise_and_silence_on_the_socket_do_no_harm() {
    let project = Project::web();
    project.expect(0, APPLY);
    let agent = project.agent().expect("an agent");
    let socket = project.path(".dax/local/agent.sock");
    let silent: Vec<UnixStream> =
        (0..50).map(|_| UnixStream::connect(&socket).expect("connected")).collect();
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for round in 0..200 {
        let mut stream = UnixStream::connect(&socket).expect("connected");
        stream.set_read_timeout(Some(Duration::from_secs(5))).expect("set");
        let mut bytes = Vec::new();
        for _ in 0..(round % 64) * 8 {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            bytes.extend(seed.to_le_bytes());
        }
        match round % 4 {
            0 => bytes.push(b'\n'),
            1 => bytes = "[".repeat(100_000).into_bytes(),
            2 => bytes.extend(b"{\"Read\":{\"environment\":\"\"}}\n"),
            _ => {}
        }
        let _ = stream.write_all(&bytes);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let _ = stream.read_to_end(&mut Vec::new());
    }
    project.expect(0, PLAN);
    assert_eq!(project.agent(), Some(agent), "it is still the same agent");
    // Whoever says nothing is let go of.
    let open = || std::fs::read_dir(format!("/proc/{agent}/fd")).expect("its files").count();
    let with_silence = open();
    wait_until("an end of silence", || open() + 40 < with_silence || with_silence < 50);
    drop(silent);
    project.expect(0, PLAN);
}
