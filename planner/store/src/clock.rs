//! The time of the place that keeps a state: leases, waits and records go by it, not by the clock of a machine.
//!
//! Of two machines one clock is ahead of the other, and by its own clock either would take a lease that lives, or
//! find an hour over that has just begun. The place is asked when it is opened, before a lease is taken and with
//! each sign of life; in between time is counted from there, so that a machine's clock may jump as it likes.

use super::{Result, Store};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// A time that was told, and the moment of this process at which it was.
#[derive(Clone, Copy)]
struct Told {
    at_ms: u64,
    at: Instant,
}

/// Counts on from the time that was told last.
pub(super) struct Clock(Mutex<Told>);

impl Default for Clock {
    fn default() -> Self {
        Self(Mutex::new(Told { at_ms: machine_ms(), at: Instant::now() }))
    }
}

impl Clock {
    fn now_ms(&self) -> u64 {
        let told = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.at_ms.saturating_add(millis(told.at.elapsed()))
    }

    fn set(&self, at_ms: u64) {
        let told = Told { at_ms, at: Instant::now() };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told;
    }
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

/// The time of this machine, in milliseconds since 1970.
fn machine_ms() -> u64 {
    millis(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default())
}

impl Store {
    /// The time at the place that keeps the state, in milliseconds since 1970, as far as it was asked; that of this
    /// machine where the place has no clock of its own.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    /// Asks the place what time it is.
    ///
    /// # Errors
    /// It cannot be asked.
    pub async fn keep_time(&self) -> Result<()> {
        let asked = Instant::now();
        let told = self.blobs.clock().await?;
        // What was told is as old as the way back, about half of the whole.
        let now = told.map(|told| told.saturating_add(millis(asked.elapsed() / 2)));
        self.clock.set(now.unwrap_or_else(machine_ms));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::blobs::{Blob, Blobs, Commit, MemoryBlobs, Texts, Version};
    use super::*;
    use crate::testing::{now, store};
    use crate::{Key, Sealed};
    use futures::future::BoxFuture;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    /// A place with a clock that the test sets.
    #[derive(Default)]
    struct Timed {
        inner: MemoryBlobs,
        at_ms: AtomicU64,
    }

    impl Blobs for Timed {
        fn place(&self) -> String {
            self.inner.place()
        }
        fn get<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<Option<Blob>>> {
            self.inner.get(key)
        }
        fn list<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Vec<String>>> {
            self.inner.list(prefix)
        }
        fn scan<'a>(&'a self, prefix: &'a str) -> BoxFuture<'a, Result<Texts>> {
            self.inner.scan(prefix)
        }
        fn put_new<'a>(&'a self, key: &'a str, bytes: Vec<u8>) -> BoxFuture<'a, Result<bool>> {
            self.inner.put_new(key, bytes)
        }
        fn commit<'a>(&'a self, commit: &'a Commit) -> BoxFuture<'a, Result<Option<Version>>> {
            self.inner.commit(commit)
        }
        fn remove<'a>(&'a self, keys: &'a [String]) -> BoxFuture<'a, Result<()>> {
            self.inner.remove(keys)
        }
        fn clock<'a>(&'a self) -> BoxFuture<'a, Result<Option<u64>>> {
            let now = self.at_ms.load(Ordering::Relaxed);
            Box::pin(async move { Ok(Some(now)) })
        }
    }

    fn near(found: u64, wanted: u64) {
        assert!((wanted..wanted + 5_000).contains(&found), "{found} is not {wanted}");
    }

    #[test]
    fn a_store_goes_by_the_clock_of_its_place_also_where_it_is_sealed() {
        let key = Key::parse(&"7".repeat(64)).unwrap();
        for sealed in [false, true] {
            let place = Arc::new(Timed::default());
            place.at_ms.store(1_000_000, Ordering::Relaxed);
            let store = store(match sealed {
                true => Arc::new(Sealed::new(place.clone(), &key).unwrap()),
                false => place.clone(),
            });
            near(store.now_ms(), 1_000_000);
            // It counts on by itself, and from anew when it asks; a copy of the store goes with it.
            std::thread::sleep(Duration::from_millis(20));
            assert!(store.now_ms() >= 1_000_020);
            place.at_ms.store(9_000_000, Ordering::Relaxed);
            near(store.now_ms(), 1_000_020);
            let copy = store.clone();
            now(store.keep_time()).unwrap();
            near(copy.now_ms(), 9_000_000);
        }
    }

    #[test]
    fn a_place_without_a_clock_has_the_time_of_the_machine() {
        let before = machine_ms();
        near(store(Arc::new(MemoryBlobs::default())).now_ms(), before);
    }
}
