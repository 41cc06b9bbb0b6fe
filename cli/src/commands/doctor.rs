//! `dax doctor`: whether everything that the program talks to answers.

use crate::args::{DataFormat, DoctorArgs};
use crate::commands::{ci, params};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Engine, Examined, Missing};
use serde_json::json;
use std::time::Duration;

/// How long a code host may let us wait.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) fn run(args: &DoctorArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let mut all = engine
        .examine(args.environment.environment.as_deref(), &params(&args.params, Missing::Ignore))?;
    if let Some(place) = ci::here()? {
        let forge = ci::forge(&place, false, PATIENCE, None, out)?;
        let found = forge.ask(|remote| remote.examine()).map_err(|error| error.to_string());
        all.push(Examined { name: place.kind.into(), found });
    }
    let failed = all.iter().filter(|one| one.found.is_err()).count();
    if args.format == DataFormat::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                let facts = one.found.as_ref().ok().into_iter().flatten();
                let facts: Vec<_> = facts.map(|fact| json!({"name": fact.name, "found": fact.found, "lacks": fact.lacks})).collect();
                json!({"name": one.name, "answers": one.found.is_ok(), "error": one.found.as_ref().err(), "facts": facts})
            })
            .collect();
        out.json(&json!({ "format_version": 1, "systems": rows }));
    } else {
        let mut rows = Vec::new();
        for one in &all {
            match &one.found {
                Err(message) => rows.push(vec![
                    one.name.to_string(),
                    "✗ does not answer".to_owned(),
                    String::new(),
                    message.clone(),
                ]),
                Ok(facts) if facts.is_empty() => rows.push(vec![
                    one.name.to_string(),
                    "✓ needs nothing".to_owned(),
                    String::new(),
                    String::new(),
                ]),
                Ok(facts) => rows.extend(facts.iter().map(|fact| {
                    let mark = if fact.lacks.is_some() { "·" } else { "✓" };
                    let lacks = fact.lacks.clone().unwrap_or_default();
                    vec![
                        one.name.to_string(),
                        format!("{mark} {}", fact.name),
                        fact.found.to_string(),
                        lacks,
                    ]
                })),
            }
        }
        out.table(&["system", "what", "found", "note"], &rows);
    }
    if failed > 0 {
        out.note(&format!("{failed} of {} do not answer", all.len()));
        return Ok(Exit::Error);
    }
    Ok(Exit::Done)
}
