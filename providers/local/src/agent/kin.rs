//! Kin: everything that one start brought into the world, in other groups and sessions too, ended
//! as one.

use super::cgroups::{self, Cgroups};
use crate::marks;
use crate::process_id::Identity;
use rustix::process::Signal;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How often it is looked whether processes have ended.
const POLL: Duration = Duration::from_millis(20);
/// How long what was left behind may take to end when it is asked to.
const GRACE: Duration = Duration::from_secs(2);
/// Rounds of ending what keeps coming.
const ROUNDS: usize = 50;

/// All processes of one start.
#[derive(Clone)]
pub(super) struct Kin {
    pub(super) cgroups: Arc<Cgroups>,
    /// The folder whose mark they carry.
    pub(super) folder: PathBuf,
    /// What tells this start from others: a token, or the mark of a command.
    pub(super) mark: String,
    /// Their control group, where they have one.
    pub(super) group: Option<PathBuf>,
}

impl Kin {
    /// Those that run now.
    fn now(&self) -> BTreeSet<Identity> {
        let marked = marks::marked(&self.folder);
        let marked = marked.into_iter().filter(|one| one.process == self.mark);
        let grouped = self.group.iter().flat_map(|group| cgroups::members(group));
        let grouped = grouped.filter_map(Identity::now);
        marked.map(|one| one.identity).chain(grouped).collect()
    }

    /// Ends all of them and those in `more`: asks first, and makes them end after a moment.
    pub(super) async fn end(&self, more: BTreeSet<Identity>) {
        let kin = self.clone();
        let me = i32::try_from(std::process::id()).unwrap_or(0);
        let find = move || {
            let mut all = kin.now();
            all.extend(more.iter().filter(|one| one.runs()));
            all.retain(|one| one.pid != me);
            all
        };
        let find = Arc::new(find);
        let found = blocking(find.clone()).await;
        end_all(&found, || find()).await;
        if let Some(group) = self.group.as_ref().filter(|_| !found.is_empty()) {
            self.cgroups.kill(group);
        }
        if let Some(group) = &self.group {
            cgroups::remove(group);
        }
    }
}

async fn blocking<F>(find: Arc<F>) -> BTreeSet<Identity>
where
    F: Fn() -> BTreeSet<Identity> + Send + Sync + 'static,
{
    tokio::task::spawn_blocking(move || find()).await.unwrap_or_default()
}

async fn gone(all: &BTreeSet<Identity>, within: Duration) -> bool {
    let until = tokio::time::Instant::now() + within;
    while all.iter().any(|one| one.runs()) {
        if tokio::time::Instant::now() >= until {
            return false;
        }
        tokio::time::sleep(POLL).await;
    }
    true
}

/// Ends processes, and those that `again` finds afterwards: asked first, then made to.
pub(super) async fn end_all(found: &BTreeSet<Identity>, again: impl Fn() -> BTreeSet<Identity>) {
    if found.is_empty() {
        return;
    }
    found.iter().for_each(|one| one.signal(Signal::TERM));
    gone(found, GRACE).await;
    for _ in 0..ROUNDS {
        let left = again();
        if left.is_empty() {
            return;
        }
        left.iter().for_each(|one| one.signal(Signal::KILL));
        gone(&left, GRACE).await;
    }
}

/// Those below a process in the tree, while it is there to tell.
pub(super) async fn below(of: Identity) -> BTreeSet<Identity> {
    blocking(Arc::new(move || marks::descendants(&[of]))).await
}
