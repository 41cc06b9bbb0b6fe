//! `dax state`: what is kept, and whether it is sound.

use crate::args::{
    DataFormat, StateArgs, StateCommand, StateConditionsArgs, StateShowArgs, StateVerifyArgs,
    StatusArgs,
};
use crate::commands::{environment, params};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::printable::Line;
use dax_engine::{Engine, Missing, Report, compare_conditions};
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
        StateCommand::Trust => trust(engine, out),
        StateCommand::ReadKey => read_key(engine, out),
        StateCommand::Conditions(args) => conditions(args, engine, out),
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

fn read_key(engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let Some(key) = engine.reading_key()? else {
        return Err(CliError::Usage(
            "the state has no key: give the one that seals it, DAX_STATE_KEY, \
             DAX_STATE_KEY_FILE or DAX_STATE_KEY_COMMAND"
                .to_owned(),
        ));
    };
    out.serialised(&format!("{key}\n"));
    Ok(Exit::Done)
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
    if args.accept {
        out.note("from now on this machine takes the state for what is there");
    }
    if reports.is_empty() {
        out.note("the state is empty");
    }
    let mut sound = true;
    for report in reports {
        sound &= report.findings.is_empty();
        out.data(&summary(&report));
        for finding in &report.findings {
            out.data(&format!("  {}: {}\n", Line::new(&finding.key), Line::new(&finding.message)));
        }
        for key in &report.unprotected {
            out.detail(&format!("written by an older version, without a digest: {key}"));
        }
        for key in &report.orphans {
            out.detail(&format!("nothing refers to it: {key}"));
        }
    }
    if !sound {
        out.alarm(
            "the state is not as it was written: put a copy of it back, as docs/operating.md says",
        );
    }
    Ok(if sound { Exit::Done } else { Exit::Error })
}

fn summary(report: &Report) -> String {
    let some = |count: usize, text: &str| match count {
        0 => String::new(),
        _ => format!("; {count} {text}"),
    };
    let verdict = match report.findings.len() {
        0 => "sound".to_owned(),
        1 => "1 text is not as it was written".to_owned(),
        count => format!("{count} texts are not as they were written"),
    };
    format!(
        "{}: {verdict}; {} states, {} plans, {} records, {} journals with {} entries, {} messages{}{}\n",
        Line::new(&report.environment),
        report.states,
        report.plans,
        report.records,
        report.journals,
        report.entries,
        report.messages,
        some(report.unprotected.len(), "without a digest, by an older version (-v names them)"),
        some(report.orphans.len(), "that nothing refers to (-v names them)"),
    )
}

/// Shows the recorded conditions beside those of the program, or records the latter.
fn conditions(
    args: &StateConditionsArgs,
    engine: &Engine,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    let reason = args.reason.as_ref().filter(|_| args.reset);
    if reason.is_some_and(|reason| reason.trim().is_empty()) {
        return Err(CliError::Usage(
            "--reason is empty: say why, for the audit log; nobody approves a reset".to_owned(),
        ));
    }
    let name = environment(&args.environment, engine)?;
    let params = params(&args.params, Missing::Ignore);
    let program = engine.conditions(&name, &params)?;
    let recorded = engine.recorded_conditions(&name)?;
    match &recorded {
        _ if args.format == DataFormat::Json => {
            let changes = recorded.iter().flat_map(|one| {
                compare_conditions(&one.conditions, &program).into_iter().map(|change| {
                    json!({
                        "what": change.what, "before": change.before, "after": change.after,
                        "loosens": change.loosens,
                    })
                })
            });
            let changes: Vec<_> = changes.collect();
            let recorded = recorded.as_ref().map(|one| &one.conditions);
            out.json(&json!({
                "format_version": 1, "environment": name, "recorded": recorded,
                "program": program, "changes": changes,
            }));
        }
        Some(recorded) => {
            let line = format!("{name}: {}", recorded.conditions);
            out.data(&format!("{}\n", Line::new(&line)));
            for change in compare_conditions(&recorded.conditions, &program) {
                out.data(&format!("  {}\n", Line::new(&change.to_string())));
            }
        }
        None => out.note(&format!("no conditions of `{name}` are recorded yet")),
    }
    if let Some(reason) = reason {
        out.note(&if engine.reset_conditions(&name, &params, reason)? {
            format!("the conditions of `{name}` are now those of the program: {program}")
        } else {
            format!("the conditions of `{name}` are those of the program already")
        });
    }
    Ok(Exit::Done)
}

fn trust(engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    match engine.trust_own_folder()? {
        Some(names) => out.note(&format!(
            "{} is taken for this machine's own, with {}",
            engine.folder().display(),
            names.join(", ")
        )),
        None => out.note("there is no `.dax` here yet"),
    }
    if let Some(url) = engine.allow_state_address()? {
        out.note(&format!(
            "the state at {url}, as `dax.mod` says: your credentials for it may be used there from now on, by this project on this machine"
        ));
    }
    Ok(Exit::Done)
}
