//! One HTML page that needs nothing else: no other file, no network, and no script to be read.
//!
//! Invariant: the policy of the page allows its own styles and its own script by their digests, and
//! nothing else, so no text of a plan ever acts.

use crate::tree::{Block, Chart, Line, Section, Steps, Tone};
use dax_core::printable;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write;

const STYLE: &str = include_str!("html/page.css");
/// Filters sections by what is typed; without it everything is there all the same.
const SCRIPT: &str = include_str!("html/page.js");
/// So many sections stand open at first.
const OPEN: usize = 25;

/// Renders as a page.
pub fn html(title: &str, blocks: &[Block]) -> String {
    let sections = blocks.iter().filter(|block| matches!(block, Block::Section(_))).count();
    let mut body = String::new();
    let mut searched = false;
    for block in blocks {
        let first = matches!(block, Block::Section(_)) && !std::mem::replace(&mut searched, true);
        if first && sections > 1 {
            body.push_str(
                "<form class=\"search\" role=\"search\" hidden><label>Search \
                 <input type=\"search\" id=\"search\"></label> <output id=\"found\"></output></form>\n",
            );
        }
        write_block(&mut body, block, sections <= OPEN, "prose");
    }
    format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{}\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta name=\"referrer\" content=\"no-referrer\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>\n{body}</main>\
         <script>{SCRIPT}</script></body></html>\n",
        policy(&body),
        escape(&title.into())
    )
}

/// The policy of a page: its styles and its script by their digests.
///
/// Source: <https://www.w3.org/TR/CSP3/#grammardef-hash-source>.
fn policy(body: &str) -> String {
    // Pictures bring styles of their own. No text of a plan holds a tag: all of it is escaped.
    let mut styles = BTreeSet::from([hash(STYLE)]);
    for part in body.split("<style").skip(1) {
        let inner = part.split_once('>').and_then(|(_, rest)| rest.split_once("</style>"));
        styles.extend(inner.map(|(text, _)| hash(text)));
    }
    let styles: Vec<String> = styles.into_iter().collect();
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        styles.join(" "),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    format!("'sha256-{}'", data_encoding::BASE64.encode(&digest))
}

fn write_block(out: &mut String, block: &Block, open: bool, class: &str) {
    match block {
        Block::Heading(level, line) => {
            let _ = writeln!(out, "<h{level}>{}</h{level}>", spans(line));
        }
        Block::Lines(lines) => {
            let _ = writeln!(out, "<div class=\"{class}\">{}</div>", all_lines(lines));
        }
        Block::Table(heads, rows) => table(out, heads, rows),
        Block::Section(section) => write_section(out, section, open),
        // Pictures are drawn by this crate, from addresses alone.
        Block::Picture(svg) => {
            let svg =
                svg.split_once("<svg").map_or(String::new(), |(_, rest)| format!("<svg{rest}"));
            let _ = writeln!(out, "<figure class=\"graph\">{svg}</figure>");
        }
        Block::Chart(chart) => write_chart(out, chart),
    }
}

fn all_lines(lines: &[Line]) -> String {
    let one =
        |line: &Line| format!("<div class=\"line in{}\">{}</div>", line.indent.min(6), spans(line));
    lines.iter().map(one).collect()
}

fn table(out: &mut String, heads: &[&str], rows: &[Vec<printable::Line>]) {
    let heads: String = heads.iter().map(|head| format!("<th scope=\"col\">{head}</th>")).collect();
    let _ = writeln!(out, "<div class=\"scroll\"><table><thead><tr>{heads}</tr></thead><tbody>");
    for row in rows {
        let cells: String = row.iter().map(|cell| format!("<td>{}</td>", escape(cell))).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</tbody></table></div>\n");
}

fn write_chart(out: &mut String, chart: &Chart) {
    let _ = writeln!(
        out,
        "<figure>{}<figcaption><span class=\"key\"></span> share of the new revision; the rest goes \
         to the old one</figcaption></figure>\n<details class=\"quiet\"><summary>The same as a table</summary>",
        chart.svg
    );
    table(out, &chart.heads, &chart.rows);
    out.push_str("</details>\n");
}

fn write_section(out: &mut String, section: &Section, open: bool) {
    let open = if open { " open" } else { "" };
    let _ = writeln!(
        out,
        "<details class=\"change\"{open}><summary>{}</summary>",
        spans(&section.head)
    );
    section.body.iter().for_each(|block| write_block(out, block, true, "code"));
    if let Some(Steps { head, lines }) = &section.steps {
        let _ = writeln!(
            out,
            "<details class=\"quiet\" open><summary>{}</summary><div class=\"code\">{}</div></details>",
            spans(head),
            all_lines(lines)
        );
    }
    out.push_str("</details>\n");
}

fn spans(line: &Line) -> String {
    let span = |class: &str, text: &printable::Line| {
        format!("<span class=\"{class}\">{}</span>", escape(text))
    };
    let piece = |piece: &crate::tree::Piece| match piece.tone {
        Tone::Plain => code(&piece.text),
        Tone::Add => span("add", &piece.text),
        Tone::Remove => span("remove", &piece.text),
        Tone::Change => span("change", &piece.text),
        Tone::Warn => span("warn", &piece.text),
        Tone::Dim => span("dim", &piece.text),
        Tone::Strong => span("strong", &piece.text),
    };
    line.pieces.iter().map(piece).collect()
}

/// Text with what stands between two backticks as code.
fn code(text: &printable::Line) -> String {
    let escaped = escape(text);
    let parts: Vec<&str> = escaped.split('`').collect();
    if parts.len().is_multiple_of(2) {
        return escaped;
    }
    let one = |(at, part): (usize, &&str)| {
        if at % 2 == 1 { format!("<code>{part}</code>") } else { (*part).to_owned() }
    };
    parts.iter().enumerate().map(one).collect()
}

pub(crate) fn escape(text: &printable::Line) -> String {
    text.as_str()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
