//! The two streams of the process: the only place that writes to them.
//!
//! Every write to standard output is checked and the first that fails is kept for the end of the
//! command. What is written is printable ([`Text`]) or composed of printable pieces, but for data
//! that a pipe must get byte by byte. The runner of a pipeline obeys lines of its log; text from
//! outside never forms one.

use dax_engine::printable::Text;
use rustix::io::Errno;
use std::borrow::Cow;
use std::io::{ErrorKind, IsTerminal, Write};
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Standard output and standard error, shared with whoever tells of something meanwhile.
#[derive(Clone, Default)]
pub(crate) struct Streams {
    lost: Arc<Mutex<Option<std::io::Error>>>,
}

/// Why standard output holds less than what was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The reader has gone: its choice.
    Closed,
    /// A fault of the world, as a sentence.
    Failed(String),
}

/// What introduces a command in the log of a pipeline. Source: actions/runner `ActionCommand.cs`;
/// Azure Pipelines logging commands; TeamCity service messages.
const COMMANDS: [&str; 3] = ["##[", "##vso[", "##teamcity["];

impl Streams {
    /// Writes to standard output; a terminal and a pipeline only get what is no command to them.
    pub(crate) fn text(&self, text: &Text) {
        self.composed(text.as_str());
    }

    /// Writes text with colours of our own around printable pieces.
    pub(crate) fn composed(&self, text: &str) {
        self.write(&inert(text));
    }

    /// Writes serialised JSON as JSON that is equal and printable.
    pub(crate) fn json(&self, serialised: &str) {
        let text = Text::json(serialised);
        let mut shown = Cow::Borrowed(text.as_str());
        for command in COMMANDS.into_iter().filter(|command| text.as_str().contains(command)) {
            shown = Cow::Owned(shown.replace(command, &format!("\\u0023{}", &command[1..])));
        }
        self.write(&shown);
    }

    /// Writes bytes that a program must get as they are; a terminal gets their printable form.
    pub(crate) fn exact(&self, text: &str) {
        if out_is_terminal() {
            self.write(Text::new(text).as_str());
        } else {
            self.write(text);
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the one place that writes to standard output")]
    fn write(&self, text: &str) {
        let mut lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        if lost.is_none() {
            *lost = write_all(&std::io::stdout(), text.as_bytes()).err();
        }
    }

    /// Writes one message to standard error; lines after its first stand behind a bar.
    pub(crate) fn message(&self, text: &str) {
        self.stderr(&format!("{}\n", inert(&barred(&Text::new(text)))));
    }

    /// Writes to standard error what was composed of printable pieces.
    pub(crate) fn composed_message(&self, text: &str) {
        self.stderr(&inert(text));
    }

    /// Nobody can be told that nothing can be told.
    #[expect(clippy::disallowed_methods, reason = "the one place that writes to standard error")]
    fn stderr(&self, text: &str) {
        let _ = std::io::stderr().lock().write_all(text.as_bytes());
    }

    /// Says whether anything of standard output was lost so far.
    pub(crate) fn lost(&self) -> Option<Lost> {
        let lost = self.lost.lock().unwrap_or_else(PoisonError::into_inner);
        lost.as_ref().map(|error| match error.kind() {
            ErrorKind::BrokenPipe => Lost::Closed,
            _ => Lost::Failed(format!("cannot write to stdout: {}", sentence(error))),
        })
    }
}

/// How long a stream that takes nothing at the moment is left alone.
const PATIENCE: Duration = Duration::from_millis(5);

/// Writes everything, without a buffer: what it returns is what became of the bytes.
///
/// A terminal or pipe that another process made non-blocking is waited for.
fn write_all(stream: &impl AsFd, mut bytes: &[u8]) -> std::io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(stream, bytes) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => bytes = &bytes[written..],
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => std::thread::sleep(PATIENCE),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Reports whether standard output is a terminal.
#[expect(clippy::disallowed_methods, reason = "asks and writes nothing")]
pub(crate) fn out_is_terminal() -> bool {
    std::io::stdout().is_terminal()
}

/// Reports whether standard error is a terminal.
#[expect(clippy::disallowed_methods, reason = "asks and writes nothing")]
pub(crate) fn error_is_terminal() -> bool {
    std::io::stderr().is_terminal()
}

/// An error of the system in lower case, as the end of a sentence.
pub(crate) fn sentence(error: &std::io::Error) -> String {
    let text = error.to_string();
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| {
        format!("{}{}", first.to_ascii_lowercase(), chars.as_str())
    })
}

/// Lines of a message; those after the first stand behind a bar, so that none passes for a message
/// of its own.
pub(crate) fn barred(text: &Text) -> String {
    text.as_str().trim_end_matches('\n').replace('\n', "\n  │ ")
}

/// Text without commands to the runner of a pipeline: their first character becomes its escape.
fn inert(text: &str) -> Cow<'_, str> {
    let commands = |line: &str| {
        line.trim_start().starts_with("::") || COMMANDS.iter().any(|command| line.contains(command))
    };
    if !text.lines().any(commands) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let mut line = Cow::Borrowed(line);
        for command in COMMANDS.into_iter().filter(|command| text.contains(command)) {
            line = Cow::Owned(line.replace(command, &format!("\\u{{23}}{}", &command[1..])));
        }
        if line.trim_start().starts_with("::") {
            line = Cow::Owned(line.replacen(':', "\\u{3a}", 1));
        }
        out.push_str(&line);
    }
    Cow::Owned(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_line_is_a_command_to_the_runner_of_a_pipeline() {
        assert_eq!(inert("a ::b\n  ::stop-commands::x\n"), "a ::b\n  \\u{3a}:stop-commands::x\n");
        assert_eq!(inert("x ##[error]y ##vso[a]b"), "x \\u{23}#[error]y \\u{23}#vso[a]b");
        assert_eq!(inert("## a\nb"), "## a\nb");
    }

    #[test]
    fn a_message_of_several_lines_looks_like_one() {
        let text = Text::new("it failed:\nerror: all is well\r\n\n");
        assert_eq!(barred(&text), "it failed:\n  │ error: all is well");
    }
}
