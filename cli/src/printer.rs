//! The one place that writes to the terminal: it knows colour and quiet.
//!
//! Data goes to stdout, everything else to stderr. A closed pipe ends the output, not the command.

use crate::args::{DiagnosticFormat, MarkdownFlavour, PlanFormat, ShownArgs};
use crate::diagnostics;
use crate::exit::CliError;
use dax_engine::{Diagnostic, EngineError, Plan, Sources, Standing, render};
use std::io::{IsTerminal, Write};

pub(crate) struct Printer {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    out_colour: bool,
    error_colour: bool,
}

impl Printer {
    pub(crate) fn new(quiet: bool, verbose: bool) -> Self {
        let wanted = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
            && std::env::var_os("TERM").is_none_or(|term| term != "dumb");
        Self {
            quiet,
            verbose,
            out_colour: wanted && std::io::stdout().is_terminal(),
            error_colour: wanted && std::io::stderr().is_terminal(),
        }
    }

    /// Data.
    pub(crate) fn data(&mut self, text: &str) {
        let _ = std::io::stdout().lock().write_all(text.as_bytes());
    }

    /// A line that says what happens.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            let _ = writeln!(std::io::stderr().lock(), "{text}");
        }
    }

    /// How often providers were called, where that is counted.
    pub(crate) fn calls(&mut self, calls: &std::collections::BTreeMap<dax_engine::Name, u64>) {
        for (provider, calls) in calls {
            self.note(&format!("{calls} calls to `{provider}`"));
        }
    }

    /// A line about a failure: said however quiet the command is to be.
    pub(crate) fn alarm(&mut self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// A line that only the curious want.
    pub(crate) fn detail(&mut self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    /// Diagnostics for people, on stderr.
    pub(crate) fn diagnostics(&mut self, sources: &Sources, all: &[Diagnostic]) {
        let text = diagnostics::human(sources, all, self.error_colour);
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Diagnostics in the format that was asked for: people read them on stderr, tools on stdout.
    pub(crate) fn findings(
        &mut self,
        sources: &Sources,
        all: &[Diagnostic],
        format: DiagnosticFormat,
    ) {
        match format {
            DiagnosticFormat::Human => self.diagnostics(sources, all),
            DiagnosticFormat::Short => self.data(&diagnostics::short(sources, all)),
            DiagnosticFormat::Json => self.data(&diagnostics::json(sources, all)),
            DiagnosticFormat::Sarif => self.data(&diagnostics::sarif(sources, all)),
            DiagnosticFormat::Github => self.data(&diagnostics::github(sources, all)),
        }
    }

    /// Diagnostics for people, as a part of the data.
    pub(crate) fn shown(&self, sources: &Sources, all: &[Diagnostic]) -> String {
        diagnostics::human(sources, all, self.out_colour)
    }

    pub(crate) fn error(&mut self, error: &CliError) {
        let message = match error {
            CliError::Engine(
                EngineError::Program { sources, diagnostics }
                | EngineError::Policy { sources, diagnostics },
            ) => {
                self.diagnostics(sources, diagnostics);
                return;
            }
            CliError::Engine(error) => error.to_string(),
            CliError::Usage(message) | CliError::World(message) => message.clone(),
        };
        let (on, off) = if self.error_colour { ("\x1b[1;31m", "\x1b[0m") } else { ("", "") };
        let _ = writeln!(std::io::stderr().lock(), "{on}error{off}: {message}");
    }

    /// A plan in the formats that were asked for.
    pub(crate) fn plan(&mut self, plan: &Plan, standing: &Standing, shown: &ShownArgs) {
        for format in &shown.format {
            match format {
                PlanFormat::Human => self.blocks(&render::plan(plan, standing)),
                PlanFormat::Markdown => {
                    let flavour = match shown.flavour {
                        MarkdownFlavour::Github => render::Flavour::GitHub,
                        MarkdownFlavour::Gitlab => render::Flavour::GitLab,
                        MarkdownFlavour::Bitbucket => render::Flavour::Bitbucket,
                    };
                    let budget = shown.budget.unwrap_or(flavour.budget());
                    self.data(&render::markdown(&render::plan(plan, standing), flavour, budget));
                }
                PlanFormat::Html => self.data(&render::html(
                    &format!("{} / {}", plan.project, plan.environment),
                    &render::plan(plan, standing),
                )),
                PlanFormat::Json => self.data(&render::json(plan)),
            }
        }
    }

    /// Blocks for people, as data.
    pub(crate) fn blocks(&mut self, blocks: &[render::Block]) {
        let text = render::terminal(blocks, self.out_colour);
        self.data(&text);
    }

    /// A table on stdout, columns as wide as they need.
    pub(crate) fn table(&mut self, heads: &[&'static str], rows: &[Vec<String>]) {
        let block = render::Block::Table(heads.to_vec(), rows.to_vec());
        let text = render::terminal(&[block], false);
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        self.data(&text);
    }
}
