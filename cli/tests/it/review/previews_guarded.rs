//! A preview is what the base declares as one, made for the change request that the state recorded, and after its approval.

use super::clean;
use super::others::{gitlab_ci, job};
use super::pipeline::{Pipeline, Remote, ended, has, lacks};
use super::previews::PREVIEWS;
use dax_tests::peers::github::{ADMIN, ANN};
use dax_tests::peers::gitlab;

/// An environment for each customer, which has nothing to do with change requests.
const TENANTS: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:1"
  replicas = default 2
}

environment tenant keyed customer {
  bind web to memory.world
  approve 1 of ["team:sre"]
}
"#;

fn apply_for(it: &Pipeline, number: u64) -> crate::project::Said {
    it.job(&it.pull_request(number, "synchronize")).dax(&["ci", "apply"])
}

#[test]
fn an_environment_whose_key_is_the_number_of_a_pull_request_is_none_of_its_previews() {
    let Some(it) = Pipeline::new(TENANTS) else { return };
    it.set_up(&["tenant[1]"]);
    let runs = it.runs("tenant[1]").len();
    // The pull request that gets number 1 removes the approval and changes the image.
    let changed =
        TENANTS.replace("  approve 1 of [\"team:sre\"]\n", "").replace("acme/web:1", "acme/evil:1");
    let number = it.propose("first", &changed);
    assert_eq!(number, 1, "the number of the tenant");
    it.plan(number);
    let said = apply_for(&it, number);
    lacks(&said.err, &["done: `tenant[1]`"]);
    assert_eq!(it.image("tenant[1]").as_deref(), Some("acme/web:1"));
    // It is closed, and so is nothing else.
    it.github.close(number);
    let said = ended(it.job(&it.closed(number)).dax(&["ci", "apply"]), 0);
    lacks(&said.err, &["tenant[1]` is"]);
    assert_eq!(it.image("tenant[1]").as_deref(), Some("acme/web:1"));
    assert_eq!(it.runs("tenant[1]").len(), runs);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn whoever_may_start_a_pipeline_closes_no_environment_by_its_number() {
    let Some(remote) = Remote::new(TENANTS) else { return };
    remote.set_up(&["tenant[7]"]);
    let (server, world) = gitlab::start();
    let head = remote.head("main");
    world.lock().expect("a lock").heads.insert(7, head.clone());
    let api = format!("{}/api/v4", server.url());
    let closed = [
        ("CI_COMMIT_SHA", head.as_str()),
        ("CI_COMMIT_REF_NAME", "main"),
        ("CI_PIPELINE_SOURCE", "web"),
        ("DAX_CLOSED", "7"),
        ("GITLAB_TOKEN", gitlab::TOKEN),
    ];
    let all = [&gitlab_ci(&api)[..], &closed].concat();
    let said = job(&remote, &head, "main", &all).dax(&["ci", "apply"]);
    lacks(&said.err, &["done: `tenant[7]`"]);
    assert_eq!(remote.image("tenant[7]").as_deref(), Some("acme/web:1"));
}

#[test]
fn a_change_that_declares_its_own_preview_has_none() {
    let before = PREVIEWS.find("environment preview").expect("a preview");
    let after = PREVIEWS.find("policy small").expect("a policy");
    let plain = &PREVIEWS[..before];
    let Some(it) = Pipeline::new(plain) else { return };
    let own = PREVIEWS[before..after].replace("environment preview", "environment own");
    // Whether or not it says that it is one.
    let number = it.propose("own", &format!("{plain}{}", own.replace("  preview\n", "")));
    it.plan(number);
    apply_for(&it, number);
    assert_eq!(it.effects(), Vec::<String>::new());
    it.push(number, &format!("{plain}{own}"));
    it.plan(number);
    let said = apply_for(&it, number);
    has(&(said.out + &said.err), &["own"]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_preview_that_wants_an_approval_is_made_after_it() {
    let gated = PREVIEWS.replace("  preview\n", "  preview\n  approve 1 of [\"team:sre\"]\n");
    let Some(it) = Pipeline::new(&gated) else { return };
    // The change itself takes the approval away: that of the base holds.
    let free = PREVIEWS.replace("acme/web", "acme/shop-web");
    let number = it.propose("feature", &free);
    let name = format!("preview[{number}]");
    it.plan(number);
    let said = ended(apply_for(&it, number), 3);
    has(&said.err, &[&name, "team:sre"]);
    assert_eq!(it.image(&name), None);
    it.approve(number, "ann");
    ended(apply_for(&it, number), 0);
    assert_eq!(it.image(&name).as_deref(), Some("acme/shop-web:1"));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_late_job_of_a_closed_pull_request_makes_no_preview_again() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    let number = it.propose("feature", &PREVIEWS.replace("acme/web", "acme/shop-web"));
    let name = format!("preview[{number}]");
    ended(it.plan(number), 0);
    ended(apply_for(&it, number), 0);
    let late = it.pull_request(number, "synchronize");
    it.github.close(number);
    ended(it.job(&it.closed(number)).dax(&["ci", "apply"]), 0);
    assert_eq!(it.image(&name), None);
    let effects = it.effects().len();
    // Somebody runs the old job again.
    let said = ended(it.job(&late).dax(&["ci", "apply"]), 0);
    has(&said.err, &["closed"]);
    assert_eq!((it.image(&name), it.effects().len()), (None, effects));
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn what_was_merged_into_another_branch_is_not_applied_for_main() {
    let Some(it) = Pipeline::new(PREVIEWS) else { return };
    it.bare(&["update-ref", "refs/heads/playground", &it.head("main")]);
    let number = it.propose("feature", &PREVIEWS.replace("acme/web", "acme/shop-web"));
    ended(it.plan(number), 0);
    it.github.base(number, "playground");
    let merged = it.merge(number);
    let said = ended(it.apply(&merged, &["-e", "staging"]), 3);
    has(&said.err, &["staging", "came with no pull request"]);
    assert_eq!(it.image("staging"), None);
    clean(&it.github, &[ADMIN, ANN]);
}
