//! `dax history`: what was done, with the rollback points.

use crate::args::{DataFormat, HistoryArgs};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, HistoryEntry, Outcome};
use serde_json::json;

pub(crate) fn run(args: &HistoryArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let all = engine.history(args.environment.environment.as_deref())?;
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|entry| {
                    let run = &entry.run;
                    json!({
                        "run": run.id, "environment": run.environment, "mode": run.mode, "by": run.holder,
                        "started": time(run.started_ms), "ended": run.ended_ms.map(time),
                        "outcome": run.outcome, "digest": run.digest, "point": entry.point, "current": entry.current,
                    })
                })
                .collect();
            out.data(&format!("{:#}\n", json!({ "format_version": 1, "runs": rows })));
        }
        DataFormat::Human if all.is_empty() => out.note("nothing was done yet"),
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            out.table(&["run", "environment", "what", "outcome", "started", "took", "point", "by"], &rows);
        }
    }
    Ok(Exit::Done)
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let run = &entry.run;
    let outcome = match &run.outcome {
        None => "unfinished".to_owned(),
        Some(outcome @ Outcome::RolledBack { step, .. }) => format!("{} at step {step}", outcome.word()),
        Some(outcome) => outcome.word().to_owned(),
    };
    let point = match (entry.point, entry.current) {
        (Some(point), true) => format!("{point} (now)"),
        (Some(point), false) => point.to_string(),
        (None, _) => "-".to_owned(),
    };
    let took =
        run.ended_ms.map_or_else(|| "-".to_owned(), |ended| format!("{:.1}s", (ended.saturating_sub(run.started_ms)) as f64 / 1000.0));
    vec![
        run.id.to_string(),
        run.environment.to_string(),
        run.mode.to_string(),
        outcome,
        time(run.started_ms),
        took,
        point,
        run.holder.clone(),
    ]
}

/// A time as RFC 3339 in UTC, to the second.
fn time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}
