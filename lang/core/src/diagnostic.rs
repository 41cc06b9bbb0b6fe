//! Diagnostics: what is wrong, where, and what to do about it.
//!
//! One plain struct serves every front: the terminal, logs, JSON and the editor render it. A code's
//! summary is fixed and holds no user text; `detail` says what is wrong here, `help` what to do.

use crate::{Sources, Span};

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Nothing can be planned.
    Error,
    /// Allowed, but likely not meant.
    Warning,
}

/// A stable number with a fixed summary, explained in docs/diagnostics.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Code {
    /// Printed as `DAX` and four digits.
    pub number: u16,
    /// Error or warning.
    pub severity: Severity,
    /// What it is about, without user text.
    pub summary: &'static str,
}

impl Code {
    /// A code that stops the plan.
    pub const fn error(number: u16, summary: &'static str) -> Self {
        Self { number, severity: Severity::Error, summary }
    }

    /// A code that does not stop the plan.
    pub const fn warning(number: u16, summary: &'static str) -> Self {
        Self { number, severity: Severity::Warning, summary }
    }
}

impl std::fmt::Display for Code {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "DAX{:04}", self.number)
    }
}

/// Another place that has to do with it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Related {
    /// Where.
    pub span: Span,
    /// What is there.
    pub label: String,
}

/// An edit that settles the matter by itself.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Fix {
    /// What is replaced.
    pub span: Span,
    /// By what.
    pub replacement: String,
}

/// One finding about a `.dax` text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// Which finding.
    pub code: Code,
    /// Where.
    pub span: Span,
    /// What is wrong here.
    pub detail: String,
    /// What to do.
    pub help: Option<String>,
    /// Other places.
    pub related: Vec<Related>,
    /// The edit that settles it.
    pub fix: Option<Fix>,
}

impl Diagnostic {
    /// A finding without help, other places or a fix.
    pub fn new(code: Code, span: Span, detail: impl Into<String>) -> Self {
        Self { code, span, detail: detail.into(), help: None, related: Vec::new(), fix: None }
    }

    /// Adds what to do.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Adds another place.
    #[must_use]
    pub fn related(mut self, span: Span, label: impl Into<String>) -> Self {
        self.related.push(Related { span, label: label.into() });
        self
    }

    /// Adds the edit that settles it.
    #[must_use]
    pub fn fix(mut self, span: Span, replacement: impl Into<String>) -> Self {
        self.fix = Some(Fix { span, replacement: replacement.into() });
        self
    }

    /// Whether it stops the plan.
    pub fn is_error(&self) -> bool {
        self.code.severity == Severity::Error
    }

    /// `file:line:column: error[DAX0000]: summary: detail`, the one-line form.
    pub fn one_line(&self, sources: &Sources) -> String {
        let severity = if self.is_error() { "error" } else { "warning" };
        let Self { code, detail, .. } = self;
        format!("{}: {severity}[{code}]: {}: {detail}", sources.location(self.span), code.summary)
    }
}

/// Puts diagnostics in source order and drops repetitions of the same finding at the same place.
pub fn sort(diagnostics: &mut Vec<Diagnostic>) {
    diagnostics.sort_by(|a, b| {
        (a.span, a.code.number, &a.detail).cmp(&(b.span, b.code.number, &b.detail))
    });
    diagnostics.dedup_by(|a, b| a.span == b.span && a.code == b.code && a.detail == b.detail);
}

/// Whether any of them stops the plan.
pub fn has_errors(diagnostics: &[Diagnostic]) -> bool {
    diagnostics.iter().any(Diagnostic::is_error)
}
