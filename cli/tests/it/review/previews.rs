//! One environment for each pull request, from its opening to its end; and what one environment proved in another.

use super::clean;
use super::pipeline::{Pipeline, Remote, SECRET, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};
use serde_json::Value as Json;

/// Staging, and an environment for each pull request.
pub(crate) const PREVIEWS: &str = r#"import memory from "std/memory"

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
fn a_preview_is_made_listed_and_removed_with_its_pull_request() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    let said = ended(it.dax(&["plan", "-e", "preview"]), 64);
    has(&said.err, &["say which, as `-e 'preview[12]'`"]);
    ended(it.dax(&["check"]), 0);
    let changed = PREVIEWS.replace("acme/web", "acme/shop-web");
    let number = it.propose("feature", &changed);
    let name = format!("preview[{number}]");
    ended(it.plan(number), 0);
    let comment = it.comment(number, &format!("<!-- dax:shop:{name} -->"));
    has(&comment, &[&format!("pr-{number}.example.com")]);
    // It is made without waiting for the merge; staging is not touched.
    let made = |number: u64| it.job(&it.pull_request(number, "synchronize")).dax(&["ci", "apply"]);
    has(&ended(made(number), 0).err, &[&format!("done: `{name}` is as planned")]);
    assert_eq!(it.image(&name).as_deref(), Some("acme/shop-web:1"));
    let listed = ended(it.dax(&["status"]), 0).out;
    has(&listed, &[&name]);
    lacks(&listed, &["staging"]);
    {
        let world = it.github.world.lock().expect("nobody fails with this lock");
        let made = &world.deployments[0].0;
        assert_eq!(
            (&made["environment"], &made["transient_environment"]),
            (&Json::from(&*name), &Json::Bool(true))
        );
    }
    // Another pull request has another one.
    let other = it.propose("other", &PREVIEWS.replace("acme/web", "acme/other-web"));
    ended(it.plan(other), 0);
    ended(made(other), 0);
    has(&ended(it.dax(&["status"]), 0).out, &[&name, &format!("preview[{other}]")]);
    // Closed: it is gone, also when the branch is gone and the job runs for another commit.
    it.github.close(number);
    ended(it.job(&it.closed(number)).dax(&["ci", "apply"]), 0);
    let listed = ended(it.dax(&["status"]), 0).out;
    lacks(&listed, &[&name]);
    has(&listed, &[&format!("preview[{other}]")]);
    assert_eq!((it.image(&name), it.image(&format!("preview[{other}]")).is_some()), (None, true));
    assert_eq!(it.deployments(&name), ["queued in_progress success inactive"]);
    clean(&it.github, &[SECRET, "hunter2", ADMIN, ANN]);
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

/// A repository whose `main` people push to, and who apply by hand.
struct ByHand(Remote);

impl ByHand {
    fn new() -> Option<Self> {
        Some(Self(Remote::new(TWO)?))
    }

    fn push(&self, program: &str) -> String {
        self.0.write("main.dax", program);
        self.0.commit("another program")
    }

    #[track_caller]
    fn apply(&self, version: &str) {
        let version = format!("version={version}");
        ended(self.0.dax(&["apply", "-e", "staging", "-p", &version, "--auto-approve"]), 0);
    }

    #[track_caller]
    fn refused(&self, commit: &str, why: &str) {
        has(&ended(self.0.person("ann", commit).dax(PROMOTE), 3).err, &[why]);
    }
}

const PROMOTE: &[&str] = &[
    "promote",
    "--from",
    "staging",
    "--to",
    "production",
    "--auto-approve",
    "--reason",
    "the tests passed",
];

#[test]
fn what_one_environment_has_proved_moves_to_another_unchanged() {
    let Some(it) = ByHand::new() else { return };
    let first = it.0.head("main");
    it.refused(&first, "nothing was ever applied in `staging`, so it has proved nothing");
    it.apply("7");
    // Moved with what it was applied with, not with what the program says by default.
    let said = ended(it.0.dax(PROMOTE), 0);
    has(&said.out, &["acme/web:7"]);
    has(&said.err, &["named by a tag"]);
    assert_eq!(it.0.image("production").as_deref(), Some("acme/web:7"));
    let run = &it.0.runs("production")[0];
    assert_eq!((&run["promoted"]["from"], &run["promoted"]["run"]), (&"staging".into(), &1.into()));
    assert_eq!(
        (&run["why"], &run["commit"]["id"]),
        (&"the tests passed".into(), &first.as_str().into())
    );
    // Another program has proved nothing there.
    let other = it.push(&TWO.replace("8080", "8081"));
    let why =
        format!("this program is not the one that `staging` has proved: check out commit {first}");
    it.refused(&other, &why);
    // What somebody changed there is not what was proved.
    let file = it.0.at("world/memory.json");
    let world = std::fs::read_to_string(&file).expect("a world");
    std::fs::write(&file, world.replace("8080", "9090")).expect("written");
    it.refused(&first, "what runs in `staging` is not what was applied there");
    std::fs::write(&file, world).expect("written");
}

#[test]
fn what_was_rolled_back_or_has_not_stood_long_enough_is_not_promoted() {
    let Some(it) = ByHand::new() else { return };
    it.apply("7");
    it.apply("8");
    ended(it.0.dax(&["rollback", "-e", "staging", "--auto-approve"]), 0);
    it.refused(&it.0.head("main"), "the last run of `staging` was a rollback");
    ended(it.0.dax(&["unpin", "-e", "staging"]), 0);
    let hour = it.push(&TWO.replace("after staging", "after staging { soak = 1h }"));
    it.apply("9");
    it.refused(&hour, "`staging` must have run for 1h first");
    // A program in which the other environment would run another artefact.
    let own = "  set web { image = override \"acme/web:10\" }\n";
    let other = it.push(&TWO.replace("  after staging\n", own));
    it.apply("11");
    it.refused(
        &other,
        "service.web would run acme/web:10 in `production`, and `staging` has proved acme/web:11",
    );
    let said = ended(it.0.dax(&["promote", "--from", "stagin", "--to", "production"]), 64);
    has(&said.err, &["did you mean `staging`?"]);
}
