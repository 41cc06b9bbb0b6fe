//! What commands print with: it knows colour, quiet and formats.
//!
//! Data goes to stdout, everything else to stderr. Text comes in as it is and leaves printable:
//! whoever calls has nothing to escape and no way around it. A reader that goes ends the output,
//! not the command.

use crate::args::{DiagnosticFormat, MarkdownFlavour, PlanFormat, ShownArgs};
use crate::diagnostics;
use crate::exit::{CliError, Exit};
use crate::output::{Lost, Streams, barred, error_is_terminal, out_is_terminal, sentence};
use dax_engine::printable::Text;
use dax_engine::{Diagnostic, EngineError, Plan, Sources, Standing, render};
use serde_json::Value as Json;

pub(crate) struct Printer {
    pub(crate) quiet: bool,
    pub(crate) verbose: bool,
    /// A run took place: how it ended matters more than who read of it.
    pub(crate) ran: bool,
    /// Approvals of the run must be signed.
    pub(crate) signed: bool,
    /// The streams, for what tells of something while a command runs.
    pub(crate) streams: Streams,
    told: bool,
    /// A file that tells of the run lacks something.
    incomplete: bool,
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
            ran: false,
            signed: false,
            streams: Streams::default(),
            told: false,
            incomplete: false,
            out_colour: wanted && out_is_terminal(),
            error_colour: wanted && error_is_terminal(),
        }
    }

    /// Data for people, or of a format that no character of it can break.
    pub(crate) fn data(&mut self, text: &str) {
        self.streams.text(&Text::new(text));
    }

    /// The same text without and with colours of our own; the latter where a terminal shows them.
    pub(crate) fn styled(&mut self, plain: &str, styled: &str) {
        let safe = Text::new(plain).as_str() == plain;
        if safe && self.out_colour { self.streams.composed(styled) } else { self.data(plain) }
    }

    /// Data for programs.
    pub(crate) fn json(&mut self, value: &Json) {
        self.streams.json(&format!("{value:#}\n"));
    }

    /// JSON that was serialised already.
    pub(crate) fn serialised(&mut self, json: &str) {
        self.streams.json(json);
    }

    /// Data whose every byte counts, such as a program.
    pub(crate) fn exact(&mut self, text: &str) {
        self.streams.exact(text);
    }

    /// A line that says what happens.
    pub(crate) fn note(&mut self, text: &str) {
        if !self.quiet {
            self.streams.message(text);
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
        self.streams.message(text);
    }

    /// A line that only the curious want.
    pub(crate) fn detail(&mut self, text: &str) {
        if self.verbose {
            self.note(text);
        }
    }

    /// A question on the line on which the answer is typed.
    pub(crate) fn ask(&mut self, question: &str) {
        self.streams.composed_message(barred(&Text::new(&format!("{question} "))).as_str());
    }

    /// Diagnostics for people, on stderr.
    pub(crate) fn diagnostics(&mut self, sources: &Sources, all: &[Diagnostic]) {
        self.streams.composed_message(&diagnostics::human(sources, all, self.error_colour));
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
            DiagnosticFormat::Json => self.json(&diagnostics::json(sources, all)),
            DiagnosticFormat::Sarif => self.json(&diagnostics::sarif(sources, all)),
            DiagnosticFormat::Github => self.commands(&diagnostics::github(sources, all)),
        }
    }

    /// Workflow commands, which the runner of a pipeline is to obey.
    pub(crate) fn commands(&mut self, commands: &str) {
        self.streams.exact(commands);
    }

    /// Diagnostics for people, as a part of the data.
    pub(crate) fn shown(&mut self, sources: &Sources, all: &[Diagnostic]) {
        self.streams.composed(&diagnostics::human(sources, all, self.out_colour));
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
        let message = barred(&Text::new(&message));
        self.streams.composed_message(&format!("{on}error{off}: {message}\n"));
    }

    /// Stops a command before it changes anything when what it showed was lost.
    ///
    /// A reader that went away is none: it has read what it wanted.
    pub(crate) fn arrived(&mut self) -> Result<(), CliError> {
        match self.streams.lost() {
            Some(Lost::Failed(message)) => {
                self.told = true;
                Err(CliError::World(format!("{message}; nothing was changed")))
            }
            Some(Lost::Closed) | None => Ok(()),
        }
    }

    /// Says that the events of a run are not all in their file; a run that went well fails by it.
    pub(crate) fn events_lost(&mut self, path: &std::path::Path, error: &std::io::Error) {
        self.incomplete = true;
        let path = path.display();
        self.alarm(&format!(
            "{path}: {}; events of the run are missing there, and the run went on without",
            sentence(error)
        ));
    }

    /// The exit code of the command, with what became of its output.
    pub(crate) fn finish(&mut self, exit: Exit) -> Exit {
        let exit = if self.incomplete && exit == Exit::Done { Exit::Error } else { exit };
        match self.streams.lost() {
            None => exit,
            Some(Lost::Closed) if exit == Exit::Done && !self.ran => Exit::Closed,
            Some(Lost::Closed) => exit,
            Some(Lost::Failed(message)) => {
                if !std::mem::replace(&mut self.told, true) {
                    let ran = if self.ran { "; the run has ended as said above" } else { "" };
                    self.alarm(&format!("{message}{ran}"));
                }
                if matches!(exit, Exit::Done | Exit::Changes) { Exit::Error } else { exit }
            }
        }
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
                PlanFormat::Json => self.serialised(&render::json(plan)),
            }
        }
    }

    /// Blocks for people, as data.
    pub(crate) fn blocks(&mut self, blocks: &[render::Block]) {
        self.streams.composed(&render::terminal(blocks, self.out_colour));
    }

    /// A table on stdout, columns as wide as they need.
    pub(crate) fn table(&mut self, heads: &[&'static str], rows: &[Vec<String>]) {
        let block = render::Block::Table(heads.to_vec(), render::rows(rows));
        let text = render::terminal(&[block], false);
        let text: String = text
            .lines()
            .map(|line| format!("{}\n", line.strip_prefix("  ").unwrap_or(line)))
            .collect();
        self.streams.composed(&text);
    }
}
