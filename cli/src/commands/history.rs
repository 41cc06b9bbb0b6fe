//! `dax history`: what was done, with the rollback points.

use crate::args::{HistoryArgs, HistoryFormat};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, HistoryEntry, Outcome, prometheus, rates};
use serde_json::json;

pub(crate) fn run(
    args: &HistoryArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let all = engine.history(args.environment.environment.as_deref())?;
    if args.audit {
        return audit(args, engine, out);
    }
    if let Some(run) = args.run {
        return course(args, run, engine, out);
    }
    match args.format {
        HistoryFormat::Prometheus => out.data(&prometheus(&rates(&all))),
        HistoryFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|entry| {
                    let run = &entry.run;
                    json!({
                        "run": run.id, "environment": run.environment, "mode": run.mode, "by": run.holder,
                        "started": time(run.started_ms), "ended": run.ended_ms.map(time),
                        "outcome": run.outcome, "digest": run.digest, "point": entry.point, "current": entry.current,
                        "name": entry.name, "why": run.why, "waits": run.waits, "approved_by": run.approved_by, "services": run.services, "commit": run.commit, "promoted": run.promoted, "restores": run.restores,
                    })
                })
                .collect();
            out.json(&json!({ "format_version": 1, "runs": rows, "metrics": rates(&all) }));
        }
        HistoryFormat::Human if all.is_empty() => out.note("nothing was done yet"),
        HistoryFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            out.table(
                &["run", "environment", "what", "outcome", "started", "took", "point", "by"],
                &rows,
            );
        }
    }
    Ok(Exit::Done)
}

fn row(entry: &HistoryEntry) -> Vec<String> {
    let run = &entry.run;
    let outcome = match &run.outcome {
        None => run.waits.as_ref().map_or_else(
            || "unfinished".to_owned(),
            |waits| format!("{}, unfinished", waits.word()),
        ),
        Some(outcome @ Outcome::RolledBack { step: Some(step), .. }) => {
            format!("{} at step {step}", outcome.word())
        }
        Some(outcome) => outcome.word().to_owned(),
    };
    let point = match (entry.point, entry.current) {
        (Some(point), true) => format!("{point} (now)"),
        (Some(point), false) => point.to_string(),
        (None, _) => "-".to_owned(),
    };
    let point = entry.name.as_ref().map_or_else(|| point.clone(), |name| format!("{point} {name}"));
    let took = run.ended_ms.map_or_else(
        || "-".to_owned(),
        |ended| format!("{:.1}s", (ended.saturating_sub(run.started_ms)) as f64 / 1000.0),
    );
    vec![
        run.id.to_string(),
        run.environment.to_string(),
        run.restores.map_or_else(|| run.mode.to_string(), |to| format!("{} to {to}", run.mode)),
        outcome,
        time(run.started_ms),
        took,
        point,
        run.holder.clone(),
    ]
}

/// What happened in one run.
fn course(
    args: &HistoryArgs,
    run: u64,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let name = crate::commands::environment(&args.environment, engine)?;
    let moments = engine.course(&name, run)?;
    if args.format == HistoryFormat::Json {
        let rows: Vec<_> = moments
            .iter()
            .map(|one| json!({"at": one.at_ms.map(time), "service": one.service, "what": one.what, "traffic": one.traffic}))
            .collect();
        out.json(&json!({ "format_version": 1, "environment": name, "run": run, "moments": rows }));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = moments
        .into_iter()
        .map(|one| {
            vec![one.at_ms.map_or_else(|| "-".to_owned(), time), one.service, one.what, one.traffic]
        })
        .collect();
    out.table(&["when", "service", "what", "traffic"], &rows);
    Ok(Exit::Done)
}

/// Every record, as it is chained.
fn audit(args: &HistoryArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = crate::commands::environment(&args.environment, engine)?;
    let records = engine.audit(&name)?;
    if args.format == HistoryFormat::Json {
        out.json(&json!({ "format_version": 1, "environment": name, "records": records }));
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = records
        .iter()
        .map(|record| {
            let what = serde_json::to_value(&record.what).unwrap_or_default();
            let text = |field: &str| {
                what.get(field).map_or_else(String::new, |value| {
                    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
                })
            };
            let digest: String = text("digest").chars().take(16).collect();
            vec![
                record.seq.to_string(),
                time(record.at_ms),
                record.who.to_string(),
                [text("what"), ended(&what)].join(" ").trim_end().to_owned(),
                text("run"),
                digest,
                record.why.clone(),
            ]
        })
        .collect();
    out.table(&["record", "when", "who", "what", "run", "digest", "why"], &rows);
    Ok(Exit::Done)
}

/// How a run ended, in one word, where a record says so.
fn ended(what: &serde_json::Value) -> String {
    what.pointer("/outcome/outcome")
        .and_then(serde_json::Value::as_str)
        .map_or_else(String::new, |word| word.replace('_', " "))
}

/// A time as RFC 3339 in UTC, to the second.
pub(crate) fn time(ms: u64) -> String {
    let seconds = i64::try_from(ms / 1000).unwrap_or(0);
    jiff::Timestamp::from_second(seconds).map_or_else(|_| ms.to_string(), |time| time.to_string())
}
