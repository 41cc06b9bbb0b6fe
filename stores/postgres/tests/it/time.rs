//! Machines whose clocks are wrong, by `faketime`: the time is that of PostgreSQL.

use crate::{block, holder, open};
use dax_store::{LEASE_MS, StoreError};
use dax_tests::peers;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

/// The address of the database, for the process with another clock.
const DATABASE: &str = "DAX_TEST_DATABASE";

fn machine_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
    u64::try_from(since.as_millis()).expect("before the end of time")
}

/// Runs a test of this program by itself, on a machine whose clock is off by so much.
fn elsewhere(clock: &str, test: &str, url: &str) {
    let Some(faketime) = peers::require("faketime") else { return };
    let run = Command::new(faketime)
        .args(["-f", clock])
        .arg(std::env::current_exe().expect("this program"))
        .args(["--exact", test, "--ignored", "--nocapture"])
        .env(DATABASE, url)
        .output()
        .expect("a process");
    let said = String::from_utf8_lossy(&run.stdout);
    let more = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success() && said.contains("1 passed"), "{said}\n{more}");
}

#[test]
fn a_machine_whose_clock_is_ahead_takes_no_lease_that_lives() {
    let Some(server) = peers::postgres() else { return };
    let url = format!("postgres://dax@127.0.0.1:{}/postgres", server.port);
    // One runtime for the whole test: a connection that comes back to the pool lives on the one that opened it.
    block(async {
        let store = open(&url).await.expect("a state");
        let now = store.now_ms();
        assert!(now.abs_diff(machine_ms()) < 5_000, "one machine has one time");
        let lease = store.acquire("dev", &holder("ann"), now, &|_| false).await;
        let mut lease = lease.expect("a lease");
        for clock in ["+10m", "+2h", "-10m"] {
            elsewhere(clock, "time::the_lease_of_another_lives", &url);
            store.renew(&mut lease, store.now_ms()).await.expect("it is still ann's");
        }
        // What a machine wrote whose clock is behind lives as long as any other.
        store.release(&mut lease).await.expect("given back");
        elsewhere("-10m", "time::a_lease_is_taken", &url);
        let refused = store.acquire("dev", &holder("ann"), store.now_ms(), &|_| false).await;
        assert!(matches!(refused, Err(StoreError::Held { .. })), "{refused:?}");
        let (_, expires_ms) = store.lease("dev").await.expect("readable").expect("a lease");
        assert!(expires_ms.abs_diff(store.now_ms() + LEASE_MS) < 20_000, "{expires_ms}");
    });
}

#[test]
#[ignore = "it is run by another test, with another clock"]
fn the_lease_of_another_lives() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    block(async {
        let store = open(&url).await.expect("a state");
        let ahead = machine_ms().abs_diff(store.now_ms());
        assert!(ahead > 9 * 60_000, "the clock of this machine is off by {ahead} ms");
        let now = store.now_ms();
        let refused = store.acquire("dev", &holder("bob"), now, &|_| false).await;
        assert!(matches!(refused, Err(StoreError::Held { .. })), "{refused:?}");
    });
}

#[test]
#[ignore = "it is run by another test, with another clock"]
fn a_lease_is_taken() {
    let Ok(url) = std::env::var(DATABASE) else { return };
    block(async {
        let store = open(&url).await.expect("a state");
        assert!(machine_ms().abs_diff(store.now_ms()) > 9 * 60_000);
        store.acquire("dev", &holder("bob"), store.now_ms(), &|_| false).await.expect("a lease");
    });
}
