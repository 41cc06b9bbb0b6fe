//! `dax why`: where a value comes from.

use crate::args::{DataFormat, WhyArgs};
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::printable::Line;
use dax_engine::{Engine, Missing};
use serde_json::json;

pub(crate) fn run(args: &WhyArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let all = engine.why(&args.address, &params(&args.params, Missing::Report))?;
    if args.format == DataFormat::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| {
                let names: Vec<_> = one.names.iter().map(|(name, place)| json!({ "name": name, "defined": place })).collect();
                json!({ "address": one.address, "value": one.value.shape(), "location": one.location, "text": one.text, "layer": one.layer, "names": names, "wins": one.wins })
            })
            .collect();
        out.json(&json!({ "format_version": 1, "address": args.address, "offers": rows }));
        return Ok(Exit::Done);
    }
    for one in &all {
        let head = if one.wins {
            format!("{} = {}", one.address, one.value)
        } else {
            format!("  instead of {}", one.value)
        };
        let text = format!("    {}: {}  ({})", one.location, one.text, one.layer);
        out.data(&format!("{}\n{}\n", Line::new(&head), Line::new(&text)));
        for (name, place) in &one.names {
            let name = format!("    where {name} is defined: {place}");
            out.data(&format!("{}\n", Line::new(&name)));
        }
    }
    Ok(Exit::Done)
}
