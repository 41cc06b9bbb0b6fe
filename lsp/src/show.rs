//! Findings as a client shows them.

use crate::positions::{Encoding, Text};
use dax_core::{Diagnostic as Found, Span, printable};
use gen_lsp_types::{
    Code, Diagnostic, DiagnosticRelatedInformation, DiagnosticSeverity, Location, Message,
};

/// The bytes of a span.
pub(crate) fn bytes(span: Span) -> std::ops::Range<usize> {
    span.start as usize..span.end as usize
}

/// A finding in a text; other places come with their addresses and ranges.
pub(crate) fn diagnostic(
    found: &Found,
    text: &Text,
    encoding: Encoding,
    related: Vec<(Location, String)>,
) -> Diagnostic {
    let message = match &found.help {
        Some(help) => format!("{}: {}\n{help}", found.code.summary, found.detail),
        None => format!("{}: {}", found.code.summary, found.detail),
    };
    let related: Vec<DiagnosticRelatedInformation> = related
        .into_iter()
        .map(|(location, label)| {
            let message = printable::Line::new(&label).to_string();
            DiagnosticRelatedInformation { location, message }
        })
        .collect();
    Diagnostic {
        range: text.range(&bytes(found.span), encoding),
        severity: Some(if found.is_error() {
            DiagnosticSeverity::Error
        } else {
            DiagnosticSeverity::Warning
        }),
        code: Some(Code::String(found.code.to_string())),
        source: Some("dax".to_owned()),
        message: Message::String(printable::Text::new(&message).to_string()),
        related_information: Some(related).filter(|related| !related.is_empty()),
        ..Diagnostic::default()
    }
}
