//! An environment's services and what each needs, as a picture: DOT, Mermaid or SVG.

use dax_ir::Environment;
use layout::backends::svg::SVGWriter;
use layout::gv::{DotParser, GraphBuilder};
use std::fmt::Write;

/// Graphviz's DOT language.
pub fn dot(environment: &Environment) -> String {
    let mut out =
        format!("digraph {} {{\n  rankdir=LR;\n  node [shape=box];\n", quoted(&environment.name));
    for service in environment.services.values() {
        let label = format!("{}\\n{}", service.addr.name(), service.strategy.name);
        let _ = writeln!(out, "  {} [label={}];", quoted(service.addr.name()), quoted(&label));
    }
    for (from, to) in edges(environment) {
        let _ = writeln!(out, "  {} -> {};", quoted(from), quoted(to));
    }
    out.push_str("}\n");
    out
}

/// Mermaid's flowchart, which GitHub and GitLab show.
pub fn mermaid(environment: &Environment) -> String {
    let mut out = "flowchart LR\n".to_owned();
    for service in environment.services.values() {
        let _ = writeln!(out, "  {0}[\"{0}<br/>{1}\"]", service.addr.name(), service.strategy.name);
    }
    for (from, to) in edges(environment) {
        let _ = writeln!(out, "  {from} --> {to}");
    }
    out
}

/// An SVG picture, or why it could not be drawn.
///
/// # Errors
/// The drawing library does not take the graph; its message.
pub fn svg(environment: &Environment) -> Result<String, String> {
    draw(&dot(environment))
}

/// The picture of a text in DOT.
pub(crate) fn draw(dot: &str) -> Result<String, String> {
    let graph = DotParser::new(dot).process()?;
    let mut builder = GraphBuilder::new();
    builder.visit_graph(&graph);
    let mut picture = builder.get();
    let mut writer = SVGWriter::new();
    picture.do_it(false, false, false, &mut writer);
    Ok(writer.finalize())
}

/// Each direct need, from who needs to what is needed; names are identifiers of the language.
fn edges(environment: &Environment) -> impl Iterator<Item = (&str, &str)> {
    environment.services.values().flat_map(|service| {
        service.needs.iter().map(|need| (service.addr.name(), need.addr.name()))
    })
}

fn quoted(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}
