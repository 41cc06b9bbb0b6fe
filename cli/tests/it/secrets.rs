//! A secret's value is in no file of dax, in no output and in no log.

use crate::project::{Project, WEB, all_bytes};

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
