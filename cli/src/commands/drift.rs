//! `dax drift`: what is not as it was applied.

use crate::args::{DataFormat, DriftArgs};
use crate::commands::environment;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Drift, Engine, model::Owner};
use serde_json::json;

pub(crate) fn run(args: &DriftArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let (services, all) = engine.drift(&name)?;
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = all
                .iter()
                .map(|drift| {
                    let text = |value: &Option<_>| value.as_ref().map(ToString::to_string);
                    json!({
                        "service": drift.addr.name(), "path": drift.path, "owner": owner(drift),
                        "applied": text(&drift.applied), "live": text(&drift.live),
                    })
                })
                .collect();
            out.json(&json!({ "format_version": 1, "environment": name, "services": services, "drift": rows }));
        }
        DataFormat::Human if all.is_empty() => {
            out.note(&format!("no drift: {services} services of `{name}` are as they were applied"))
        }
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = all.iter().map(row).collect();
            out.table(&["service", "leaf", "applied", "live", "changed by"], &rows);
        }
    }
    Ok(if all.is_empty() { Exit::Done } else { Exit::Changes })
}

fn owner(drift: &Drift) -> &str {
    match drift.owner {
        Owner::Dax => "dax",
        Owner::Other => drift.by.as_deref().unwrap_or("somebody else"),
        Owner::Default => "a default",
        Owner::Unknown => "nobody knows who",
    }
}

fn row(drift: &Drift) -> Vec<String> {
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
        owner(drift).to_owned(),
    ]
}
