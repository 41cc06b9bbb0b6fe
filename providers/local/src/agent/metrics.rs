//! What the clients of one revision got: requests, errors and latencies, second by second.
//!
//! A request is recorded when it has ended, as its client saw it: with its last byte, or where it broke. While it
//! is open it counts as soon as the service has taken too long for it. Time that a client takes to send or to
//! read is not the service's.

use dax_core::{Decimal, Quantity, Unit, Value};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Seconds that are kept.
const KEPT: usize = 3_600;
/// The longest latency that is told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;
/// An open request for which the service has taken this long counts with its latency so far.
const NOTICED: Duration = Duration::from_secs(1);
/// An open request that has waited a whole window counts as an error, and at the latest after this time.
const UNANSWERED: Duration = Duration::from_secs(10);

struct Second {
    at: u64,
    requests: u64,
    errors: u64,
    /// Requests whose latency tells something: what broke at once is not fast.
    telling: u64,
    latencies: Histogram<u32>,
}

impl Second {
    fn empty(at: u64) -> Self {
        Self { at, requests: 0, errors: 0, telling: 0, latencies: histogram() }
    }

    fn add(&mut self, outcome: Outcome, latency: Option<Duration>) {
        self.requests += 1;
        self.errors += u64::from(outcome != Outcome::Good);
        let telling = outcome != Outcome::Broken || latency.is_some_and(|l| l >= NOTICED);
        self.telling += u64::from(telling);
        if let Some(latency) = latency {
            let micros = u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US);
            self.latencies.saturating_record(micros.max(1));
        }
    }
}

/// How a request ended for its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// A whole answer below 500.
    Good,
    /// A whole answer of 500 and above.
    Failed,
    /// No answer, or a part of one.
    Broken,
}

/// A request that a replica has.
#[derive(Clone, Copy)]
struct Open {
    /// Time that the service took up to now, without the current wait.
    served: Duration,
    /// Since when the service is waited for; nothing while the client is.
    since: Option<Instant>,
}

#[derive(Default)]
struct Ledger {
    seconds: VecDeque<Second>,
    open: Vec<Option<Open>>,
    free: Vec<usize>,
}

/// The measurements of one revision.
pub(crate) struct Metrics {
    start: Instant,
    ledger: Mutex<Ledger>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { start: Instant::now(), ledger: Mutex::default() }
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).expect("1 and an hour with two digits are bounds")
}

impl Metrics {
    fn lock(&self) -> MutexGuard<'_, Ledger> {
        self.ledger.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn record(&self, ledger: &mut Ledger, outcome: Outcome, latency: Option<Duration>) {
        let at = self.start.elapsed().as_secs();
        if ledger.seconds.back().is_none_or(|last| last.at != at) {
            ledger.seconds.push_back(Second::empty(at));
            if ledger.seconds.len() > KEPT {
                ledger.seconds.pop_front();
            }
        }
        if let Some(second) = ledger.seconds.back_mut() {
            second.add(outcome, latency);
        }
    }

    /// Counts a request that no replica could be given: an error without a latency.
    pub(crate) fn refused(&self) {
        self.record(&mut self.lock(), Outcome::Broken, None);
    }

    /// Everything of the last `window`, with the open requests that have waited too long.
    fn total(&self, window: Duration) -> Second {
        let now = self.start.elapsed().as_secs();
        let from = (now + 1).saturating_sub(window.as_secs().max(1));
        let mut total = Second::empty(now);
        let ledger = self.lock();
        for second in ledger.seconds.iter().filter(|second| second.at >= from) {
            total.requests += second.requests;
            total.errors += second.errors;
            total.telling += second.telling;
            // Both have the same bounds, so nothing is out of range.
            let _ = total.latencies.add(&second.latencies);
        }
        for open in ledger.open.iter().flatten() {
            let Some(waited) = open.since.map(|since| since.elapsed()) else { continue };
            if open.served + waited < NOTICED {
                continue;
            }
            let hopeless = waited >= window.clamp(NOTICED, UNANSWERED);
            total.add(
                if hopeless { Outcome::Broken } else { Outcome::Good },
                Some(open.served + waited),
            );
        }
        total
    }

    /// A metric over the last `window`; rates need a request, percentiles one that tells.
    pub(crate) fn query(&self, text: &str, window: Duration) -> Option<Value> {
        let total = self.total(window);
        let whole = |number: u64| Some(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        let quantity =
            |unit, amount: Decimal| Some(Value::Quantity(Quantity::new(unit, amount.round_dp(3))));
        let percentile = |percent: f64| {
            let micros = total.latencies.value_at_quantile(percent);
            (total.telling > 0)
                .then(|| quantity(Unit::Duration, Decimal::from(micros) / Decimal::from(1000)))?
        };
        let requests = Decimal::from(total.requests);
        match text {
            "requests" => whole(total.requests),
            "errors" => whole(total.errors),
            _ if total.requests == 0 => None,
            "error_rate" => {
                quantity(Unit::Percent, Decimal::from(total.errors) * Decimal::from(100) / requests)
            }
            "request_rate" => {
                quantity(Unit::Rate, requests / Decimal::from(window.as_secs().max(1)))
            }
            "p50" => percentile(0.5),
            "p90" => percentile(0.9),
            "p95" => percentile(0.95),
            "p99" => percentile(0.99),
            _ => None,
        }
    }
}

/// One request from when a replica has it until it has ended.
///
/// One that is let go without an end is not counted.
pub(crate) struct Measurement {
    pub(crate) metrics: Arc<Metrics>,
    slot: usize,
    ended: AtomicBool,
}

impl Measurement {
    /// Begins with waiting for the service.
    pub(crate) fn begin(metrics: Arc<Metrics>) -> Self {
        let open = Open { served: Duration::ZERO, since: Some(Instant::now()) };
        let mut ledger = metrics.lock();
        let slot = match ledger.free.pop() {
            Some(slot) => {
                ledger.open[slot] = Some(open);
                slot
            }
            None => {
                ledger.open.push(Some(open));
                ledger.open.len() - 1
            }
        };
        drop(ledger);
        Self { metrics, slot, ended: AtomicBool::new(false) }
    }

    /// Changes the open request, as long as it is one.
    fn change(&self, change: impl FnOnce(&mut Open)) {
        if !self.ended.load(Ordering::Acquire)
            && let Some(open) = &mut self.metrics.lock().open[self.slot]
        {
            change(open);
        }
    }

    /// From now on the client is waited for.
    pub(crate) fn waits_for_client(&self) {
        self.change(|open| {
            open.served += open.since.take().map_or(Duration::ZERO, |since| since.elapsed());
        });
    }

    /// From now on the service is waited for.
    pub(crate) fn waits_for_service(&self) {
        self.change(|open| {
            open.since.get_or_insert_with(Instant::now);
        });
    }

    /// How long the service has been waited for without a sign of it.
    pub(crate) fn waiting(&self) -> Duration {
        let mut waiting = Duration::ZERO;
        self.change(|open| {
            waiting = open.since.map_or(Duration::ZERO, |since| since.elapsed());
        });
        waiting
    }

    /// How long the service has taken up to now.
    pub(crate) fn served(&self) -> Duration {
        let mut served = Duration::ZERO;
        self.change(|open| {
            served = open.served + open.since.map_or(Duration::ZERO, |since| since.elapsed());
        });
        served
    }

    /// Ends the request; only the first end counts, and no outcome is none.
    pub(crate) fn end(&self, outcome: Option<Outcome>) {
        if self.ended.swap(true, Ordering::AcqRel) {
            return;
        }
        let mut ledger = self.metrics.lock();
        let open = ledger.open[self.slot].take();
        ledger.free.push(self.slot);
        if let (Some(open), Some(outcome)) = (open, outcome) {
            let waited = open.since.map_or(Duration::ZERO, |since| since.elapsed());
            self.metrics.record(&mut ledger, outcome, Some(open.served + waited));
        }
    }
}

impl Drop for Measurement {
    fn drop(&mut self) {
        self.end(None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WINDOW: Duration = Duration::from_secs(10);

    fn show(metrics: &Metrics, text: &str) -> String {
        metrics.query(text, WINDOW).map_or_else(|| "no data".to_owned(), |value| value.to_string())
    }

    fn take(metrics: &Metrics, outcome: Outcome, millis: u64) {
        metrics.record(&mut metrics.lock(), outcome, Some(Duration::from_millis(millis)));
    }

    #[test]
    fn rates_and_percentiles_come_from_the_recorded_requests_only() {
        let metrics = Metrics::default();
        assert_eq!(show(&metrics, "error_rate"), "no data");
        for number in 1..=100 {
            take(&metrics, if number % 5 == 0 { Outcome::Failed } else { Outcome::Good }, number);
        }
        assert_eq!(show(&metrics, "requests"), "100");
        assert_eq!(show(&metrics, "errors"), "20");
        assert_eq!(show(&metrics, "error_rate"), "20%");
        assert_eq!(show(&metrics, "request_rate"), "10rps");
        // Two significant digits: within one percent of 50 ms and 99 ms.
        assert!(show(&metrics, "p50").starts_with("50."), "{}", show(&metrics, "p50"));
        assert!(show(&metrics, "p99").starts_with("99."), "{}", show(&metrics, "p99"));
    }

    #[test]
    fn what_broke_at_once_is_not_fast_and_what_nobody_took_has_no_latency() {
        let metrics = Metrics::default();
        take(&metrics, Outcome::Broken, 1);
        metrics.refused();
        assert_eq!(show(&metrics, "error_rate"), "100%");
        assert_eq!(show(&metrics, "p99"), "no data");
        take(&metrics, Outcome::Good, 700);
        assert!(show(&metrics, "p99").starts_with("70"), "{}", show(&metrics, "p99"));
        assert_eq!(show(&metrics, "requests"), "3");
    }

    #[test]
    fn an_open_request_counts_once_it_has_waited_too_long_and_is_an_error_after_a_window() {
        let metrics = Arc::new(Metrics::default());
        let open = Measurement::begin(metrics.clone());
        assert_eq!(show(&metrics, "requests"), "0");
        let ago = |seconds| Instant::now().checked_sub(Duration::from_secs(seconds));
        open.change(|open| open.since = ago(3));
        assert_eq!(show(&metrics, "requests"), "1");
        assert_eq!(show(&metrics, "errors"), "0");
        open.change(|open| open.since = ago(11));
        assert_eq!(show(&metrics, "error_rate"), "100%");
        open.waits_for_client();
        assert_eq!(show(&metrics, "requests"), "0", "it is the client that is waited for");
        open.end(Some(Outcome::Good));
        open.end(Some(Outcome::Broken));
        assert_eq!(
            (show(&metrics, "requests"), show(&metrics, "errors")),
            ("1".into(), "0".into())
        );
        assert!(show(&metrics, "p50").starts_with("11"), "{}", show(&metrics, "p50"));
        drop(Measurement::begin(metrics.clone()));
        assert_eq!(show(&metrics, "requests"), "1");
    }

    #[test]
    fn an_answer_that_drips_counts_with_the_time_that_it_has_taken_while_it_runs() {
        let metrics = Arc::new(Metrics::default());
        let open = Measurement::begin(metrics.clone());
        open.change(|open| open.since = Instant::now().checked_sub(Duration::from_secs(3)));
        // A part of it has come, and the next is waited for.
        open.waits_for_client();
        assert_eq!(show(&metrics, "requests"), "0");
        open.waits_for_service();
        assert!(open.waiting() < Duration::from_secs(1));
        assert!(open.served() >= Duration::from_secs(3));
        assert_eq!(
            (show(&metrics, "requests"), show(&metrics, "errors")),
            ("1".into(), "0".into())
        );
        assert!(show(&metrics, "p99").starts_with('3'), "{}", show(&metrics, "p99"));
    }
}
