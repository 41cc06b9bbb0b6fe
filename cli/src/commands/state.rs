//! `dax state`: what is kept, and whether it is sound.

use crate::args::{
    DataFormat, StateArgs, StateCommand, StateShowArgs, StateVerifyArgs, StatusArgs,
};
use crate::commands::environment;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::Engine;
use dax_engine::printable::Line;
use serde_json::json;

pub(crate) fn run(args: &StateArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    match &args.command {
        StateCommand::List(args) => list(args, engine, out),
        StateCommand::Show(args) => show(args, engine, out),
        StateCommand::Pull(args) => {
            let name = environment(&args.environment, engine)?;
            match engine.pull_state(&name)? {
                Some(text) => out.serialised(&format!("{text}\n")),
                None => {
                    return Err(CliError::World(format!("nothing was applied in `{name}` yet")));
                }
            }
            Ok(Exit::Done)
        }
        StateCommand::Verify(args) => verify(args, engine, out),
        StateCommand::Unlock(args) => {
            let name = environment(&args.environment, engine)?;
            out.note(&match engine.unlock(&name, &args.reason)? {
                Some(former) => {
                    format!("`{name}` was held by {former}, whose writes are refused from now on")
                }
                None => format!("nobody holds `{name}`"),
            });
            Ok(Exit::Done)
        }
    }
}

fn list(args: &StatusArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let all = engine.applied(args.environment.environment.as_deref())?;
    let rows = all
        .iter()
        .flat_map(|one| one.services.iter().map(move |(addr, service)| (one, addr, service)));
    match args.format {
        DataFormat::Json => {
            let rows: Vec<_> = rows
                .map(|(one, addr, service)| {
                    json!({
                        "environment": one.environment, "address": addr.as_str(), "provider": service.provider, "revision": service.revision,
                        "protected": service.protected, "retained": service.retained, "serial": one.version.serial, "lineage": one.version.lineage,
                    })
                })
                .collect();
            out.json(&json!({ "format_version": 1, "services": rows }));
        }
        DataFormat::Human => {
            let rows: Vec<Vec<String>> = rows
                .map(|(one, addr, service)| {
                    let protected = if service.protected { "protected" } else { "" };
                    let cells = [
                        one.environment.as_str(),
                        addr.as_str(),
                        service.provider.as_str(),
                        service.revision.0.as_str(),
                        protected,
                    ];
                    cells.map(str::to_owned).to_vec()
                })
                .collect();
            if rows.is_empty() {
                out.note("the state is empty");
            } else {
                out.table(&["environment", "address", "provider", "revision", ""], &rows);
            }
        }
    }
    Ok(Exit::Done)
}

fn show(args: &StateShowArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let name = environment(&args.environment, engine)?;
    let all = engine.applied(Some(&name))?;
    let found = all
        .iter()
        .flat_map(|one| &one.services)
        .find(|(addr, _)| addr.name() == args.service || addr.as_str() == args.service);
    let Some((_, service)) = found else {
        return Err(CliError::World(format!(
            "the state of `{name}` holds no service `{}`; `dax state list` shows what it holds",
            args.service
        )));
    };
    let text = serde_json::to_string_pretty(service)
        .map_err(|error| CliError::World(error.to_string()))?;
    out.serialised(&format!("{text}\n"));
    Ok(Exit::Done)
}

fn verify(args: &StateVerifyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let reports = engine.verify_state(args.environment.environment.as_deref(), args.accept)?;
    if reports.is_empty() {
        out.note("the state is empty");
    }
    for report in reports {
        out.data(&format!(
            "{}: sound; {} states, {} records, {} journals with {} entries{}\n",
            Line::new(&report.environment),
            report.states,
            report.records,
            report.journals,
            report.entries,
            if report.orphans.is_empty() {
                String::new()
            } else {
                format!("; {} texts that nothing refers to", report.orphans.len())
            }
        ));
    }
    Ok(Exit::Done)
}
