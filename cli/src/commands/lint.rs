//! `dax lint`: what is allowed and yet likely not meant.

use crate::args::LintArgs;
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::{Diagnostic, Engine, Missing, Sources};
use dax_files::Beneath;
use std::collections::BTreeMap;
use std::path::Path;

/// Rounds of fixes before those that are left must contradict each other.
const MOST_ROUNDS: usize = 10;

pub(crate) fn run(args: &LintArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    if args.list {
        let rules = dax_engine::codes().into_iter().filter(|code| code.number / 1000 == 9);
        let rows: Vec<Vec<String>> =
            rules.map(|code| vec![code.to_string(), code.summary.to_owned()]).collect();
        out.table(&["rule", "finds"], &rows);
        return Ok(Exit::Done);
    }
    let params = params(&args.params, Missing::Ignore);
    let (mut checked, mut found) = engine.lint(&params)?;
    if args.fix {
        let mut fixed = 0;
        for _ in 0..MOST_ROUNDS {
            let count = fix(engine, &checked.loaded.sources, &found)?;
            if count == 0 {
                break;
            }
            fixed += count;
            (checked, found) = engine.lint(&params)?;
        }
        out.note(&format!("{fixed} fixed"));
    }
    out.findings(&checked.loaded.sources, &found, args.format);
    Ok(if args.strict && !found.is_empty() { Exit::Error } else { Exit::Done })
}

/// Applies the fixes that do not overlap, and formats what they touched; says how many there were.
fn fix(engine: &Engine, sources: &Sources, found: &[Diagnostic]) -> Result<usize, CliError> {
    let mut of_file: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for fix in found.iter().filter_map(|finding| finding.fix.as_ref()) {
        of_file.entry(fix.span.file).or_default().push(fix);
    }
    let project = Beneath::open(&engine.root)?;
    let mut count = 0;
    for (file, mut fixes) in of_file {
        fixes.sort_by_key(|fix| fix.span.start);
        let text = sources.text(file);
        let (mut out, mut at) = (String::with_capacity(text.len()), 0);
        for fix in fixes {
            let (start, end) = (fix.span.start as usize, fix.span.end as usize);
            if start < at {
                continue;
            }
            out.push_str(&text[at..start]);
            out.push_str(&fix.replacement);
            at = end;
            count += 1;
        }
        out.push_str(&text[at..]);
        let (name, text) = (sources.name(file), dax_engine::format(&out));
        project
            .write(Path::new(name), text.as_bytes())
            .map_err(|error| CliError::World(format!("{name}: {error}")))?;
    }
    Ok(count)
}
