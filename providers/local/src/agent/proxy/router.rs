//! Who gets the next request: shares are kept exactly, by smooth weighted round robin, not by chance.

use super::super::metrics::Metrics;
use super::super::replica::Replica;
use dax_core::{Name, RevisionId};
use hyper::header::HeaderMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// A revision as the proxy sees it.
pub(crate) struct Backend {
    pub(crate) revision: RevisionId,
    pub(crate) share: u32,
    pub(crate) replicas: Vec<Arc<Replica>>,
    pub(crate) metrics: Arc<Metrics>,
    /// Smooth weighted round robin: the credit of this revision.
    credit: i64,
    next: usize,
}

/// A replica for a request, and where the request counts.
pub(super) struct Choice {
    pub(super) replica: Arc<Replica>,
    pub(super) metrics: Arc<Metrics>,
    /// Whether no other replica of its revision is ready.
    pub(super) last: bool,
}

impl Backend {
    pub(crate) fn new(
        revision: RevisionId,
        share: u32,
        replicas: Vec<Arc<Replica>>,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self { revision, share, replicas, metrics, credit: 0, next: 0 }
    }

    fn can_take(&self, tried: &[u64]) -> bool {
        self.replicas.iter().any(|replica| usable(replica, tried))
    }

    /// The next of its replicas that may be given a request.
    fn next_ready(&mut self, tried: &[u64]) -> Option<Choice> {
        let ready = || self.replicas.iter().filter(|replica| usable(replica, tried));
        let count = ready().count();
        let replica = ready().nth(self.next % count.max(1))?.clone();
        let last = self.replicas.iter().filter(|replica| replica.is_ready()).count() <= 1;
        self.next = self.next.wrapping_add(1);
        Some(Choice { replica, metrics: self.metrics.clone(), last })
    }
}

fn usable(replica: &Replica, tried: &[u64]) -> bool {
    replica.is_ready() && !tried.contains(&replica.number)
}

/// Who gets the next request.
#[derive(Default)]
pub(crate) struct Router {
    table: Mutex<Table>,
}

#[derive(Default)]
struct Table {
    backends: Vec<Backend>,
    /// Header, value, and the revision that such requests reach.
    routes: Vec<(Name, Name, RevisionId)>,
}

impl Table {
    /// The revision that the headers of a request name.
    fn routed(&self, headers: &HeaderMap) -> Option<usize> {
        let meant = |(name, value, _): &&(Name, Name, RevisionId)| {
            headers.get_all(name.as_str()).iter().any(|found| found == value.as_str())
        };
        let (_, _, revision) = self.routes.iter().find(meant)?;
        self.backends.iter().position(|backend| backend.revision == *revision)
    }

    /// The revision whose turn it is among those with a share that are allowed.
    fn turn(&mut self, allowed: impl Fn(&Backend) -> bool) -> Option<&mut Backend> {
        let mut total = 0;
        let mut best: Option<usize> = None;
        for at in 0..self.backends.len() {
            let backend = &mut self.backends[at];
            if backend.share == 0 || !allowed(backend) {
                continue;
            }
            backend.credit += i64::from(backend.share);
            total += i64::from(backend.share);
            if best.is_none_or(|best| self.backends[best].credit < self.backends[at].credit) {
                best = Some(at);
            }
        }
        let backend = &mut self.backends[best?];
        backend.credit -= total;
        Some(backend)
    }
}

impl Router {
    fn lock(&self) -> MutexGuard<'_, Table> {
        self.table.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Replaces the backends; those that stay keep their place in the round.
    pub(crate) fn set(&self, mut backends: Vec<Backend>, routes: Vec<(Name, Name, RevisionId)>) {
        let mut table = self.lock();
        table.routes = routes;
        let current = &mut table.backends;
        for backend in &mut backends {
            if let Some(old) = current
                .iter()
                .find(|old| old.revision == backend.revision && old.share == backend.share)
            {
                backend.credit = old.credit;
                backend.next = old.next;
            }
        }
        table.backends = backends;
    }

    /// The replica for the next request, passing over those already tried.
    pub(super) fn pick(&self, headers: &HeaderMap, tried: &[u64]) -> Option<Choice> {
        let mut table = self.lock();
        if let Some(at) = table.routed(headers)
            && table.backends[at].can_take(tried)
        {
            return table.backends[at].next_ready(tried);
        }
        table.turn(|backend| backend.can_take(tried))?.next_ready(tried)
    }

    /// Where a request counts that no replica can be given: the revision whose turn it would have been.
    pub(super) fn responsible(&self, headers: &HeaderMap) -> Option<Arc<Metrics>> {
        let mut table = self.lock();
        if let Some(at) = table.routed(headers) {
            return Some(table.backends[at].metrics.clone());
        }
        table.turn(|_| true).map(|backend| backend.metrics.clone())
    }
}
