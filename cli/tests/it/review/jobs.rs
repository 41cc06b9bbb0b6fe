//! What a job must say of itself: where the state is, and environments that there are.

use super::clean;
use super::pipeline::{How, MANIFEST, PROGRAM, Pipeline, Remote, ended, has, lacks};
use dax_tests::peers::github::{ADMIN, ANN};

#[test]
fn a_job_without_the_address_of_the_state_is_an_error() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let event = it.pull_request(number, "synchronize");
    let mut job = it.job(&event);
    job.unset("DAX_STATE");
    has(&ended(job.dax(&["ci"]), 1).err, &["DAX_STATE is not set", "--state"]);
    // A secret that the job does not have is an empty text.
    job.set("DAX_STATE", "");
    for command in [&["ci"][..], &["ci", "--dry-run"], &["ci", "apply"]] {
        let said = ended(job.dax(command), 1);
        has(&said.err, &["DAX_STATE is empty, as a secret is that this job does not have"]);
    }
    assert_eq!((it.effects(), it.github.comments(number).len()), (Vec::new(), 0));
    // By an argument it is said as well.
    ended(job.dax(&["ci", "--state", &it.state]), 0);
    // A fork has no secret at all, and is planned.
    it.github.world.lock().expect("nobody fails with this lock").forks.push(number);
    let mut fork = it.job(&it.pull_request_from(number, "synchronize", "mallory/shop"));
    fork.set("DAX_STATE", "");
    has(&ended(fork.dax(&["ci"]), 0).err, &["note: no DAX_STATE", "as if nothing ran yet"]);
    ended(fork.dax(&["ci", "apply"]), 0);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn an_environment_that_no_project_has_is_an_error_with_those_that_there_are() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    let number = it.propose("feature", &PROGRAM.replace("acme/web", "acme/shop-web"));
    let unknown = "no project here has an environment `prodution`; there are production, staging";
    let mut args = vec!["ci", "-e", "staging", "-e", "prodution"];
    let said = ended(it.job(&it.pull_request(number, "synchronize")).dax(&args), 1);
    has(&said.err, &[unknown]);
    args.insert(1, "apply");
    let merged = it.merge(number);
    has(&ended(it.job(&it.pushed(&merged)).dax(&args), 1).err, &[unknown]);
    assert_eq!(it.effects(), Vec::<String>::new());
    // One that the change removes is none of these.
    let from = PROGRAM.find("environment staging").expect("staging");
    let to = PROGRAM.find("environment production").expect("production");
    let test = PROGRAM.find("test \"staging").expect("a test");
    let less = format!("{}{}", &PROGRAM[..from], &PROGRAM[to..test]);
    let number = it.propose("less", &less);
    let plan = ["ci", "-e", "staging"];
    let said = ended(it.job(&it.pull_request(number, "synchronize")).dax(&plan), 0);
    lacks(&said.err, &["no project here"]);
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn two_projects_of_one_name_are_neither_planned_nor_applied() {
    let Some(it) = Pipeline::new(PROGRAM) else { return };
    it.branch("main");
    it.git(&["rm", "--quiet", "main.dax", "dax.mod"]);
    it.write("p/main.dax", PROGRAM);
    it.write("p/dax.mod", MANIFEST);
    it.commit("a folder of its own");
    it.branch("twin");
    let gate = "  approve 1 of [\"team:sre\"]\n";
    it.write("a/main.dax", &PROGRAM.replace("acme/web", "acme/evil").replace(gate, ""));
    it.write("a/dax.mod", MANIFEST);
    it.commit("another one of this name");
    let number = it.open("twin");
    let twin = "the project `shop` is in p as well: give one of them another name";
    has(&ended(it.plan(number), 1).err, &[twin]);
    let merged = it.merge(number);
    has(&ended(it.apply(&merged, &[]), 3).err, &[twin]);
    assert_eq!(it.effects(), Vec::<String>::new());
    clean(&it.github, &[ADMIN, ANN]);
}

#[test]
fn a_person_who_plans_a_change_says_against_what_and_hears_when_nothing_is_affected() {
    let Some(remote) = Remote::new(PROGRAM) else { return };
    let person = remote.person("ann", &remote.head("main"));
    has(&ended(person.dax(&["ci"]), 64).err, &["say --base REV"]);
    let said = ended(person.dax(&["ci", "--base", "HEAD"]), 0);
    assert_eq!(said.out, "no environment is affected\n");
    remote.branch("feature");
    remote.write("main.dax", &PROGRAM.replace("acme/web", "acme/shop-web"));
    remote.commit("another image");
    let merged = remote.merge_branch("feature", How::Merge);
    let person = remote.person("ann", &merged.after);
    let said = ended(person.dax(&["ci", "--base", &merged.before]), 0);
    has(&said.out, &["production · creates web"]);
}
