//! How well deployments go: counts, durations and the four measures of DORA, all from the record of runs.
//!
//! Sources: the measures and their meaning, https://dora.dev/guides/dora-metrics-four-keys/; names and units of
//! metrics, the conventions of Prometheus and of OpenTelemetry's `cicd`.

use crate::HistoryEntry;
use dax_core::Name;
use dax_core::printable::Line;
use dax_machine::Outcome;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

/// Milliseconds of a day.
const DAY_MS: u64 = 86_400_000;
/// Upper ends of the classes of durations, in seconds.
const BUCKETS: [u64; 8] = [1, 5, 15, 60, 300, 900, 3_600, 14_400];

/// Measures of one environment.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Rates {
    /// The environment.
    pub environment: Name,
    /// Runs by service and status: `succeeded`, `failed`, `rolled_back`, `aborted`.
    pub deployments_total: BTreeMap<Name, BTreeMap<&'static str, u64>>,
    /// How long each ended run took, in seconds.
    pub deployment_duration_seconds: Vec<f64>,
    /// Services that are deployed at this moment, by name.
    pub active_deployments: BTreeMap<Name, u64>,
    /// Successful deployments a day, over the time that the record spans.
    pub deployment_frequency_per_day: Option<f64>,
    /// Median time from the commit of the program to the success of its deployment, in seconds; from the beginning of
    /// the deployment where the program lies in no repository.
    pub lead_time_seconds: Option<f64>,
    /// Share of the deployments that failed or were rolled back later.
    pub change_failure_rate: Option<f64>,
    /// Median time from the end of a failed deployment, or from the one that a rollback took back, until all was well again, in seconds.
    pub time_to_restore_seconds: Option<f64>,
}

#[expect(clippy::cast_precision_loss, reason = "counts and milliseconds lie far below 2^52")]
const fn float(number: u64) -> f64 {
    number as f64
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        count if count % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}

/// The measures of each environment, from its runs.
pub fn rates(history: &[HistoryEntry]) -> Vec<Rates> {
    let environments: BTreeSet<&Name> =
        history.iter().map(|entry| &entry.run.environment).collect();
    environments.into_iter().map(|name| of_environment(name, history)).collect()
}

fn of_environment(environment: &Name, history: &[HistoryEntry]) -> Rates {
    let mut runs: Vec<_> = history
        .iter()
        .filter(|entry| entry.run.environment == *environment)
        .map(|entry| &entry.run)
        .collect();
    runs.sort_by_key(|run| run.id);
    let mut rates = Rates { environment: environment.clone(), ..Rates::default() };
    let (mut good, mut bad, mut lead, mut restore) = (0_u64, 0_u64, Vec::new(), Vec::new());
    let mut broken_since: Option<u64> = None;
    let mut last_good: Option<u64> = None;
    for run in &runs {
        let status = status(run);
        for touched in &run.services {
            match status {
                Some(status) => {
                    let complete = run.complete.contains(&touched.service);
                    let status =
                        if complete && status != "succeeded" { "succeeded" } else { status };
                    *rates
                        .deployments_total
                        .entry(touched.service.name().into())
                        .or_default()
                        .entry(status)
                        .or_default() += 1;
                }
                None => {
                    *rates.active_deployments.entry(touched.service.name().into()).or_default() += 1
                }
            }
        }
        let (Some(ended), Some(status)) = (run.ended_ms, status) else { continue };
        rates
            .deployment_duration_seconds
            .push(float(ended.saturating_sub(run.started_ms)) / 1000.0);
        let deploys = run.mode == "apply";
        match (status, deploys) {
            ("succeeded", true) => {
                good += 1;
                last_good = Some(ended);
                let since = run.commit.as_ref().map_or(run.started_ms, |commit| commit.at_ms);
                lead.push(float(ended.saturating_sub(since)) / 1000.0);
                restore.extend(
                    broken_since.take().map(|since| float(ended.saturating_sub(since)) / 1000.0),
                );
            }
            ("succeeded", false) if run.mode == "rollback" => {
                // What was deployed well has turned out bad.
                if broken_since.is_none() && last_good.is_some() {
                    good = good.saturating_sub(1);
                    bad += 1;
                }
                let since = broken_since.take().or(last_good);
                restore.extend(since.map(|since| float(ended.saturating_sub(since)) / 1000.0));
            }
            (_, true) => {
                bad += 1;
                broken_since.get_or_insert(ended);
            }
            _ => {}
        }
    }
    let span = runs
        .first()
        .zip(runs.last())
        .map(|(first, last)| last.started_ms.saturating_sub(first.started_ms).max(DAY_MS));
    rates.deployment_frequency_per_day = span.map(|span| float(good) * float(DAY_MS) / float(span));
    rates.lead_time_seconds = median(lead);
    rates.change_failure_rate = (good + bad > 0).then(|| float(bad) / float(good + bad));
    rates.time_to_restore_seconds = median(restore);
    rates
}

fn status(run: &dax_store::Run) -> Option<&'static str> {
    Some(match run.outcome.as_ref()? {
        Outcome::Succeeded => "succeeded",
        Outcome::RolledBack { step: None, .. } => "aborted",
        Outcome::RolledBack { .. } => "rolled_back",
        _ => "failed",
    })
}

/// The measures in the text format of Prometheus.
pub fn prometheus(all: &[Rates]) -> String {
    let mut out = String::new();
    let head = |out: &mut String, name: &str, kind: &str, help: &str| {
        let _ = writeln!(out, "# HELP {name} {help}\n# TYPE {name} {kind}");
    };
    head(&mut out, "deployments_total", "counter", "Deployments of a service that ended.");
    for one in all {
        for (service, by_status) in &one.deployments_total {
            for (status, count) in by_status {
                let labels = format!(
                    "environment=\"{}\",service=\"{}\",status=\"{status}\"",
                    label(&one.environment),
                    label(service)
                );
                let _ = writeln!(out, "deployments_total{{{labels}}} {count}");
            }
        }
    }
    head(&mut out, "deployment_duration_seconds", "histogram", "How long a run took.");
    for one in all {
        let durations = &one.deployment_duration_seconds;
        for bucket in BUCKETS {
            let count = durations.iter().filter(|seconds| **seconds <= float(bucket)).count();
            let _ = writeln!(
                out,
                "deployment_duration_seconds_bucket{{environment=\"{}\",le=\"{bucket}\"}} {count}",
                label(&one.environment)
            );
        }
        let _ = writeln!(
            out,
            "deployment_duration_seconds_bucket{{environment=\"{}\",le=\"+Inf\"}} {}",
            label(&one.environment),
            durations.len()
        );
        let _ = writeln!(
            out,
            "deployment_duration_seconds_sum{{environment=\"{}\"}} {}",
            label(&one.environment),
            durations.iter().sum::<f64>()
        );
        let _ = writeln!(
            out,
            "deployment_duration_seconds_count{{environment=\"{}\"}} {}",
            label(&one.environment),
            durations.len()
        );
    }
    head(&mut out, "active_deployments", "gauge", "Deployments of a service that are under way.");
    for one in all {
        for (service, count) in &one.active_deployments {
            let _ = writeln!(
                out,
                "active_deployments{{environment=\"{}\",service=\"{}\"}} {count}",
                label(&one.environment),
                label(service)
            );
        }
    }
    let mut measure = |name: &str, help: &str, value: &dyn Fn(&Rates) -> Option<f64>| {
        head(&mut out, name, "gauge", help);
        for one in all {
            if let Some(value) = value(one) {
                let environment = label(&one.environment);
                let _ = writeln!(out, "{name}{{environment=\"{environment}\"}} {value}");
            }
        }
    };
    measure("dora_deployment_frequency_per_day", "Successful deployments a day.", &|one| {
        one.deployment_frequency_per_day
    });
    measure(
        "dora_lead_time_seconds",
        "Median time from the commit to the success of its deployment.",
        &|one| one.lead_time_seconds,
    );
    measure(
        "dora_change_failure_ratio",
        "Share of the deployments that failed or were rolled back.",
        &|one| one.change_failure_rate,
    );
    measure("dora_time_to_restore_seconds", "Median time until all was well again.", &|one| {
        one.time_to_restore_seconds
    });
    out
}

/// A label's value: printable, with the escapes of the format.
/// Source: <https://prometheus.io/docs/instrumenting/exposition_formats/#comments-help-text-and-type-information>.
fn label(value: &str) -> String {
    Line::new(value).as_str().replace('\\', "\\\\").replace('"', "\\\"")
}
