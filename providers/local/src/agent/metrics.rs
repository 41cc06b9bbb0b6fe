//! What the proxy measured of one revision: requests, errors and latencies, second by second.

use dax_core::{Decimal, Quantity, Unit, Value};
use hdrhistogram::Histogram;
use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Seconds that are kept.
const KEPT: usize = 3_600;
/// The longest latency that is told apart, in microseconds: an hour.
const LONGEST_US: u64 = 3_600_000_000;

struct Second {
    at: u64,
    requests: u64,
    errors: u64,
    latencies: Histogram<u32>,
}

/// The measurements of one revision.
pub(crate) struct Metrics {
    start: Instant,
    seconds: Mutex<VecDeque<Second>>,
}

impl Default for Metrics {
    fn default() -> Self {
        Self { start: Instant::now(), seconds: Mutex::default() }
    }
}

fn histogram() -> Histogram<u32> {
    Histogram::new_with_bounds(1, LONGEST_US, 2).expect("1 and an hour with two digits are bounds")
}

impl Metrics {
    /// Counts one answer.
    pub(crate) fn record(&self, latency: Duration, error: bool) {
        let at = self.start.elapsed().as_secs();
        let mut seconds = self.seconds.lock().unwrap_or_else(PoisonError::into_inner);
        if seconds.back().is_none_or(|last| last.at != at) {
            seconds.push_back(Second { at, requests: 0, errors: 0, latencies: histogram() });
            if seconds.len() > KEPT {
                seconds.pop_front();
            }
        }
        if let Some(second) = seconds.back_mut() {
            second.requests += 1;
            second.errors += u64::from(error);
            second
                .latencies
                .saturating_record(u64::try_from(latency.as_micros()).unwrap_or(LONGEST_US).max(1));
        }
    }

    /// A metric over the last `window`; rates and percentiles need at least one request.
    pub(crate) fn query(&self, text: &str, window: Duration) -> Option<Value> {
        let now = self.start.elapsed().as_secs();
        let from = (now + 1).saturating_sub(window.as_secs().max(1));
        let (mut requests, mut errors, mut latencies) = (0_u64, 0_u64, histogram());
        for second in self
            .seconds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .filter(|s| s.at >= from)
        {
            requests += second.requests;
            errors += second.errors;
            latencies.add(&second.latencies).ok()?;
        }
        let whole = |number: u64| Some(Value::Int(i64::try_from(number).unwrap_or(i64::MAX)));
        let quantity =
            |unit, amount: Decimal| Some(Value::Quantity(Quantity::new(unit, amount.round_dp(3))));
        let percentile = |percent: f64| {
            quantity(
                Unit::Duration,
                Decimal::from(latencies.value_at_quantile(percent)) / Decimal::from(1000),
            )
        };
        match text {
            "requests" => return whole(requests),
            "errors" => return whole(errors),
            _ if requests == 0 => return None,
            _ => {}
        }
        match text {
            "error_rate" => quantity(
                Unit::Percent,
                Decimal::from(errors) * Decimal::from(100) / Decimal::from(requests),
            ),
            "request_rate" => quantity(
                Unit::Rate,
                Decimal::from(requests) / Decimal::from(window.as_secs().max(1)),
            ),
            "p50" => percentile(0.5),
            "p90" => percentile(0.9),
            "p95" => percentile(0.95),
            "p99" => percentile(0.99),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_and_percentiles_come_from_the_recorded_requests_only() {
        let metrics = Metrics::default();
        let window = Duration::from_secs(10);
        assert_eq!(metrics.query("error_rate", window), None);
        for number in 1..=100 {
            metrics.record(Duration::from_millis(number), number % 5 == 0);
        }
        let show = |text| metrics.query(text, window).map(|v| v.to_string()).unwrap_or_default();
        assert_eq!(
            (show("requests"), show("errors"), show("error_rate")),
            ("100".into(), "20".into(), "20%".into())
        );
        assert_eq!(show("request_rate"), "10rps");
        // Two significant digits: within one percent of 50 ms and 99 ms.
        assert!(
            show("p50").starts_with("50.") && show("p99").starts_with("99."),
            "{} {}",
            show("p50"),
            show("p99")
        );
    }
}
