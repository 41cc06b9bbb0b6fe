//! Changes of rules over a real repository and a state: each clone is an engine of its own.

use super::{Base, compare};
use crate::{
    ApplyRequest, Approval, Approved, Blobs, Decisions, Engine, EngineError, Finished, Judged,
    Missing, Origin, Params, Plan, PlanRequest, Reviews, Selection, StateSource, denial,
};
use dax_core::Name;
use dax_provider_api::Provider;
use dax_provider_testkit::Memory;
use dax_store::blobs::MemoryBlobs;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

/// The variable that says that a test runs in a home of its own already.
const IN_HOME: &str = "DAX_STORY";

const MANIFEST: &str = "project = \"shop\"\nedition = 2026\n\ngroup \"team:sre\" {\n  members = [\"ann\", \"bob\"]\n}\n";

/// A key that was thrown away.
const SOME_KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIMm1njew2Cs1Fw7aZ3+H8nO+09rkteMhFr+GZOeYydnz";

const PROGRAM: &str = r#"import memory from "std/memory"

provider memory.world {
}

service web {
  image    = "acme/web:1"
  replicas = 3
}

environment production {
  bind web to memory.world
  approve 1 of ["team:sre"]
}

environment staging {
  bind web to memory.world
}

policy enough on plan of environment.staging {
  deny s in services where s.replicas < 2 { message = "${s.name} needs two replicas" }
}
"#;

/// Whether the test goes on here; else it ran as a process whose home is a folder of its own, so that
/// nothing is remembered on this machine.
fn is_at_home(name: &str) -> bool {
    if std::env::var_os(IN_HOME).is_some() {
        return true;
    }
    let home = tempfile::tempdir().expect("a folder");
    let program = std::env::current_exe().expect("this program");
    let ran = Command::new(program)
        .args(["--exact", &format!("conditions::stories::{name}"), "--nocapture"])
        .env(IN_HOME, "1")
        .env("HOME", home.path())
        .env("DAX_USER", "ann")
        .env("XDG_STATE_HOME", home.path().join("state"))
        .output()
        .expect("a process");
    let text = [ran.stdout, ran.stderr].concat();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&text));
    false
}

/// A repository, with the world and the state that its clones share.
struct Shop {
    folder: tempfile::TempDir,
    blobs: Arc<dyn Blobs>,
    world: Memory,
}

impl Shop {
    fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let blobs = Arc::new(MemoryBlobs::default());
        let shop = Self { folder, blobs, world: Memory::default() };
        shop.git(&["init", "--quiet", "--initial-branch", "main"]);
        shop.commit(MANIFEST, PROGRAM);
        shop
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    fn git(&self, args: &[&str]) -> String {
        let mut command = Command::new("git");
        command.arg("-C").arg(self.path()).args(args);
        for who in ["AUTHOR", "COMMITTER"] {
            command.env(format!("GIT_{who}_NAME"), "carol");
            command.env(format!("GIT_{who}_EMAIL"), "carol@example.com");
        }
        let ran = command.output().expect("git");
        assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
        String::from_utf8_lossy(&ran.stdout).trim().to_owned()
    }

    fn commit(&self, manifest: &str, program: &str) -> String {
        std::fs::write(self.path().join("dax.mod"), manifest).expect("a file");
        std::fs::write(self.path().join("main.dax"), program).expect("a file");
        self.git(&["add", "dax.mod", "main.dax"]);
        self.git(&["commit", "--quiet", "--allow-empty", "-m", "a change"]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// An engine in the folder, as the next job has one.
    fn engine(&self) -> Engine {
        let (world, blobs) = (self.world.clone(), self.blobs.clone());
        let state = StateSource {
            url: Some("shared://state".to_owned()),
            open: Box::new(move |_, _, _| {
                let blobs = blobs.clone();
                Some(Box::pin(async move { Ok(blobs) }))
            }),
            ..StateSource::local()
        };
        let platforms =
            move |_: &dax_provider_api::Instance| Ok(Some(Provider::both(world.clone())));
        Engine::new(self.path().to_owned(), Box::new(platforms), state).expect("an engine")
    }
}

fn no_params() -> Params {
    Params::none(Missing::Ignore)
}

fn judged(engine: &Engine, environment: &str) -> Judged {
    let request = PlanRequest {
        environment: environment.to_owned(),
        params: no_params(),
        selection: Selection::default(),
        adopt: None,
    };
    engine.plan(&request).unwrap_or_else(|error| panic!("{error}"))
}

fn plan(engine: &Engine, environment: &str) -> Plan {
    judged(engine, environment).plan
}

/// A review of somebody, for just this plan.
fn review(plan: &Plan, by: &str) -> Approval {
    Approval {
        digest: Name::new(crate::digest::digest(plan)),
        step: None,
        by: by.into(),
        groups: Vec::new(),
        reason: String::new(),
        at_ms: 0,
        signature: None,
        names: Vec::new(),
    }
}

/// Approvals as a code host tells them.
fn of(approvals: &[Approval]) -> Reviews {
    Reviews { approvals: approvals.to_vec(), ..Reviews::default() }
}

fn apply(
    engine: &Engine,
    plan: &Plan,
    reviews: &[Approval],
    base: Option<&Base>,
) -> Result<Finished, EngineError> {
    let request = ApplyRequest {
        plan: plan.clone(),
        expect: None,
        acknowledged: BTreeSet::new(),
        why: String::new(),
        name: None,
        lock_timeout: Duration::ZERO,
        again: None,
        origin: Origin::Program,
        reviews: of(reviews),
        base: base.cloned(),
    };
    let (_sender, mut interrupts) = tokio::sync::mpsc::channel(1);
    engine.apply(request, &mut interrupts, &mut |_, _, _| {})
}

/// A shop whose environments were applied as they stand.
fn applied() -> (Shop, String) {
    let shop = Shop::new();
    let engine = shop.engine();
    for environment in ["production", "staging"] {
        let plan = plan(&engine, environment);
        let reviews = [review(&plan, "ann")];
        apply(&engine, &plan, &reviews, None).unwrap_or_else(|error| panic!("{error}"));
    }
    let base = shop.git(&["rev-parse", "HEAD"]);
    let recorded = engine.recorded_conditions("production").expect("a state").expect("conditions");
    assert_eq!(recorded.commit.map(|commit| commit.id.to_string()), Some(base.clone()));
    (shop, base)
}

fn denied<T>(result: Result<T, EngineError>) -> String {
    match result {
        Err(EngineError::Denied { message }) => message,
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it was allowed"),
    }
}

#[test]
fn a_rule_that_one_merge_removes_is_still_asked_by_the_next() {
    if !is_at_home("a_rule_that_one_merge_removes_is_still_asked_by_the_next") {
        return;
    }
    let (shop, base) = applied();
    let open = PROGRAM.replace("  approve 1 of [\"team:sre\"]\n", "");
    shop.commit(MANIFEST, &open);
    let engine = shop.engine();
    let nothing = plan(&engine, "production");
    assert!(nothing.is_empty());
    let standing = engine.standing(&nothing).expect("a state");
    assert_eq!(standing.loosens, ["approvals: 1 of team:sre (ann, bob) → none"]);
    let why = denied(engine.accept_conditions(&nothing, &Reviews::default(), None));
    assert!(
        why.starts_with(
            "this change loosens `production` (approvals: 1 of team:sre (ann, bob) → none): it needs the approval of 1 of team:sre"
        ),
        "{why}"
    );
    // The next change uses that, whatever its base says.
    shop.commit(MANIFEST, &open.replace("acme/web:1", "acme/web:evil"));
    let engine = shop.engine();
    let evil = plan(&engine, "production");
    let base = engine.base(&base, "production", &no_params()).expect("a program");
    for base in [None, base.as_ref()] {
        denied(apply(&engine, &evil, &[review(&evil, "mallory")], base));
    }
    // A review is for one plan.
    denied(apply(&engine, &evil, &[review(&nothing, "ann")], None));
    apply(&engine, &evil, &[review(&evil, "Bob")], None).unwrap_or_else(|e| panic!("{e}"));
    // Now the rule is gone, as those whom it named approved.
    shop.commit(MANIFEST, &open.replace("acme/web:1", "acme/web:2"));
    let engine = shop.engine();
    let next = plan(&engine, "production");
    apply(&engine, &next, &[], None).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn conditions_alone_are_recorded_once_the_former_people_approve() {
    if !is_at_home("conditions_alone_are_recorded_once_the_former_people_approve") {
        return;
    }
    let (shop, _) = applied();
    let more = MANIFEST.replace("\"bob\"]", "\"bob\", \"malloryalt\"]");
    shop.commit(&more, PROGRAM);
    let engine = shop.engine();
    let nothing = plan(&engine, "production");
    let standing = engine.standing(&nothing).expect("a state");
    assert_eq!(standing.loosens, ["team:sre gains malloryalt"]);
    let by = |who: &str| [review(&nothing, who)];
    denied(engine.accept_conditions(&nothing, &of(&by("malloryalt")), None));
    assert!(engine.accept_conditions(&nothing, &of(&by("ann")), None).expect("allowed"));
    assert!(!engine.accept_conditions(&nothing, &Reviews::default(), None).expect("nothing new"));
    let now = engine.conditions("production", &no_params()).expect("a program");
    let recorded = engine.recorded_conditions("production").expect("a state").expect("conditions");
    assert_eq!(compare(&recorded.conditions, &now), []);
    // From here on they are one of those who may.
    shop.commit(&more, &PROGRAM.replace("acme/web:1", "acme/web:2"));
    let engine = shop.engine();
    let next = plan(&engine, "production");
    apply(&engine, &next, &[review(&next, "malloryalt")], None).unwrap_or_else(|e| panic!("{e}"));
}

#[test]
fn a_policy_that_a_change_deletes_is_asked_of_that_change() {
    if !is_at_home("a_policy_that_a_change_deletes_is_asked_of_that_change") {
        return;
    }
    let (shop, _) = applied();
    let (program, _) = PROGRAM.split_once("policy").expect("a policy");
    shop.commit(MANIFEST, &program.replace("replicas = 3", "replicas = 1"));
    let engine = shop.engine();
    let one = judged(&engine, "staging");
    assert!(one.findings.is_empty());
    assert_eq!(one.standing.loosens, ["policy `enough` removed"]);
    let why = denied(apply(&engine, &one.plan, &[], None));
    assert!(
        why.starts_with("a policy of commit ")
            && why.ends_with("denies it: web needs two replicas"),
        "{why}"
    );
    // What it allows goes through, and with it the policy.
    shop.commit(MANIFEST, &program.replace("replicas = 3", "replicas = 2"));
    let engine = shop.engine();
    let two = plan(&engine, "staging");
    apply(&engine, &two, &[], None).unwrap_or_else(|e| panic!("{e}"));
    shop.commit(MANIFEST, &program.replace("replicas = 3", "replicas = 1"));
    let engine = shop.engine();
    let one = plan(&engine, "staging");
    assert_eq!(denial(&one, &engine.standing(&one).expect("a state")), None);
}

/// Makes a key without a passphrase; gives its public half.
fn keygen(folder: &Path, name: &str) -> String {
    let args = ["-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name];
    let made = Command::new("ssh-keygen").current_dir(folder).args(args).status();
    assert!(made.expect("ssh-keygen").success());
    std::fs::read_to_string(folder.join(format!("{name}.pub"))).expect("a key").trim().to_owned()
}

#[test]
fn where_signers_are_named_an_approval_counts_with_the_signature_of_one() {
    if !is_at_home("where_signers_are_named_an_approval_counts_with_the_signature_of_one") {
        return;
    }
    let keys = tempfile::tempdir().expect("a folder");
    let (ann, eve) = (keygen(keys.path(), "ann"), keygen(keys.path(), "eve"));
    let shop = Shop::new();
    std::fs::write(shop.path().join("signers"), format!("ann {ann}\n")).expect("a file");
    shop.git(&["add", "signers"]);
    let signed = format!("{MANIFEST}signers = \"signers\"\n");
    let careful = "strategy careful: canary {\n  step 50% approve 1 of [\"team:sre\"]\n}\n";
    let program = PROGRAM.replace("  approve 1", "  rollout web with careful\n  approve 1");
    let program = format!("{program}\n{careful}");
    shop.commit(&signed, &program);
    let engine = shop.engine();
    let first = plan(&engine, "production");
    let digest = crate::digest::digest(&first);
    let approve = |key: Option<&str>| {
        let key = key.map(|key| keys.path().join(key));
        let what = Approved::Plan(digest.clone());
        engine.approve("production", &what, "", key.as_deref())
    };
    let refused = |key| approve(key).expect_err("void").to_string();
    assert!(refused(None).contains("pass --key FILE"), "{}", refused(None));
    let other = refused(Some("eve"));
    assert!(other.contains("would not count") && other.contains("an allowed signer"), "{other}");
    // Whoever writes rows asks nobody, and hides nothing by that.
    let row = |by: &str| {
        let store = engine.store().expect("a state");
        engine.runtime.block_on(store.approve("production", &review(&first, by))).expect("written");
    };
    row("ann");
    row("ann");
    let why = denied(apply(&engine, &first, &[], None));
    assert!(why.starts_with("it needs the approval of 1 of team:sre (ann, bob): `dax"), "{why}");
    assert!(why.contains("approve -e production --key FILE "), "{why}");
    let void = "the approval of ann does not count: it is not signed";
    assert!(why.contains(void), "{why}");
    let standing = engine.standing(&first).expect("a state");
    assert!(standing.obstacles.is_empty() && standing.signed, "{standing:?}");
    assert!(standing.void.len() == 1 && standing.void[0].starts_with(void), "{standing:?}");
    assert_eq!(engine.approvals("production", &digest).expect("a state"), []);
    assert_eq!(approve(Some("ann")).expect("a state").warning, None);
    row("bob");
    let counted = engine.approvals("production", &digest).expect("a state");
    assert_eq!(counted.len(), 1);
    // What is not signed is not believed: which groups somebody is in is computed.
    assert!(counted[0].groups.is_empty());
    // The signers of the commit before a change come before those that the change brings.
    let base = engine.base("HEAD", "production", &no_params()).expect("a program");
    let mut base = base.expect("an environment");
    base.conditions.signers = Some(BTreeSet::from([format!("ann {eve}")]));
    let by_base = engine.approvals_with("production", &digest, Some(&base), &[]);
    assert_eq!(by_base.expect("a state").approvals, []);
    assert!(engine.standing(&first).expect("a state").void.is_empty());
    apply(&engine, &first, &[], None).unwrap_or_else(|error| panic!("{error}"));
    // A change that brings another key is judged by those that were recorded.
    std::fs::write(shop.path().join("signers"), format!("ann {ann}\nann {eve}\n")).expect("a file");
    shop.git(&["add", "signers"]);
    shop.commit(&signed, &program.replace("acme/web:1", "acme/web:2"));
    let engine = shop.engine();
    let second = plan(&engine, "production");
    let digest = crate::digest::digest(&second);
    let with = |what: Approved, key: &str| {
        let key = keys.path().join(key);
        engine.approve("production", &what, "", Some(&key))
    };
    with(Approved::Plan(digest.clone()), "eve").expect_err("another key");
    denied(apply(&engine, &second, &[], None));
    with(Approved::Plan(digest), "ann").expect("a state");
    // So is the approval of a step: the run waits for one.
    let request = ApplyRequest {
        plan: second,
        expect: None,
        acknowledged: BTreeSet::new(),
        why: String::new(),
        name: None,
        lock_timeout: Duration::ZERO,
        again: None,
        origin: Origin::Program,
        reviews: Reviews::default(),
        base: None,
    };
    let (sender, mut interrupts) = tokio::sync::mpsc::channel(1);
    let mut gate = None;
    let stop = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(4));
        let _ = sender.blocking_send(());
    });
    let finished = engine
        .apply(request, &mut interrupts, &mut |_, _, told| {
            if let crate::Told::Progress(crate::Progress::Awaits(step)) = told {
                gate = Some(step);
                let key = keys.path().join("eve");
                let what = Approved::Step(step);
                // A watcher is told within the run, whose runtime takes no other one.
                let approve = || shop.engine().approve("production", &what, "", Some(&key));
                let done = std::thread::scope(|scope| scope.spawn(approve).join());
                done.expect("a thread").expect_err("another key");
            }
        })
        .unwrap_or_else(|error| panic!("{error}"));
    stop.join().expect("a thread");
    assert_eq!(finished.outcome, crate::Outcome::Interrupted);
    with(Approved::Step(gate.expect("a gate")), "ann").expect("a state");
    let (_sender, mut interrupts) = tokio::sync::mpsc::channel(1);
    let resumed = engine
        .resume(
            Some("production"),
            &Decisions::default(),
            Duration::ZERO,
            &mut interrupts,
            &mut |_, _, _| {},
        )
        .unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(resumed.outcome, crate::Outcome::Succeeded);
}

#[test]
fn a_program_is_read_as_a_commit_has_it() {
    if !is_at_home("a_program_is_read_as_a_commit_has_it") {
        return;
    }
    let shop = Shop::new();
    let first = shop.git(&["rev-parse", "HEAD"]);
    let preview = "\nenvironment review keyed pr extends staging {\n  preview\n}\n";
    let signed = format!("{MANIFEST}signers = \"signers\"\n");
    std::fs::write(shop.path().join("signers"), format!("# who\nann {SOME_KEY}\n"))
        .expect("a file");
    shop.git(&["add", "signers"]);
    let second = shop.commit(&signed, &format!("{PROGRAM}{preview}"));
    let engine = shop.engine();
    let here = engine.declared_environments().expect("a program");
    assert!(here["review"].preview && here["review"].keyed && !here["staging"].preview);
    let there = engine.declared_at(&first).expect("a program");
    assert_eq!(there.keys().map(Name::as_str).collect::<Vec<_>>(), ["production", "staging"]);
    assert_eq!(engine.declared_at("HEAD").expect("a program"), here);
    let of = |commit: &str, name: &str| engine.conditions_at(commit, name, &no_params());
    assert_eq!(of(&first, "review[7]").expect("a program"), None);
    let now = engine.conditions("review[7]", &no_params()).expect("a program");
    assert!(now.preview && now.signers.as_ref().is_some_and(|lines| lines.len() == 1));
    assert_eq!(of(&second, "review[7]").expect("a program"), Some(now));
    let missing = "0123456789012345678901234567890123456789";
    let error = of(missing, "staging").expect_err("no commit").to_string();
    assert!(error.contains(missing) && error.contains("fetch the whole history"), "{error}");
    assert!(matches!(of("--help", "staging"), Err(EngineError::MissingCommit { .. })));
    // A file that is named and lacks is no empty one.
    std::fs::remove_file(shop.path().join("signers")).expect("a file");
    let error = engine.conditions("staging", &no_params()).expect_err("no file");
    assert!(matches!(error, EngineError::Program { .. }), "{error}");
}

#[test]
fn commits_are_those_of_the_first_parent_line_and_options_are_none() {
    let shop = Shop::new();
    let first = shop.git(&["rev-parse", "HEAD"]);
    shop.git(&["checkout", "--quiet", "-b", "feature"]);
    let branch = shop.commit(MANIFEST, &PROGRAM.replace("web:1", "web:2"));
    shop.git(&["checkout", "--quiet", "main"]);
    shop.git(&["merge", "--quiet", "--no-ff", "-m", "merged", "feature"]);
    let merge = shop.git(&["rev-parse", "HEAD"]);
    let last = shop.commit(MANIFEST, PROGRAM);
    let path = shop.path();
    let line = crate::commits(path, Some(&first), "HEAD").expect("commits");
    assert_eq!(line, [merge.clone(), last.clone()]);
    let whole = crate::commits(path, None, "main").expect("commits");
    assert_eq!(whole, [first.clone(), merge.clone(), last.clone()]);
    assert!(crate::is_ancestor(path, &branch, &merge).expect("commits"));
    assert!(crate::is_ancestor(path, &merge, &merge).expect("commits"));
    assert!(!crate::is_ancestor(path, &last, &branch).expect("commits"));
    assert_eq!(crate::common(path, &branch, "HEAD").expect("git"), Some(branch));
    assert_eq!(crate::common(path, "--help", "HEAD").expect("git"), None);
    assert_eq!(crate::head_commit(path).expect("git").map(|head| head.id), Some(last));
    assert!(crate::is_whole(path).expect("git"));
    assert!(matches!(
        crate::commits(path, Some("--all"), "HEAD"),
        Err(EngineError::MissingCommit { .. })
    ));
}

/// Commits a link in the place of a file.
fn link(shop: &Shop, target: &str, name: &str) {
    let path = shop.path().join(name);
    let _ = std::fs::remove_file(&path);
    std::os::unix::fs::symlink(target, path).expect("a link");
    shop.git(&["add", name]);
}

#[test]
fn a_policy_behind_a_link_is_asked_of_the_change_that_removes_it() {
    if !is_at_home("a_policy_behind_a_link_is_asked_of_the_change_that_removes_it") {
        return;
    }
    let shop = Shop::new();
    std::fs::create_dir(shop.path().join("real")).expect("a folder");
    let write = |program: &str| {
        std::fs::write(shop.path().join("real/main.txt"), program).expect("a file");
        shop.git(&["add", "real"]);
        shop.git(&["commit", "--quiet", "-m", "a change"]);
        shop.git(&["rev-parse", "HEAD"])
    };
    link(&shop, "real/main.txt", "main.dax");
    let first = write(PROGRAM);
    let engine = shop.engine();
    let now = plan(&engine, "staging");
    apply(&engine, &now, &[], None).unwrap_or_else(|error| panic!("{error}"));
    let (program, _) = PROGRAM.split_once("policy").expect("a policy");
    let last = write(&program.replace("replicas = 3", "replicas = 1"));
    let engine = shop.engine();
    let one = plan(&engine, "staging");
    let why = denied(apply(&engine, &one, &[], None));
    assert!(why.ends_with("denies it: web needs two replicas"), "{why}");
    // Git knows what the commit brought, and what was there before.
    let brought = crate::brought(shop.path(), &last).expect("a commit");
    let staging = brought.iter().find(|one| one.environment == "staging").expect("staging");
    assert_eq!((staging.how, staging.conditions), ("changed", true));
    let affected = crate::affected(shop.path(), &first).expect("a commit");
    assert_eq!(affected.iter().find(|one| one.environment == "staging"), Some(staging));
}

#[test]
fn a_policy_that_was_recorded_and_is_not_found_denies() {
    if !is_at_home("a_policy_that_was_recorded_and_is_not_found_denies") {
        return;
    }
    let (shop, _) = applied();
    // As if the commit had been read with less in it than there is.
    let (program, _) = PROGRAM.split_once("policy").expect("a policy");
    let blind = shop.commit(MANIFEST, program);
    let engine = shop.engine();
    let store = engine.store().expect("a state");
    let recorded = engine.recorded_conditions("staging").expect("a state").expect("conditions");
    let actor = dax_store::audit::Actor {
        commit: Some(dax_store::audit::Commit { id: blind.as_str().into(), at_ms: 0 }),
        ..dax_store::audit::Actor::default()
    };
    let json = serde_json::to_value(&recorded.conditions).expect("JSON");
    let mut lease = engine.acquire(&store, "staging", Duration::ZERO).expect("a lease");
    engine.runtime.block_on(store.record_conditions(&mut lease, &json, &actor)).expect("recorded");
    engine.release(&store, &mut lease, Ok(())).expect("released");
    shop.commit(MANIFEST, &program.replace("acme/web:1", "acme/web:2"));
    let engine = shop.engine();
    let next = plan(&engine, "staging");
    let why = denied(apply(&engine, &next, &[], None));
    assert!(why.contains("`enough`, which was recorded with it, is not found there"), "{why}");
}

#[test]
fn signers_that_a_commit_cannot_give_are_those_that_were_recorded() {
    if !is_at_home("signers_that_a_commit_cannot_give_are_those_that_were_recorded") {
        return;
    }
    let shop = Shop::new();
    let signed = format!("{MANIFEST}signers = \"signers\"\n");
    let keys = tempfile::tempdir().expect("a folder");
    let ann = keygen(keys.path(), "ann");
    std::fs::write(shop.path().join("real"), format!("ann {ann}\n")).expect("a file");
    shop.git(&["add", "real"]);
    link(&shop, "real", "signers");
    let first = shop.commit(&signed, PROGRAM);
    let engine = shop.engine();
    let now = plan(&engine, "staging");
    apply(&engine, &now, &[], None).unwrap_or_else(|error| panic!("{error}"));
    let at = |commit: &str| {
        let found = shop.engine().conditions_at(commit, "staging", &no_params());
        found.expect("a program").expect("an environment").signers
    };
    let known = at(&first);
    assert!(known.as_ref().is_some_and(|lines| lines.len() == 1), "{known:?}");
    for target in ["../elsewhere", "nothing"] {
        link(&shop, target, "signers");
        let broken = shop.commit(&signed, PROGRAM);
        assert_eq!(at(&broken), known, "{target}");
    }
}

/// A run that comes to a gate and is stopped there after a while, if nobody lets it go on.
fn until_it_waits(
    run: impl FnOnce(&mut crate::Interrupts) -> Result<Finished, EngineError>,
) -> crate::Outcome {
    let (sender, mut interrupts) = tokio::sync::mpsc::channel(1);
    let stop = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_secs(3));
        let _ = sender.blocking_send(());
    });
    let finished = run(&mut interrupts).unwrap_or_else(|error| panic!("{error}"));
    stop.join().expect("a thread");
    finished.outcome
}

#[test]
fn a_gate_is_judged_by_the_conditions_that_its_run_began_under() {
    if !is_at_home("a_gate_is_judged_by_the_conditions_that_its_run_began_under") {
        return;
    }
    let group =
        |members: &str| format!("{MANIFEST}group \"team:qa\" {{ members = [{members}] }}\n");
    let own = group("\"cid\"");
    let gated = |number: u32| {
        let program = PROGRAM.replace("  approve 1", "  rollout web with careful\n  approve 1");
        let program = program.replace("web:1", &format!("web:{number}"));
        format!(
            "{program}\nstrategy careful: canary {{\n  step 50% approve 1 of [\"team:qa\"]\n}}\n"
        )
    };
    let shop = Shop::new();
    shop.commit(&own, &gated(1));
    let begin = || {
        let engine = shop.engine();
        let plan = plan(&engine, "production");
        let request = |plan: &Plan| ApplyRequest {
            plan: plan.clone(),
            expect: None,
            acknowledged: BTreeSet::new(),
            why: String::new(),
            name: None,
            lock_timeout: Duration::ZERO,
            again: None,
            origin: Origin::Program,
            reviews: of(&[review(plan, "ann")]),
            base: None,
        };
        let run = request(&plan);
        (until_it_waits(|stop| engine.apply(run, stop, &mut |_, _, _| {})), plan)
    };
    let resumed = |plan: &Plan, by: &str| {
        let engine = shop.engine();
        let store = engine.store().expect("a state");
        let is_gate = |step: &&crate::Step| matches!(step.task, dax_plan::Task::Gate { .. });
        let step = plan.steps.iter().find(is_gate).expect("a gate").id;
        let approval = Approval { step: Some(step), ..review(plan, by) };
        engine.runtime.block_on(store.approve("production", &approval)).expect("approved");
        let decisions = Decisions::default();
        until_it_waits(|stop| {
            engine.resume(Some("production"), &decisions, Duration::ZERO, stop, &mut |_, _, _| {})
        })
    };
    let (first, _) = begin();
    assert_eq!(first, crate::Outcome::Succeeded);
    shop.commit(&own, &gated(2));
    let (waits, two) = begin();
    assert_eq!(waits, crate::Outcome::Interrupted);
    // Whoever joins the group later, and whoever is called like a group that is gone.
    shop.commit(&group("\"cid\", \"mallory\""), &gated(2));
    assert_eq!(resumed(&two, "mallory"), crate::Outcome::Interrupted);
    shop.commit(MANIFEST, &gated(2));
    assert_eq!(resumed(&two, "team:qa"), crate::Outcome::Interrupted);
    assert_eq!(resumed(&two, "cid"), crate::Outcome::Succeeded);
    // Of a run from files that no commit has, what was recorded before is known, and what is here.
    shop.commit(&own, &gated(2));
    std::fs::write(shop.path().join("main.dax"), gated(3)).expect("a file");
    let (waits, three) = begin();
    assert_eq!(waits, crate::Outcome::Interrupted);
    shop.commit(&group("\"cid\", \"mallory\""), &gated(2));
    assert_eq!(resumed(&three, "mallory"), crate::Outcome::Interrupted);
    shop.commit(MANIFEST, &gated(2));
    assert_eq!(resumed(&three, "team:qa"), crate::Outcome::Interrupted);
    shop.commit(&group("\"cid\", \"mallory\""), &gated(2));
    assert_eq!(resumed(&three, "cid"), crate::Outcome::Succeeded);
}
