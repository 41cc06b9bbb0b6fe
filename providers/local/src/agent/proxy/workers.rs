//! Threads that serve clients: each with its own event loop, connections to replicas and nothing to share.
//!
//! A connection stays on one thread from its first byte to its last, as do the replicas' connections that it uses,
//! so no request waits for another thread to wake up.

use super::links;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};

/// Threads at most; a machine of this kind has other things to do.
const MOST: usize = 8;
/// Time between looks at connections that nobody uses.
const SWEEP: Duration = Duration::from_secs(1);

/// The event loops of the threads; empty where none can be started, and the agent's own does it then.
static WORKERS: LazyLock<Vec<Handle>> = LazyLock::new(|| {
    let threads = std::thread::available_parallelism().map_or(1, |cores| cores.get()).min(MOST);
    (0..threads).filter_map(|_| start().ok()).collect()
});

static NEXT: AtomicUsize = AtomicUsize::new(0);

fn start() -> std::io::Result<Handle> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    std::thread::Builder::new().name("dax-proxy".to_owned()).spawn(move || {
        runtime.block_on(async {
            loop {
                tokio::time::sleep(SWEEP).await;
                links::sweep();
            }
        });
    })?;
    Ok(handle)
}

/// The event loop whose turn it is.
pub(super) fn next() -> Handle {
    let at = NEXT.fetch_add(1, Ordering::Relaxed);
    match WORKERS.len() {
        0 => Handle::current(),
        count => WORKERS[at % count].clone(),
    }
}
