//! `dax test`: the tests that the program holds.

use crate::args::{TestArgs, TestFormat};
use crate::diagnostics;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::printable::{Line, Text};
use dax_engine::{Engine, Sources, TestOutcome, TestRequest, Verdict};
use serde_json::json;
use std::fmt::Write;
use std::time::Instant;

pub(crate) fn run(args: &TestArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let values = args
        .params
        .params
        .iter()
        .map(|(name, value)| (name.as_str().into(), value.clone()))
        .collect();
    let now = args.now.clone().unwrap_or_else(|| jiff::Timestamp::now().to_string());
    if now.parse::<jiff::Timestamp>().is_err() {
        return Err(CliError::Usage(format!(
            "`{now}` is no time: write it as 2026-11-22T12:00:00Z"
        )));
    }
    let request = TestRequest {
        filter: args.filter.clone().unwrap_or_default(),
        values,
        cases: args.cases,
        seed: args.seed,
        now: now.as_str().into(),
    };
    let start = Instant::now();
    let (sources, outcomes) = engine.test(&request)?;
    let seconds = start.elapsed().as_secs_f64();
    let failed =
        outcomes.iter().filter(|one| matches!(one.verdict, Verdict::Failed { .. })).count();
    match args.format {
        TestFormat::Human => human(&sources, &outcomes, out),
        TestFormat::Json => out.json(&json_report(&sources, &outcomes)),
        TestFormat::Junit => out.data(&junit(&sources, &outcomes, seconds)),
    }
    if let Some(path) = &args.junit {
        dax_files::write_given(path, junit(&sources, &outcomes, seconds).as_bytes())
            .map_err(|error| CliError::World(format!("{}: {error}", path.display())))?;
    }
    if outcomes.is_empty() {
        out.note(if request.filter.is_empty() {
            "the project has no tests"
        } else {
            "no test has this in its title"
        });
    } else {
        out.note(&format!(
            "{} passed, {failed} failed, in {seconds:.2} s",
            outcomes.len() - failed
        ));
    }
    Ok(if failed > 0 { Exit::Error } else { Exit::Done })
}

fn human(sources: &Sources, outcomes: &[TestOutcome], out: &mut Printer) {
    for one in outcomes {
        let title = Line::new(&one.title);
        match &one.verdict {
            Verdict::Passed { cases: 1 } => out.data(&format!("ok    {title}\n")),
            Verdict::Passed { cases } => out.data(&format!("ok    {title} ({cases} cases)\n")),
            Verdict::Failed { diagnostics: found, given } => {
                let place = Line::new(&sources.location(one.span));
                out.data(&format!("FAIL  {title}  {place}\n"));
                for (name, value) in given {
                    let value = Line::new(&value.to_string());
                    out.data(&format!("      with {name} = {value}\n"));
                }
                out.shown(sources, found);
            }
        }
    }
}

fn json_report(sources: &Sources, outcomes: &[TestOutcome]) -> serde_json::Value {
    let rows: Vec<_> = outcomes
        .iter()
        .map(|one| {
            let place = sources.location(one.span);
            match &one.verdict {
                Verdict::Passed { cases } => json!({ "title": one.title, "place": place, "passed": true, "cases": cases }),
                Verdict::Failed { diagnostics: found, given } => {
                    let given: serde_json::Map<_, _> = given.iter().map(|(name, value)| (name.to_string(), json!(value.shape()))).collect();
                    let findings = diagnostics::json(sources, found);
                    json!({ "title": one.title, "place": place, "passed": false, "given": given, "findings": findings })
                }
            }
        })
        .collect();
    json!({ "format_version": 1, "tests": rows })
}

/// The JUnit format as CI systems read it.
fn junit(sources: &Sources, outcomes: &[TestOutcome], seconds: f64) -> String {
    let failures =
        outcomes.iter().filter(|one| matches!(one.verdict, Verdict::Failed { .. })).count();
    let mut text = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n".to_owned();
    let count = outcomes.len();
    let _ = writeln!(
        text,
        "<testsuites tests=\"{count}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">"
    );
    let _ = writeln!(
        text,
        "  <testsuite name=\"dax\" tests=\"{count}\" failures=\"{failures}\" errors=\"0\" time=\"{seconds:.3}\">"
    );
    for one in outcomes {
        let at = sources.line_column(one.span.file, one.span.start);
        let file = escape(Line::new(sources.name(one.span.file)).as_str());
        let _ = write!(
            text,
            "    <testcase name=\"{}\" classname=\"{file}\" file=\"{file}\" line=\"{}\"",
            escape(Line::new(&one.title).as_str()),
            at.line
        );
        match &one.verdict {
            Verdict::Passed { .. } => text.push_str("/>\n"),
            Verdict::Failed { diagnostics: found, given } => {
                let message =
                    found.first().map(|finding| finding.one_line(sources)).unwrap_or_default();
                let given: String =
                    given.iter().map(|(name, value)| format!("with {name} = {value}\n")).collect();
                let all = diagnostics::human(sources, found, false);
                let _ = writeln!(
                    text,
                    ">\n      <failure message=\"{}\">{}</failure>",
                    escape(Line::new(&message).as_str()),
                    escape(&format!("{given}{all}"))
                );
                text.push_str("    </testcase>\n");
            }
        }
    }
    text.push_str("  </testsuite>\n</testsuites>\n");
    text
}

/// A text inside of XML; the two characters that XML 1.0 has not become `?`.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in Text::new(text).as_str().chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\u{fffe}' | '\u{ffff}' => out.push('?'),
            c => out.push(c),
        }
    }
    out
}
