//! `dax affected`: what a change touches, project by project.

use crate::args::{AffectedArgs, DataFormat};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use serde_json::json;
use std::path::Path;

pub(crate) fn run(args: &AffectedArgs, folder: &Path, out: &mut Printer) -> Result<Exit, CliError> {
    let all = dax_engine::affected(folder, &args.base)?;
    if args.format == DataFormat::Json {
        let rows: Vec<_> = all
            .iter()
            .map(|one| json!({ "folder": one.folder, "project": one.project, "environment": one.environment, "how": one.how, "services": one.services }))
            .collect();
        out.json(&json!({ "format_version": 1, "base": args.base, "affected": rows }));
        return Ok(Exit::Done);
    }
    if all.is_empty() {
        out.note("nothing is affected");
        return Ok(Exit::Done);
    }
    let rows: Vec<Vec<String>> = all
        .iter()
        .map(|one| {
            vec![
                one.folder.clone(),
                one.environment.to_string(),
                one.how.to_owned(),
                one.services.join(", "),
            ]
        })
        .collect();
    out.table(&["project", "environment", "how", "services"], &rows);
    Ok(Exit::Done)
}
