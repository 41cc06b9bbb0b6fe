//! A state in a real object storage: whose clock counts, and what plan jobs may write there.
//!
//! The library reads where and who from variables, as `aws` does; processes of their own keep them from one another.

use dax_store::Store;
use dax_store::blobs::Credentials;
use dax_store::{Approval, Holder, ShownPlan, StoreError};
use dax_store_s3::S3Blobs;
use dax_tests::peers::{self, Peer};
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

const PAGE: &str = include_str!("../../../../docs/operating.md");

fn block<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(future)
}

async fn open() -> Result<Store, StoreError> {
    let blobs = S3Blobs::open("s3://state/teams", "shop", Credentials::Ambient)?;
    Store::open(Arc::new(blobs), None).await
}

fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the end of time")
}

fn holder(name: &str) -> Holder {
    Holder { name: name.to_owned(), host: "elsewhere".to_owned(), pid: 1, started: 1 }
}

fn passes(run: &Output) {
    let said = String::from_utf8_lossy(&run.stdout);
    let more = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}\n{more}");
}

/// Runs a test of this program by itself, behind these words, with the credentials of the server or without any.
fn alone(server: &Peer, before: &[&str], test: &str, known: bool) {
    let this = std::env::current_exe().expect("this program").display().to_string();
    let words: Vec<&str> = before.iter().copied().chain([this.as_str()]).collect();
    let mut command = Command::new(words[0]);
    command.args(&words[1..]).args(["--exact", test, "--ignored", "--nocapture"]);
    command.env("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", server.port));
    command.envs([("AWS_REGION", "us-east-1"), ("AWS_ALLOW_HTTP", "true")]);
    match known {
        true => {
            command.envs([("AWS_ACCESS_KEY_ID", "daxdax"), ("AWS_SECRET_ACCESS_KEY", "daxdaxdax")])
        }
        false => command.env("AWS_SKIP_SIGNATURE", "true"),
    };
    passes(&command.output().expect("a process"));
}

fn is_alone() -> bool {
    std::env::var_os("AWS_ENDPOINT_URL").is_some()
}

#[test]
fn a_machine_whose_clock_is_ahead_takes_no_lease_that_lives() {
    let (Some(server), Some(faketime)) = (peers::minio(), peers::require("faketime")) else {
        return;
    };
    let faketime = faketime.display().to_string();
    alone(&server, &[], "a_lease_is_taken", true);
    // A server refuses whoever is off by more than a quarter of an hour.
    for clock in ["+10m", "-10m"] {
        alone(&server, &[&faketime, "-f", clock], "the_lease_of_another_lives", true);
    }
}

#[test]
#[ignore = "it is run by another test, against a server"]
fn a_lease_is_taken() {
    if !is_alone() {
        return;
    }
    block(async {
        let store = open().await.expect("a state");
        assert!(store.now_ms().abs_diff(machine_ms()) < 5_000, "one machine has one time");
        store.acquire("dev", &holder("ann"), store.now_ms(), &|_| false).await.expect("a lease");
    });
}

#[test]
#[ignore = "it is run by another test, against a server"]
fn the_lease_of_another_lives() {
    if !is_alone() {
        return;
    }
    block(async {
        let store = open().await.expect("a state");
        let off = machine_ms().abs_diff(store.now_ms());
        assert!(off > 9 * 60_000, "the clock of this machine is off by {off} ms");
        // Also when it asks anew.
        tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
        store.keep_time().await.expect("an answer");
        let now = store.now_ms();
        assert!(machine_ms().abs_diff(now) > 9 * 60_000);
        let refused = store.acquire("dev", &holder("bob"), now, &|_| false).await;
        assert!(matches!(refused, Err(StoreError::Held { .. })), "{refused:?}");
    });
}

fn shown(at_ms: u64) -> ShownPlan {
    ShownPlan {
        change: "pr-1".into(),
        commit: "c1".into(),
        at_ms,
        url: None,
        shown: true,
        conditions: None,
        loosens: false,
        plan: dax_tests::state_rows::some_plan(),
    }
}

/// Gives everybody the rights that the documentation gives to plan jobs.
fn allow(server: &Peer) -> bool {
    let policy = PAGE.split("```json\n").find(|text| text.contains("s3:ListBucket"));
    let policy = policy.and_then(|text| text.split("```").next()).expect("a policy in the page");
    let policy =
        policy.replace("BUCKET", "state").replace("PREFIX", "teams").replace("PROJECT", "shop");
    let mut policy: serde_json::Value = serde_json::from_str(&policy).expect("JSON");
    for statement in policy["Statement"].as_array_mut().expect("statements") {
        statement["Principal"] = serde_json::json!({ "AWS": ["*"] });
    }
    // The digest of what is sent is signed too, which not every version of curl does by itself.
    let script = r#"exec curl --silent --show-error --fail-with-body --request PUT --data "$0" \
        --aws-sigv4 aws:amz:us-east-1:s3 --user daxdax:daxdaxdax \
        --header "x-amz-content-sha256: $(printf %s "$0" | sha256sum | cut -d' ' -f1)" "$1""#;
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        peers::not_tested("curl", "it is not installed");
        return false;
    }
    let sent = Command::new("sh")
        .args(["-c", script, &policy.to_string()])
        .arg(format!("http://127.0.0.1:{}/state?policy=", server.port))
        .stdin(Stdio::null())
        .output()
        .expect("sh runs");
    let said = String::from_utf8_lossy(&sent.stdout);
    assert!(sent.status.success(), "{said}{}", String::from_utf8_lossy(&sent.stderr));
    true
}

#[test]
fn a_plan_job_keeps_the_plans_that_it_shows_and_writes_nothing_else() {
    let Some(server) = peers::minio() else { return };
    if allow(&server) {
        alone(&server, &[], "a_plan_job_comes_first", false);
        alone(&server, &[], "a_state_is_made", true);
        alone(&server, &[], "a_plan_job_writes", false);
    }
}

#[test]
#[ignore = "it is run by another test, against a server"]
fn a_plan_job_comes_first() {
    if !is_alone() {
        return;
    }
    block(async {
        let store = open().await.expect("nothing is there to be read");
        let refused = store.keep_shown("dev", &shown(1)).await;
        assert!(matches!(refused, Err(StoreError::Absent { .. })), "{refused:?}");
    });
}

#[test]
#[ignore = "it is run by another test, against a server"]
fn a_state_is_made() {
    if !is_alone() {
        return;
    }
    let blobs = S3Blobs::open("s3://state/teams", "shop", Credentials::Ambient);
    block(dax_tests::state_rows::write(Arc::new(blobs.expect("a bucket")), &str::to_owned));
}

#[test]
#[ignore = "it is run by another test, against a server"]
fn a_plan_job_writes() {
    if !is_alone() {
        return;
    }
    block(async {
        let store = open().await.expect("a state that may be read");
        for at_ms in 1..44 {
            store.keep_shown("dev", &shown(at_ms)).await.expect("it may");
        }
        let kept = store.shown_plans("dev", "pr-1").await.expect("readable");
        assert_eq!((kept.len(), kept[0].at_ms), (40, 4), "old ones go");
        let approval = Approval {
            digest: "abcd".into(),
            step: None,
            by: "ann".into(),
            groups: Vec::new(),
            reason: "forged".to_owned(),
            at_ms: 1,
            signature: None,
            names: Vec::new(),
        };
        let before = store.approvals("dev", "abcd").await.expect("readable");
        let now = store.now_ms();
        for (what, result) in [
            ("an approval", store.approve("dev", &approval).await),
            ("a lease", store.acquire("dev", &holder("eve"), now, &|_| true).await.map(drop)),
            ("a new one", store.acquire("new", &holder("eve"), now, &|_| true).await.map(drop)),
            ("a key", store.fingerprint_key(None).await.map(drop)),
        ] {
            let refused = matches!(
                result,
                Err(StoreError::ReadOnly { .. } | StoreError::NoFingerprintKey { .. })
            );
            assert!(refused, "{what}: {result:?}");
        }
        assert_eq!(store.approvals("dev", "abcd").await.expect("readable"), before);
    });
}
