//! One HTML page that needs nothing else: no other file, no network, and no script to be read.

use crate::tree::{Block, Line, Section, Tone};
use dax_core::printable;
use std::fmt::Write;

const STYLE: &str = include_str!("html/page.css");
/// Filters sections by what is typed; without it everything is there all the same.
const SCRIPT: &str = include_str!("html/page.js");
/// Nothing is loaded from anywhere, whatever a plan's texts say.
const POLICY: &str =
    "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; img-src data:";
/// So many sections stand open at first.
const OPEN: usize = 25;

/// Renders as a page.
pub fn html(title: &str, blocks: &[Block]) -> String {
    let sections = blocks.iter().filter(|block| matches!(block, Block::Section(_))).count();
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <meta http-equiv=\"Content-Security-Policy\" content=\"{POLICY}\">\
         <title>{}</title><style>{STYLE}</style></head><body><main>\n",
        escape(&title.into())
    );
    let mut searched = false;
    for block in blocks {
        if matches!(block, Block::Section(_))
            && !std::mem::replace(&mut searched, true)
            && sections > 1
        {
            let _ = writeln!(
                out,
                "<form class=\"search\" role=\"search\" hidden><label>Search <input type=\"search\" id=\"search\"></label> <output id=\"found\"></output></form>"
            );
        }
        write_block(&mut out, block, sections <= OPEN);
    }
    let _ = writeln!(out, "</main><script>{SCRIPT}</script></body></html>");
    out
}

fn write_block(out: &mut String, block: &Block, open: bool) {
    match block {
        Block::Heading(level, line) => {
            let _ = writeln!(out, "<h{level}>{}</h{level}>", spans(line));
        }
        Block::Lines(lines) => {
            let lines: Vec<String> = lines
                .iter()
                .map(|line| format!("{}{}", "  ".repeat(line.indent), spans(line)))
                .collect();
            let _ = writeln!(out, "<pre>{}</pre>", lines.join("\n"));
        }
        Block::Table(heads, rows) => {
            let cells = |cells: Vec<String>, tag: &str| {
                cells.iter().map(|cell| format!("<{tag}>{cell}</{tag}>")).collect::<String>()
            };
            let _ = writeln!(
                out,
                "<table><thead><tr>{}</tr></thead><tbody>",
                cells(heads.iter().map(|head| (*head).to_owned()).collect(), "th")
            );
            for row in rows {
                let _ = writeln!(out, "<tr>{}</tr>", cells(row.iter().map(escape).collect(), "td"));
            }
            out.push_str("</tbody></table>\n");
        }
        Block::Section(section) => write_section(out, section, open),
        // Pictures are drawn by this crate, from addresses alone.
        Block::Picture(svg) => {
            let _ = writeln!(
                out,
                "<figure>{}</figure>",
                svg.split_once("<svg").map_or(String::new(), |(_, rest)| format!("<svg{rest}"))
            );
        }
    }
}

fn write_section(out: &mut String, section: &Section, open: bool) {
    let open = if open { " open" } else { "" };
    let _ = writeln!(out, "<details{open}><summary>{}</summary>", spans(&section.head));
    section.body.iter().for_each(|block| write_block(out, block, true));
    out.push_str("</details>\n");
}

fn spans(line: &Line) -> String {
    let span = |class: &str, text: &printable::Line| {
        format!("<span class=\"{class}\">{}</span>", escape(text))
    };
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

fn escape(text: &printable::Line) -> String {
    text.as_str()
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
