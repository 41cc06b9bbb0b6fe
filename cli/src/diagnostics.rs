//! Diagnostics in every format that somebody reads.

use codespan_reporting::diagnostic::{
    Diagnostic as Codespan, Label, LabelStyle, Severity as CodespanSeverity,
};
use codespan_reporting::files::SimpleFiles;
use codespan_reporting::term;
use dax_engine::printable::{Line, Mapped, Text};
use dax_engine::{Diagnostic, Sources, Span};
use miette::{
    GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteError, MietteSpanContents,
    SourceCode, SourceSpan, SpanContents,
};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::fmt::Write;

/// The printable form of a file, with the columns that labels have in the file itself.
#[derive(Debug)]
struct Shown<'s> {
    name: Line,
    text: &'s Mapped,
    /// Column from zero, by the byte of the printable form at which a label starts.
    columns: BTreeMap<usize, usize>,
}

impl SourceCode for Shown<'_> {
    fn read_span<'a>(
        &'a self,
        span: &SourceSpan,
        before: usize,
        after: usize,
    ) -> Result<Box<dyn SpanContents<'a> + 'a>, MietteError> {
        let found = self.text.text.as_str().read_span(span, before, after)?;
        // Without lines around it, it is asked where a label stands.
        let column = match (before, after) {
            (0, 0) => self.columns.get(&span.offset()).copied(),
            _ => None,
        };
        Ok(Box::new(MietteSpanContents::new_named(
            self.name.to_string(),
            found.data(),
            *found.span(),
            found.line(),
            column.unwrap_or(found.column()),
            found.line_count(),
        )))
    }
}

/// One diagnostic as miette wants it.
#[derive(Debug)]
struct Report<'d> {
    diagnostic: &'d Diagnostic,
    source: Shown<'d>,
    labels: Vec<LabeledSpan>,
    help: Option<Text>,
}

impl std::fmt::Display for Report<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let detail = Text::new(&self.diagnostic.detail);
        write!(f, "{}: {detail}", self.diagnostic.code.summary)
    }
}

impl std::error::Error for Report<'_> {}

impl miette::Diagnostic for Report<'_> {
    fn code<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        Some(Box::new(self.diagnostic.code))
    }

    fn severity(&self) -> Option<miette::Severity> {
        Some(if self.diagnostic.is_error() {
            miette::Severity::Error
        } else {
            miette::Severity::Warning
        })
    }

    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn std::fmt::Display>)
    }

    fn source_code(&self) -> Option<&dyn SourceCode> {
        Some(&self.source)
    }

    fn labels(&self) -> Option<Box<dyn Iterator<Item = LabeledSpan> + '_>> {
        Some(Box::new(self.labels.iter().cloned()))
    }
}

impl<'s> Shown<'s> {
    /// A label at a place of the file; its words are what the caller says, made printable.
    fn label(&mut self, sources: &Sources, text: &str, span: Span) -> LabeledSpan {
        let start = self.text.offset(span.start as usize);
        let end = self.text.offset(span.end as usize);
        let column = sources.line_column(span.file, span.start).column.saturating_sub(1);
        self.columns.insert(start, column as usize);
        LabeledSpan::new(Some(Line::new(text).to_string()), start, end - start)
    }
}

/// For people: the source with marks in it. Everything but its colours is printable.
pub(crate) fn human(sources: &Sources, all: &[Diagnostic], colour: bool) -> String {
    let theme = if colour { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
    let handler = GraphicalReportHandler::new_themed(theme).with_links(false);
    let files: BTreeMap<_, Mapped> = all
        .iter()
        .map(|diagnostic| diagnostic.span.file)
        .map(|file| (file, Mapped::new(sources.text(file))))
        .collect();
    let mut out = String::new();
    for diagnostic in all {
        let file = diagnostic.span.file;
        let name = Line::new(sources.name(file));
        let mut source = Shown { name, text: &files[&file], columns: BTreeMap::new() };
        let mut labels = vec![source.label(sources, "here", diagnostic.span)];
        let mut help: Vec<String> = diagnostic.help.iter().cloned().collect();
        for related in &diagnostic.related {
            if related.span.file == file {
                labels.push(source.label(sources, &related.label, related.span));
            } else {
                help.push(format!("{}: {}", sources.location(related.span), related.label));
            }
        }
        let help = (!help.is_empty()).then(|| Text::new(&help.join("\n")));
        let report = Report { diagnostic, source, labels, help };
        if handler.render_report(&mut out, &report).is_err() {
            let _ = writeln!(out, "{}", Text::new(&diagnostic.one_line(sources)));
        }
    }
    if !all.is_empty() {
        let errors = all.iter().filter(|d| d.is_error()).count();
        let count = |number: usize, word: &str| match number {
            0 => None,
            1 => Some(format!("1 {word}")),
            _ => Some(format!("{number} {word}s")),
        };
        let counts: Vec<String> = [count(errors, "error"), count(all.len() - errors, "warning")]
            .into_iter()
            .flatten()
            .collect();
        let _ = writeln!(out, "{}; `dax explain CODE` says more", counts.join(", "));
    }
    out
}

/// For logs and problem matchers: a line each.
pub(crate) fn short(sources: &Sources, all: &[Diagnostic]) -> String {
    let mut files = SimpleFiles::new();
    for file in sources.ids() {
        files.add(Line::new(sources.name(file)), sources.text(file).to_owned());
    }
    let config =
        term::Config { display_style: term::DisplayStyle::Short, ..term::Config::default() };
    let mut out = String::new();
    for diagnostic in all {
        let severity =
            if diagnostic.is_error() { CodespanSeverity::Error } else { CodespanSeverity::Warning };
        let range = diagnostic.span.start as usize..diagnostic.span.end as usize;
        let shown = Codespan::new(severity)
            .with_code(diagnostic.code.to_string())
            .with_message(format!("{}: {}", diagnostic.code.summary, Line::new(&diagnostic.detail)))
            .with_labels(vec![Label::new(
                LabelStyle::Primary,
                diagnostic.span.file.0 as usize,
                range,
            )]);
        if term::emit_to_string(&mut out, &config, &files, &shown).is_err() {
            let _ = writeln!(out, "{}", Line::new(&diagnostic.one_line(sources)));
        }
    }
    out
}

fn place(sources: &Sources, span: Span) -> Json {
    let (start, end) =
        (sources.line_column(span.file, span.start), sources.line_column(span.file, span.end));
    json!({
        "file": sources.name(span.file),
        "start": { "line": start.line, "column": start.column, "byte": span.start },
        "end": { "line": end.line, "column": end.column, "byte": span.end },
    })
}

/// For other programs.
pub(crate) fn json(sources: &Sources, all: &[Diagnostic]) -> Json {
    let all: Vec<Json> = all
        .iter()
        .map(|diagnostic| {
            let related: Vec<Json> =
                diagnostic.related.iter().map(|r| json!({ "span": place(sources, r.span), "label": r.label })).collect();
            json!({
                "code": diagnostic.code.to_string(),
                "severity": if diagnostic.is_error() { "error" } else { "warning" },
                "summary": diagnostic.code.summary,
                "detail": diagnostic.detail,
                "help": diagnostic.help,
                "span": place(sources, diagnostic.span),
                "related": related,
                "fix": diagnostic.fix.as_ref().map(|fix| json!({ "span": place(sources, fix.span), "replacement": fix.replacement })),
            })
        })
        .collect();
    json!({ "format_version": 1, "diagnostics": all })
}

/// A path as a URI reference. Source: RFC 3986, sections 2.3 and 3.3.
fn uri(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

/// For code scanning, whose pages show the messages. Source: SARIF 2.1.0, sections 3.14 and 3.27.
pub(crate) fn sarif(sources: &Sources, all: &[Diagnostic]) -> Json {
    let results: Vec<Json> = all
        .iter()
        .map(|diagnostic| {
            let (start, end) = (
                sources.line_column(diagnostic.span.file, diagnostic.span.start),
                sources.line_column(diagnostic.span.file, diagnostic.span.end),
            );
            json!({
                "ruleId": diagnostic.code.to_string(),
                "level": if diagnostic.is_error() { "error" } else { "warning" },
                "message": { "text": format!("{}: {}", diagnostic.code.summary, Text::new(&diagnostic.detail)) },
                "locations": [{ "physicalLocation": {
                    "artifactLocation": { "uri": uri(sources.name(diagnostic.span.file)) },
                    "region": { "startLine": start.line, "startColumn": start.column, "endLine": end.line, "endColumn": end.column },
                } }],
            })
        })
        .collect();
    let mut rules: Vec<(String, &str)> =
        all.iter().map(|d| (d.code.to_string(), d.code.summary)).collect();
    rules.sort();
    rules.dedup();
    let rules: Vec<Json> = rules
        .into_iter()
        .map(|(id, text)| json!({ "id": id, "shortDescription": { "text": text } }))
        .collect();
    let driver = json!({ "name": "dax", "version": env!("CARGO_PKG_VERSION"), "rules": rules });
    let run = json!({ "tool": { "driver": driver }, "columnKind": "unicodeCodePoints", "results": results });
    json!({ "$schema": "https://json.schemastore.org/sarif-2.1.0.json", "version": "2.1.0", "runs": [run] })
}

/// A text of a workflow command of GitHub.
pub(crate) fn data(text: &str) -> String {
    Text::new(text).as_str().replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// A property of one.
pub(crate) fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}

/// As GitHub workflow commands: `::error file=…::message`, with `%`, CR and LF escaped.
pub(crate) fn github(sources: &Sources, all: &[Diagnostic]) -> String {
    let mut out = String::new();
    for diagnostic in all {
        let at = sources.line_column(diagnostic.span.file, diagnostic.span.start);
        let level = if diagnostic.is_error() { "error" } else { "warning" };
        let file = property(sources.name(diagnostic.span.file));
        let title = property(&format!("{} {}", diagnostic.code, diagnostic.code.summary));
        let _ = writeln!(
            out,
            "::{level} file={file},line={},col={},title={title}::{}",
            at.line,
            at.column,
            data(&diagnostic.detail)
        );
    }
    out
}
