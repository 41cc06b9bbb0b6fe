//! `dax status`: what runs.

use crate::args::{DataFormat, StatusArgs};
use crate::commands::history::time;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Condition, Engine, OpenRun, ServiceStatus};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;

pub(crate) fn run(args: &StatusArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let environment = args.environment.environment.as_deref();
    let open = engine.open_runs(environment)?;
    let all = engine.status(environment).inspect_err(|_| {
        // A platform that is away takes nothing from what is known of the runs.
        open.iter().for_each(|run| out.alarm(&run.text()));
    })?;
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|one| {
                    let revisions = one.live.iter().flat_map(|live| &live.revisions).map(|(id, revision)| {
                        let share = one.live.as_ref().and_then(|live| live.traffic.get(id)).copied().unwrap_or(0);
                        json!({ "revision": id, "replicas": revision.replicas, "ready": revision.ready, "traffic_percent": f64::from(share) / 100.0 })
                    });
                    json!({
                        "environment": one.environment,
                        "service": one.addr.name(),
                        "applied_revision": one.revision,
                        "running": one.live.is_some(),
                        "url": url(one),
                        "revisions": revisions.collect::<Vec<_>>(),
                    })
                })
                .collect();
            let runs: Vec<_> = open.iter().map(unfinished).collect();
            out.json(&json!({ "format_version": 1, "services": rows, "runs": runs }));
        }
        DataFormat::Human if all.is_empty() && open.is_empty() => {
            let ran = !engine.history(environment)?.is_empty();
            out.note(if ran { "nothing runs" } else { "nothing was applied yet" });
        }
        DataFormat::Human if all.is_empty() => {}
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().flat_map(rows).collect();
            out.table(
                &["environment", "service", "revision", "ready", "traffic", "address"],
                &rows,
            );
        }
    }
    if matches!(args.format, DataFormat::Human) {
        open.iter().for_each(|run| out.data(&format!("{}\n", run.text())));
    }
    for (edit, services) in edits(&all) {
        out.note(&format!("{edit}: {}; `dax apply` mends it", services.join(", ")));
    }
    let unwell = all.iter().any(|one| match &one.live {
        None => true,
        Some(live) => live
            .traffic
            .keys()
            .any(|id| live.revisions.get(id).is_none_or(|r| r.ready < r.replicas)),
    });
    if unwell {
        out.note("not everything that was applied is ready; `dax plan` shows what it would take");
    }
    Ok(Exit::Done)
}

/// What is not as it was applied beside what the table shows, with the services that it is about.
fn edits(all: &[ServiceStatus]) -> BTreeMap<String, Vec<&str>> {
    let mut found: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for one in all {
        for edit in one.live.iter().flat_map(|live| &live.edits) {
            let what = format!("{} is {} (as applied: {})", edit.path, edit.found, edit.wrote);
            found.entry(what).or_default().push(one.addr.name());
        }
    }
    found
}

/// A run that has not ended, for programs.
pub(crate) fn unfinished(run: &OpenRun) -> Json {
    let (step, message) = match &run.condition {
        Condition::Held(step, message) | Condition::Stuck(step, message) => {
            (Some(step.to_string()), Some(message))
        }
        Condition::InProgress(_) | Condition::Interrupted => (None, None),
    };
    let next: Vec<String> = run.next().into_iter().map(|(command, _)| command).collect();
    json!({
        "environment": run.environment, "run": run.run, "mode": run.mode, "by": run.by, "started": time(run.started_ms),
        "state": run.condition.word(), "step": step, "message": message, "next": next,
    })
}

fn url(one: &ServiceStatus) -> Option<String> {
    one.live.as_ref()?.url.as_ref().map(ToString::to_string)
}

/// A row for each revision that runs or takes traffic.
fn rows(one: &ServiceStatus) -> Vec<Vec<String>> {
    let name = [one.environment.to_string(), one.addr.name().to_owned()];
    if one.live.is_some() && one.addr.kind() == "object" {
        return vec![
            [
                name.to_vec(),
                vec!["-".to_owned(), "there".to_owned(), "-".to_owned(), "-".to_owned()],
            ]
            .concat(),
        ];
    }
    let Some(live) = &one.live else {
        return vec![
            [
                name.to_vec(),
                vec![one.revision.clone(), "gone".to_owned(), "-".to_owned(), "-".to_owned()],
            ]
            .concat(),
        ];
    };
    let shown = live
        .revisions
        .iter()
        .filter(|(id, revision)| revision.replicas > 0 || live.traffic.contains_key(*id));
    let rows: Vec<Vec<String>> = shown
        .map(|(id, revision)| {
            let share = live.traffic.get(id).copied().unwrap_or(0);
            let cells = vec![
                id.to_string(),
                format!("{}/{}", revision.ready, revision.replicas),
                format!("{}%", f64::from(share) / 100.0),
                url(one).unwrap_or_else(|| "-".to_owned()),
            ];
            [name.to_vec(), cells].concat()
        })
        .collect();
    if rows.is_empty() {
        return vec![
            [
                name.to_vec(),
                vec![
                    "-".to_owned(),
                    "0/0".to_owned(),
                    "-".to_owned(),
                    url(one).unwrap_or_else(|| "-".to_owned()),
                ],
            ]
            .concat(),
        ];
    }
    rows
}
