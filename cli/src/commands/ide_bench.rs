//! `dax ide-bench`: how fast the language server answers on a project.

use crate::args::{DataFormat, IdeBenchArgs};
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_lsp::measure::{Report, measure};
use serde_json::json;
use std::path::Path;
use std::time::Duration;

pub(crate) fn run(args: &IdeBenchArgs, root: &Path, out: &mut Printer) -> Result<Exit, CliError> {
    let program = std::env::current_exe()
        .map_err(|error| CliError::World(format!("dax does not find itself: {error}")))?;
    let report = measure(&program, root, args.edits)
        .map_err(|error| CliError::World(format!("the server cannot be measured: {error}")))?;
    if args.format == DataFormat::Json {
        out.json(&shape(&report));
        return Ok(Exit::Done);
    }
    let (files, lines) = report.size;
    out.data(&format!("{files} files, {lines} lines, {} keystrokes\n\n", report.keystrokes));
    let mut rows = vec![vec![
        "cold start to findings".to_owned(),
        shown(report.cold_start),
        String::new(),
        String::new(),
        "1".to_owned(),
    ]];
    for (what, times) in &report.times {
        let at = |hundredths| shown(times.percentile(hundredths));
        rows.push(vec![(*what).to_owned(), at(50), at(95), at(99), times.count().to_string()]);
    }
    out.table(&["", "p50", "p95", "p99", "count"], &rows);
    if let Some(bytes) = report.resident {
        out.data(&format!("\nmemory in the end: {} MB\n", bytes / 1_000_000));
    }
    Ok(Exit::Done)
}

fn shown(time: Duration) -> String {
    format!("{:.1} ms", time.as_secs_f64() * 1000.0)
}

fn shape(report: &Report) -> serde_json::Value {
    let ms = |time: Duration| time.as_secs_f64() * 1000.0;
    let times: serde_json::Map<String, serde_json::Value> = report
        .times
        .iter()
        .map(|(what, times)| {
            let at = |hundredths| ms(times.percentile(hundredths));
            ((*what).to_owned(), json!({"p50_ms": at(50), "p95_ms": at(95), "p99_ms": at(99), "count": times.count()}))
        })
        .collect();
    json!({
        "format_version": 1,
        "files": report.size.0,
        "lines": report.size.1,
        "keystrokes": report.keystrokes,
        "cold_start_ms": ms(report.cold_start),
        "resident_bytes": report.resident,
        "times": times,
    })
}
