//! One HTML page that needs nothing else.

use crate::tree::{Block, Line, Tone};
use std::fmt::Write;

const STYLE: &str = "body{font:14px/1.5 ui-monospace,monospace;max-width:110ch;margin:2em auto;padding:0 1em;color:#1f2328;background:#fff}\
h1,h2{font-size:1em;margin:1.5em 0 .3em}pre{margin:0;white-space:pre-wrap}table{border-collapse:collapse}\
td,th{text-align:left;padding:.1em 1em .1em 0}.add{color:#116329}.remove{color:#a40e26}.change,.warn{color:#7d4e00}.dim{color:#59636e}.strong,.warn{font-weight:600}\
@media(prefers-color-scheme:dark){body{color:#e6edf3;background:#0d1117}.add{color:#7ee787}.remove{color:#ffa198}.change,.warn{color:#e3b341}.dim{color:#8d96a0}}";

/// Renders as a page.
pub fn html(title: &str, blocks: &[Block]) -> String {
    let mut out = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><title>{}</title><style>{STYLE}</style></head><body>\n",
        escape(title)
    );
    for block in blocks {
        match block {
            Block::Heading(level, line) => {
                let _ = writeln!(out, "<h{level}>{}</h{level}>", spans(line));
            }
            Block::Lines(lines) => {
                let lines: Vec<String> = lines.iter().map(|line| format!("{}{}", "  ".repeat(line.indent), spans(line))).collect();
                let _ = writeln!(out, "<pre>{}</pre>", lines.join("\n"));
            }
            Block::Table(heads, rows) => {
                let cells = |cells: Vec<String>, tag: &str| cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect::<String>();
                let _ = writeln!(out, "<table><tr>{}</tr>", cells(heads.iter().map(|head| escape(head)).collect(), "th"));
                for row in rows {
                    let _ = writeln!(out, "<tr>{}</tr>", cells(row.iter().map(|cell| escape(cell)).collect(), "td"));
                }
                out.push_str("</table>\n");
            }
        }
    }
    out.push_str("</body></html>\n");
    out
}

fn spans(line: &Line) -> String {
    let span = |class: &str, text: &str| format!("<span class=\"{class}\">{}</span>", escape(text));
    let piece = |piece: &crate::tree::Piece| match piece.tone {
        Tone::Plain => escape(&piece.text),
        Tone::Add => span("add", &piece.text),
        Tone::Remove => span("remove", &piece.text),
        Tone::Change => span("change", &piece.text),
        Tone::Warn => span("warn", &piece.text),
        Tone::Dim => span("dim", &piece.text),
        Tone::Strong => span("strong", &piece.text),
    };
    line.pieces.iter().map(piece).collect()
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
