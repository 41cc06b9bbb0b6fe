//! `dax drift`: what is not as it was applied.

use crate::args::{DataFormat, DriftArgs};
use crate::commands::environment;
use crate::commands::status::unfinished;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Drift, Drifted, Engine, model::Owner};
use serde_json::json;

pub(crate) fn run(args: &DriftArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let found = engine.drift(&name)?;
    let (services, all) = (found.services, &found.drift);
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|drift| {
                    let text = |value: &Option<_>| value.as_ref().map(ToString::to_string);
                    json!({
                        "service": drift.addr.name(), "path": drift.path, "owner": owner(drift, &found),
                        "applied": text(&drift.applied), "live": text(&drift.live),
                    })
                })
                .collect();
            let run = found.run.as_ref().map(unfinished);
            out.json(&json!({ "format_version": 1, "environment": name, "services": services, "drift": rows, "run": run }));
        }
        DataFormat::Human if all.is_empty() => {
            out.note(&format!("no drift: {services} services of `{name}` are as they were applied"))
        }
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().map(|drift| row(drift, &found)).collect();
            out.table(&["service", "leaf", "applied", "live", "changed by"], &rows);
        }
    }
    if let Some(run) = &found.run {
        out.alarm(&run.text());
        if all.iter().any(|drift| found.touched.contains(&drift.addr)) {
            out.alarm("what differs in the services that it changes may be its own work");
        }
    }
    Ok(if all.is_empty() { Exit::Done } else { Exit::Changes })
}

/// Who changed it. What lies in the services of a run that has not ended may be its work, unless a name says otherwise.
fn owner(drift: &Drift, found: &Drifted) -> String {
    let run = found.run.as_ref().filter(|_| found.touched.contains(&drift.addr));
    match (drift.owner, run, drift.by.as_deref()) {
        (Owner::Other, _, Some(by)) => by.to_owned(),
        (_, Some(run), _) => format!("perhaps run {}, which has not ended", run.run),
        (Owner::Dax, None, _) => "dax".to_owned(),
        (Owner::Other, None, None) => "somebody else".to_owned(),
        (Owner::Default, None, _) => "a default".to_owned(),
        (Owner::Unknown, None, _) => "unknown".to_owned(),
    }
}

fn row(drift: &Drift, found: &Drifted) -> Vec<String> {
    let text = |value: &Option<_>| {
        value.as_ref().map_or_else(|| "nothing".to_owned(), ToString::to_string)
    };
    let path =
        if drift.path.is_empty() { "(all of it)".to_owned() } else { drift.path.to_string() };
    vec![
        drift.addr.name().to_owned(),
        path,
        text(&drift.applied),
        text(&drift.live),
        owner(drift, found),
    ]
}
