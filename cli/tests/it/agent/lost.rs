//! When the agent, its record or its folder is gone: reads tell the truth and touch nothing, and
//! there is a way back.

use super::{APPLY, PLAN, kill_agent};
use crate::project::{Project, wait_until};

const RECORD: &str = ".dax/local/agent.json";

#[test]
fn reads_neither_start_nor_end_anything_and_an_apply_starts_the_agent() {
    let project = Project::web();
    project.expect(0, APPLY);
    let before = project.services();
    kill_agent(&project);
    let status = project.expect(0, &["status"]);
    assert!(status.out.contains("0/2") && status.err.contains("agent"), "{}", status.err);
    let plan = project.expect(2, PLAN);
    assert!(plan.out.contains("not running"), "{}", plan.out);
    assert_eq!(project.dax(&["drift", "-e", "dev"]).code, 2);
    project.dax(&["doctor", "-e", "dev"]);
    assert_eq!(project.agent(), None, "a read started an agent");
    assert_eq!(project.services(), before);
    project.expect(0, APPLY);
    assert!(project.agent().is_some());
    assert_eq!(project.services(), before, "the same processes");
    wait_until("an answer", || project.get(project.ports[0]).is_ok_and(|got| got.0 == 200));
    wait_until("readiness", || project.dax(&["status"]).out.contains("2/2"));
    project.expect(0, PLAN);
}

/// A record as somebody leaves it behind; nothing where it is removed.
type Spoil = fn(&[u8]) -> Option<Vec<u8>>;

#[test]
fn a_record_that_is_not_to_be_believed_is_named_with_what_runs_and_the_way_out() {
    let spoilt: [(&str, Spoil, &str); 5] = [
        ("cut", |bytes| Some(bytes[..bytes.len() / 2].to_vec()), "agent.json"),
        ("a brace", |_| Some(b"{".to_vec()), "is damaged"),
        ("newer", |_| Some(br#"{"format_version":9,"services":[]}"#.to_vec()), "format 9"),
        ("older", |_| Some(br#"{"format_version":1,"services":[]}"#.to_vec()), "format 1"),
        ("gone", |_| None, "is gone"),
    ];
    let project = Project::web();
    for (name, spoil, says) in spoilt {
        project.expect(0, APPLY);
        kill_agent(&project);
        let before = project.services();
        assert_eq!(before.len(), 3, "{name}");
        let record = std::fs::read(project.path(RECORD)).expect("a record");
        let left = spoil(&record);
        match &left {
            Some(bytes) => std::fs::write(project.path(RECORD), bytes).expect("written"),
            None => std::fs::remove_file(project.path(RECORD)).expect("removed"),
        }
        for args in [APPLY, &["status"], &["destroy", "-e", "dev", "--auto-approve", "-q"]] {
            let refused = project.dax(args);
            assert_ne!(refused.code, 0, "{name}: {args:?}\n{}", refused.err);
            for part in [says, "dax agent --end", &before[0].to_string()] {
                assert!(refused.err.contains(part), "{name}: {part} in {args:?}\n{}", refused.err);
            }
        }
        assert_eq!(project.services(), before, "{name}: nothing is started a second time");
        assert_eq!(
            std::fs::read(project.path(RECORD)).ok(),
            left,
            "{name}: it is not written over"
        );
        project.expect(0, &["agent", "--end"]);
        assert!(project.processes().is_empty(), "{name}");
        if let Some(left) = left {
            let aside = std::fs::read(project.path(".dax/local/agent.json.aside"));
            assert_eq!(aside.expect("it is kept"), left, "{name}");
        }
    }
    project.expect(0, APPLY);
    wait_until("three processes", || project.services().len() == 3);
    project.expect(0, PLAN);
}

#[test]
fn a_folder_that_was_deleted_while_the_agent_ran_is_found_by_what_still_runs() {
    let project = Project::web();
    project.expect(0, APPLY);
    let before = project.services();
    std::fs::remove_dir_all(project.path(".dax/local")).expect("removed");
    for args in [APPLY, &["status"]] {
        let refused = project.dax(args);
        assert_ne!(refused.code, 0, "{args:?}");
        assert!(
            refused.err.contains("is gone")
                && refused.err.contains("dax agent --end")
                && refused.err.contains(&before[0].to_string()),
            "{}",
            refused.err
        );
    }
    assert_eq!(project.services(), before);
    project.expect(0, &["agent", "--end"]);
    assert!(project.processes().is_empty());
    project.expect(0, APPLY);
    wait_until("an answer", || project.get(project.ports[0]).is_ok_and(|got| got.0 == 200));
}

#[test]
fn something_else_in_place_of_the_record_is_no_record() {
    let project = Project::web();
    project.expect(0, APPLY);
    let before = project.services();
    for kind in ["a folder", "a link", "nobody's"] {
        let record = project.path(RECORD);
        if project.agent().is_some() {
            kill_agent(&project);
        }
        let kept = std::fs::read(&record).expect("a record");
        std::fs::remove_file(&record).expect("removed");
        match kind {
            "a folder" => std::fs::create_dir(&record).expect("made"),
            "a link" => std::os::unix::fs::symlink("/etc/passwd", &record).expect("linked"),
            _ => {
                std::fs::write(&record, &kept).expect("written");
                // Only root can give files away; for others it is a file that cannot be read.
                if std::os::unix::fs::chown(&record, Some(65_534), None).is_err() {
                    let none = std::os::unix::fs::PermissionsExt::from_mode(0o000);
                    std::fs::set_permissions(&record, none).expect("set");
                }
            }
        }
        let refused = project.dax(APPLY);
        assert_ne!(refused.code, 0, "{kind}");
        for part in ["agent.json", "dax agent --end", &before[0].to_string()] {
            assert!(refused.err.contains(part), "{kind}: {part}\n{}", refused.err);
        }
        assert_eq!(project.services(), before, "{kind}");
        let _ = std::fs::remove_dir(&record);
        let _ = std::fs::remove_file(&record);
        std::fs::write(&record, &kept).expect("put back");
    }
    project.expect(0, APPLY);
    assert_eq!(project.services(), before);
}

#[test]
fn a_port_that_another_project_has_is_named_with_that_project() {
    let project = Project::web();
    project.expect(0, APPLY);
    let other = Project::new(
        &crate::project::WEB
            .replace("PORT0", &project.ports[0].to_string())
            .replace("PORT1", &project.ports[1].to_string()),
    );
    let refused = other.dax(APPLY);
    let agent = project.agent().expect("an agent").to_string();
    let folder = project.path("dax.mod").canonicalize().expect("a path");
    let folder = folder.parent().expect("a folder").display().to_string();
    for part in ["is taken by process", &agent, &folder, "ports.http"] {
        assert!(refused.err.contains(part), "{part}\n{}", refused.err);
    }
}

#[test]
fn a_project_that_was_moved_is_told_of_what_it_left_running() {
    for agent_lives in [true, false] {
        let outer = Project::new("");
        let (old, new) = (outer.path("old"), outer.path("new"));
        std::fs::create_dir(&old).expect("made");
        let project = Project::web();
        for name in ["dax.mod", "main.dax"] {
            std::fs::copy(project.path(name), old.join(name)).expect("copied");
        }
        let run = |folder: &std::path::Path, args: &[&str]| {
            let mut command = outer.command(args);
            crate::project::said(&command.current_dir(folder).output().expect("dax runs"))
        };
        assert_eq!(run(&old, APPLY).code, 0);
        let before = outer.services();
        assert_eq!(before.len(), 3);
        if !agent_lives {
            kill_agent(&outer);
        }
        std::fs::rename(&old, &new).expect("moved");
        run(&new, &["state", "trust"]);
        // Something is to be changed, so that the agent is asked for more than a look.
        let other = [APPLY, &["-p", "version=2"]].concat();
        let refused = run(&new, &other);
        assert_ne!(refused.code, 0, "{agent_lives}");
        assert!(refused.err.contains("dax agent --end"), "{agent_lives}: {}", refused.err);
        let known = agent_lives || refused.err.contains(&before[0].to_string());
        assert!(known, "{}", refused.err);
        assert_eq!(outer.services(), before);
        let end = run(&new, &["agent", "--end"]);
        assert_eq!(end.code, 0, "{}", end.err);
        assert!(outer.processes().is_empty(), "{agent_lives}: {:?}", outer.processes());
        let again = run(&new, APPLY);
        assert_eq!(again.code, 0, "{}", again.err);
        assert_eq!(run(&new, &["destroy", "-e", "dev", "--auto-approve", "-q"]).code, 0);
    }
}
