//! `dax eval`: an expression's value; without one, a prompt.

use crate::args::{DataFormat, EvalArgs};
use crate::commands::params;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::printable::Line;
use dax_engine::{Engine, Missing, Params, diagnostic};
use rustyline::error::ReadlineError;
use std::io::{BufRead, IsTerminal};

const HELP: &str = "an expression shows its value; `let`, `fn` and `type` stay for later lines\n:type EXPR  its type\n:env NAME   evaluate inside of an environment\n:help       this\n:quit       the end\n";

pub(crate) fn run(args: &EvalArgs, engine: &Engine, out: &mut Printer) -> Result<Exit, CliError> {
    let params = params(&args.params, Missing::Report);
    let environment = args.environment.environment.clone();
    if let Some(name) = &environment {
        known(engine, name)?;
    }
    match &args.expression {
        Some(expression) => {
            let mut session = Session { engine, params, environment, definitions: String::new() };
            session.show(expression, args.format, out)
        }
        None => prompt(
            Session { engine, params, environment, definitions: String::new() },
            args.format,
            out,
        ),
    }
}

/// What earlier lines of the prompt said.
struct Session<'e> {
    engine: &'e Engine,
    params: Params,
    environment: Option<String>,
    definitions: String,
}

fn known(engine: &Engine, name: &str) -> Result<(), CliError> {
    let names = engine.environments()?;
    if names.iter().any(|known| known == name) {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "there is no environment `{name}`; there are {}",
        names.join(", ")
    )))
}

impl Session<'_> {
    fn show(
        &mut self,
        expression: &str,
        format: DataFormat,
        out: &mut Printer,
    ) -> Result<Exit, CliError> {
        let found = self.engine.evaluate(
            &self.definitions,
            expression,
            self.environment.as_deref(),
            &self.params,
        )?;
        out.diagnostics(&found.sources, &found.diagnostics);
        let Some(value) = found.value else { return Ok(Exit::Error) };
        match format {
            DataFormat::Json => {
                out.json(&serde_json::json!(value.shape()));
            }
            DataFormat::Human => out.data(&format!("{}\n", Line::new(&value.to_string()))),
        }
        Ok(Exit::Done)
    }

    /// One line of the prompt; false at the end.
    fn line(
        &mut self,
        line: &str,
        format: DataFormat,
        out: &mut Printer,
    ) -> Result<bool, CliError> {
        let line = line.trim();
        match line.split_once(' ').unwrap_or((line, "")) {
            ("", _) => {}
            (":quit" | ":q", _) => return Ok(false),
            (":help" | ":h", _) => out.data(HELP),
            (":env", "") => self.environment = None,
            (":env", name) => match known(self.engine, name.trim()) {
                Ok(()) => self.environment = Some(name.trim().to_owned()),
                Err(error) => out.error(&error),
            },
            (":type" | ":t", expression) => {
                let found = self.engine.evaluate(
                    &self.definitions,
                    expression,
                    self.environment.as_deref(),
                    &self.params,
                )?;
                if diagnostic::has_errors(&found.diagnostics) {
                    out.diagnostics(&found.sources, &found.diagnostics);
                } else {
                    out.data(&format!("{}\n", Line::new(&found.type_name)));
                }
            }
            ("let" | "fn" | "type" | "import", _) => {
                let definitions = format!("{}{line}\n", self.definitions);
                let found = self.engine.evaluate(
                    &definitions,
                    "true",
                    self.environment.as_deref(),
                    &self.params,
                )?;
                if diagnostic::has_errors(&found.diagnostics) {
                    out.diagnostics(&found.sources, &found.diagnostics);
                } else {
                    self.definitions = definitions;
                }
            }
            (word, _) if word.starts_with(':') => {
                out.alarm(&format!("there is no `{word}`; `:help` shows what there is"))
            }
            _ => {
                self.show(line, format, out)?;
            }
        }
        Ok(true)
    }
}

fn prompt(
    mut session: Session<'_>,
    format: DataFormat,
    out: &mut Printer,
) -> Result<Exit, CliError> {
    if !std::io::stdin().is_terminal() {
        for line in std::io::stdin().lock().lines() {
            if !session.line(&line?, format, out)? {
                break;
            }
        }
        return Ok(Exit::Done);
    }
    let mut editor =
        rustyline::DefaultEditor::new().map_err(|error| CliError::World(error.to_string()))?;
    out.note("an expression, or `:help`");
    loop {
        let head = session.environment.as_deref().unwrap_or("dax").to_owned();
        match editor.readline(&format!("{}> ", Line::new(&head))) {
            Ok(line) => {
                let _ = editor.add_history_entry(line.as_str());
                if !session.line(&line, format, out)? {
                    return Ok(Exit::Done);
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return Ok(Exit::Done),
            Err(error) => return Err(CliError::World(error.to_string())),
        }
    }
}
