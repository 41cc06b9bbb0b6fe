//! One environment for each pull request, from its opening to its end; and what one environment proved in another.

use super::clean;
use super::repository::{Repository, SECRET, ended};
use dax_tests::peers::github::{ADMIN, ANN, REPOSITORY, start};
use serde_json::{Value as Json, json};

const PREVIEWS: &str = r#"import memory from "std/memory"

param version: string = "1"

provider memory.world {
}

service web {
  image    = "acme/web:${version}"
  replicas = default 2
  ports    = { http: 8080 }
  env      = { HOST: default "shop.example.com" }
}

environment staging {
  bind web to memory.world
}

environment preview keyed pr extends staging {
  preview
  set web { replicas = 1, env.HOST = "pr-${pr}.example.com" }
}

policy small on plan of environment.preview {
  deny s in services where s.replicas > 1 { message = "${s.name} has ${s.replicas}" }
}
"#;

#[test]
fn a_preview_is_made_listed_and_taken_away_with_its_pull_request() {
    let Some(github) = start() else { return };
    let repository = Repository::new(PREVIEWS);
    let base = repository.head();
    let said = ended(repository.dax(&["plan", "-e", "preview"]), 64);
    assert!(said.err.contains("say which, as `-e 'preview[12]'`"), "{}", said.err);
    ended(repository.dax(&["check"]), 0);
    repository.git(&["checkout", "--quiet", "-b", "feature"]);
    repository.write("main.dax", &PREVIEWS.replace("acme/web", "acme/shop-web"));
    let head = repository.commit("another image");
    let number = github.open("feature", &head);
    let name = format!("preview[{number}]");
    ended(repository.pull_request(&github, number, &base, &["ci"]), 0);
    let comment = github
        .comments(number)
        .into_iter()
        .find(|body| body.starts_with(&format!("<!-- dax:shop:{name} -->")))
        .expect("a comment");
    assert!(comment.contains(&format!("pr-{number}.example.com")), "{comment}");
    // It is made without waiting for the merge; staging is not touched.
    let said = ended(repository.pull_request(&github, number, &base, &["ci", "apply"]), 0);
    assert!(said.err.contains(&format!("done: `{name}` is as planned")), "{}", said.err);
    let listed = ended(repository.dax(&["status"]), 0).out;
    assert!(listed.contains(&name) && !listed.contains("staging"), "{listed}");
    let made = github.world.lock().expect("nobody fails with this lock").deployments[0].0.clone();
    assert_eq!(
        (made["environment"].as_str(), made["transient_environment"].as_bool()),
        (Some(name.as_str()), Some(true))
    );
    // Another pull request has another one.
    let other = github.open("other", &head);
    ended(repository.pull_request(&github, other, &base, &["ci", "apply"]), 0);
    let listed = ended(repository.dax(&["status"]), 0).out;
    assert!(listed.contains(&name) && listed.contains(&format!("preview[{other}]")), "{listed}");
    // Closed: it is gone, also when the branch is gone and the job runs for another commit.
    repository.git(&["checkout", "--quiet", "main"]);
    let event = json!({ "action": "closed", "number": number, "pull_request": {
        "number": number, "head": { "sha": head, "repo": { "full_name": REPOSITORY } },
        "base": { "sha": base, "ref": "main", "repo": { "full_name": REPOSITORY } },
    }});
    ended(repository.actions(&github, "pull_request", &event, &["ci", "apply"]), 0);
    let listed = ended(repository.dax(&["status"]), 0).out;
    assert!(!listed.contains(&name) && listed.contains(&format!("preview[{other}]")), "{listed}");
    let world = github.world.lock().expect("nobody fails with this lock");
    let states: Vec<&str> =
        world.deployments[0].1.iter().filter_map(|status| status["state"].as_str()).collect();
    assert_eq!(states, ["queued", "in_progress", "success", "inactive"]);
    drop(world);
    clean(&github, &[SECRET, "hunter2", ADMIN, ANN]);
}

const TWO: &str = r#"import memory from "std/memory"

param version: string = "1"

provider memory.world {
}

service web {
  image = "acme/web:${version}"
  ports = { http: 8080 }
}

environment staging {
  bind web to memory.world
}

environment production {
  after staging
  bind web to memory.world
}
"#;

#[test]
fn what_one_environment_has_proved_moves_to_another_unchanged() {
    let repository = Repository::new(TWO);
    let promote = [
        "promote",
        "--from",
        "staging",
        "--to",
        "production",
        "--auto-approve",
        "--reason",
        "the tests passed",
    ];
    let said = ended(repository.dax(&promote), 3);
    assert!(
        said.err.contains("nothing was ever applied in `staging`, so it has proved nothing"),
        "{}",
        said.err
    );
    ended(repository.dax(&["apply", "-e", "staging", "-p", "version=7", "--auto-approve"]), 0);
    // Moved with what it was applied with, not with what the program says by default.
    let said = ended(repository.dax(&promote), 0);
    assert!(
        said.out.contains("acme/web:7") && said.err.contains("named by a tag"),
        "{}\n{}",
        said.out,
        said.err
    );
    let history: Json = serde_json::from_str(
        &ended(repository.dax(&["history", "-e", "production", "--format", "json"]), 0).out,
    )
    .expect("JSON");
    let run = &history["runs"][0];
    assert_eq!(
        (run["promoted"]["from"].as_str(), run["promoted"]["run"].as_u64()),
        (Some("staging"), Some(1))
    );
    assert_eq!(
        (run["why"].as_str(), run["commit"]["id"].as_str()),
        (Some("the tests passed"), Some(repository.head().as_str()))
    );
    // Another program has proved nothing there.
    let first = repository.head();
    repository.write("main.dax", &TWO.replace("8080", "8081"));
    repository.commit("another port");
    let said = ended(repository.dax(&promote), 3);
    assert!(
        said.err.contains(&format!(
            "this program is not the one that `staging` has proved: check out commit {first}"
        )),
        "{}",
        said.err
    );
    // What somebody changed there is not what was proved.
    repository.git(&["checkout", "--quiet", &first]);
    let world = std::fs::read_to_string(repository.path(".dax/memory.json")).expect("a world");
    std::fs::write(repository.path(".dax/memory.json"), world.replace("8080", "9090"))
        .expect("written");
    let said = ended(repository.dax(&promote), 3);
    assert!(
        said.err.contains("what runs in `staging` is not what was applied there"),
        "{}",
        said.err
    );
    std::fs::write(repository.path(".dax/memory.json"), world).expect("written");
    // Nor is what was taken back, or what has not stood there for long enough.
    ended(repository.dax(&["apply", "-e", "staging", "-p", "version=8", "--auto-approve"]), 0);
    ended(repository.dax(&["rollback", "-e", "staging", "--auto-approve"]), 0);
    let said = ended(repository.dax(&promote), 3);
    assert!(said.err.contains("the last run of `staging` was a rollback"), "{}", said.err);
    ended(repository.dax(&["unpin", "-e", "staging"]), 0);
    repository.write("main.dax", &TWO.replace("after staging", "after staging { soak = 1h }"));
    repository.commit("an hour");
    ended(repository.dax(&["apply", "-e", "staging", "-p", "version=9", "--auto-approve"]), 0);
    let said = ended(repository.dax(&promote), 3);
    assert!(said.err.contains("`staging` must have run for 1h first"), "{}", said.err);
    // A program in which the other environment would run another artefact.
    repository.write(
        "main.dax",
        &TWO.replace("  after staging\n", "  set web { image = override \"acme/web:10\" }\n"),
    );
    repository.commit("another artefact");
    ended(repository.dax(&["apply", "-e", "staging", "-p", "version=11", "--auto-approve"]), 0);
    let said = ended(repository.dax(&promote), 3);
    assert!(said.err.contains("service.web would run acme/web:10 in `production`, and `staging` has proved acme/web:11"), "{}", said.err);
    let said = ended(repository.dax(&["promote", "--from", "stagin", "--to", "production"]), 64);
    assert!(said.err.contains("did you mean `staging`?"), "{}", said.err);
}
