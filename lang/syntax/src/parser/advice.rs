//! What authors of other languages write, and how dax says it.
//!
//! Pure text to text: the faults decide where to look, this file what to say.

use dax_core::{Code, Diagnostic, Span};

/// What to say of a place.
pub(super) struct Advice {
    detail: String,
    help: Option<String>,
    /// What to put in place of the marked text.
    replacement: Option<String>,
    /// What to put in place of the blanks before it.
    gap: Option<&'static str>,
}

fn say(detail: impl Into<String>) -> Advice {
    Advice { detail: detail.into(), help: None, replacement: None, gap: None }
}

impl Advice {
    fn help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }

    fn replace(self, replacement: impl Into<String>) -> Self {
        Self { replacement: Some(replacement.into()), ..self }
    }

    /// The advice as a finding.
    pub(super) fn at(self, code: Code, span: Span) -> Diagnostic {
        self.between(code, span, span)
    }

    /// The same, with the blanks before the place.
    pub(super) fn between(self, code: Code, span: Span, gap: Span) -> Diagnostic {
        let mut diagnostic = Diagnostic::new(code, span, self.detail);
        if let Some(help) = self.help {
            diagnostic = diagnostic.help(help);
        }
        match (self.replacement, self.gap) {
            (Some(text), _) => diagnostic.fix(span, text),
            (None, Some(text)) => diagnostic.fix(gap, text),
            (None, None) => diagnostic,
        }
    }
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '.')
}

/// A line that is neither an item nor a member.
pub(super) fn misplaced(text: &str) -> Option<Advice> {
    let line = text.lines().next().unwrap_or("").trim_end();
    if let Some(rest) = line.strip_prefix("//") {
        return Some(say("comments start with `#`").replace(format!("#{rest}")));
    }
    if line.starts_with("/*") || line.starts_with("--") {
        return Some(say("comments start with `#`, each line with its own"));
    }
    let (name, value) = line.split_once(':')?;
    let plain = !name.is_empty()
        && name.trim_end().chars().all(is_word)
        && !value.contains('=')
        && !value.trim().is_empty();
    plain.then(|| {
        say("a field is written with `=`").replace(format!(
            "{} = {}",
            name.trim_end(),
            value.trim()
        ))
    })
}

/// A `fn` or `type` item of the wrong form.
pub(super) fn declaration(line: &str, function: bool) -> Option<&'static str> {
    if !function {
        return (!line.contains('=')).then_some("`=` between the name and the type is missing");
    }
    let params = line
        .split_once('(')
        .and_then(|(_, rest)| rest.split_once(')'))
        .map_or("", |(params, _)| params);
    if !line.contains('(') {
        Some("the parameters are missing, as in `fn name() -> int = 1`")
    } else if params.split(',').any(|param| !param.trim().is_empty() && !param.contains(':')) {
        Some("each parameter has a type: `name: type`")
    } else if !line.contains("->") {
        Some("the type of the result is missing: `-> type`")
    } else if !line.contains('=') {
        Some("what the function computes is missing: `= …`")
    } else {
        None
    }
}

/// Something inside of brackets, between `before` and `rest`, that neither goes on nor ends.
pub(super) fn between(before: &str, closer: &str, word: &str, rest: &str) -> Advice {
    if before.ends_with("[for") {
        return say("a comprehension is written `[for x in items: x]`");
    }
    if before.ends_with("{for") || before.ends_with("{ for") {
        return say("a comprehension is written `{ for key, value in map: \"${key}\": value }`");
    }
    match (closer, word) {
        ("}", _) if word == "=" || rest.starts_with('=') => {
            say("entries of a map are written `key: value`")
        }
        (")", "=") => say("`=` gives a name a value in an item, and compares nothing")
            .help("compare with `==`")
            .replace("=="),
        (")" | "]", _) => say(format!("expected `,` or `{closer}` before `{word}`")),
        _ => say(format!("expected a new line, `,` or `{closer}` before `{word}`")),
    }
}

/// Something behind the end of an item: `before` is the text up to it, `line` what stands there.
pub(super) fn behind(before: &str, line: &str, item_words: &[&str]) -> Option<Advice> {
    let last = before.rsplit(|c: char| !is_word(c)).next().unwrap_or("");
    let first: String = line.chars().take_while(|c| is_word(*c)).collect();
    if last == "if" || (first == "then" || first == "else") {
        return Some(say("`if` is written `if condition then a else b`, with all three parts"));
    }
    if line.starts_with('?') && !line.starts_with("??") {
        return Some(say("a choice is written `if condition then a else b`"));
    }
    if let Some(value) = line.strip_prefix('=') {
        let value = value.trim_start();
        return match value.chars().next() {
            Some('\'') => Some(
                say("texts are written in double quotes")
                    .replace(format!("= {}", value.replace('\'', "\""))),
            ),
            Some('"') if value.contains("${") => Some(
                say("a `${…}` in this text is empty or not closed")
                    .help("write `\\${` for the characters themselves"),
            ),
            Some('[' | '{') if value[1..].trim_start().starts_with("for ") => {
                Some(say("a comprehension is written `[for x in items: x]`"))
            }
            Some('=') => Some(say("one `=` gives a name its value")),
            _ => None,
        };
    }
    if line.starts_with('"') && !last.is_empty() {
        let form = format!("{last}\"…\"");
        return Some(Advice {
            gap: Some(""),
            ..say(format!("a tagged text has no blank: `{form}`"))
        });
    }
    let operator = ["+", "-", "*", "/", "==", "!=", "<", ">", "and ", "or ", "??", "."]
        .iter()
        .find(|op| line.starts_with(**op));
    if let Some(operator) = operator {
        let operator = operator.trim();
        return Some(
            say(format!("a line does not begin with `{operator}`"))
                .help(format!("put `{operator}` at the end of the line before")),
        );
    }
    item_words
        .contains(&first.as_str())
        .then(|| Advice { gap: Some("\n"), ..say("a new item starts on a line of its own") })
}
