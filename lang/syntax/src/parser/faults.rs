//! What is said about text that fits no rule: the codes 1xxx.

use super::{Lower, advice};
use crate::tree::{self, Kind};
use dax_core::{Code, Diagnostic, Span};

/// Text that starts no item. Explained in docs/diagnostics/DAX1001.md.
pub const BAD_ITEM: Code = Code::error(1001, "this starts no item");
/// A line inside braces that is neither a field nor a command. Explained in docs/diagnostics/DAX1002.md.
pub const BAD_MEMBER: Code = Code::error(1002, "this is neither a field nor a command");
/// A bracket that is never closed. Explained in docs/diagnostics/DAX1003.md.
pub const NOT_CLOSED: Code = Code::error(1003, "a bracket is not closed");
/// A text that is never closed. Explained in docs/diagnostics/DAX1004.md.
pub const STRING_NOT_CLOSED: Code = Code::error(1004, "a text is not closed");
/// Something after the end of an item. Explained in docs/diagnostics/DAX1005.md.
pub const STRAY: Code = Code::error(1005, "this does not belong to the item above");
/// A suffix that is no unit. Explained in docs/diagnostics/DAX1006.md.
pub const UNKNOWN_UNIT: Code = Code::error(1006, "unknown unit");
/// A number beyond what can be held. Explained in docs/diagnostics/DAX1007.md.
pub const NUMBER_TOO_LARGE: Code = Code::error(1007, "the number is too large");
/// An escape that is not known. Explained in docs/diagnostics/DAX1008.md.
pub const UNKNOWN_ESCAPE: Code = Code::error(1008, "unknown escape");
/// `a < b < c`. Explained in docs/diagnostics/DAX1009.md.
pub const CHAINED_COMPARISON: Code = Code::error(1009, "comparisons do not chain");
/// A tagged text with `${…}`. Explained in docs/diagnostics/DAX1010.md.
pub const TAGGED_INTERPOLATION: Code = Code::error(1010, "a tagged text holds no interpolation");
/// Brackets nested deeper than the parser goes. Explained in docs/diagnostics/DAX1011.md.
pub const TOO_DEEP: Code = Code::error(1011, "brackets nest too deep");
/// A `fn` or `type` item of the wrong form. Explained in docs/diagnostics/DAX1012.md.
pub const MALFORMED: Code = Code::error(1012, "the declaration is incomplete");

/// Every code of this crate.
pub const CODES: &[Code] = &[
    BAD_ITEM,
    BAD_MEMBER,
    NOT_CLOSED,
    STRING_NOT_CLOSED,
    STRAY,
    UNKNOWN_UNIT,
    NUMBER_TOO_LARGE,
    UNKNOWN_ESCAPE,
    CHAINED_COMPARISON,
    TAGGED_INTERPOLATION,
    TOO_DEEP,
    MALFORMED,
    crate::hidden::DECEIVES,
];

/// Where the bad text stands.
#[derive(Clone, Copy, PartialEq)]
pub(super) enum Place {
    Item,
    Member,
}

impl Lower<'_> {
    pub(super) fn bad(&mut self, node: usize, place: Place) {
        let span = self.first_line(node);
        if let Some(at) = self.chunk.too_deep {
            let start = u32::try_from(at).unwrap_or(u32::MAX);
            let deep = Span { start, end: start + 1, ..span };
            let detail = format!("more than {} brackets are open here", crate::split::MAX_DEPTH);
            self.diagnostics.push(
                Diagnostic::new(TOO_DEEP, deep, detail)
                    .help("give the inner part a name with `let`"),
            );
            return;
        }
        let text = self.slice(node);
        if place == Place::Item
            && self.tree.nodes.len() == 2
            && text.starts_with(|c: char| c.is_ascii_alphabetic())
        {
            // A word begins it and the grammar takes any word, so it was the depth that the parser refused.
            let help = "give the inner part a name with `let`";
            self.diagnostics.push(
                Diagnostic::new(TOO_DEEP, span, "the parts of this item nest too deep").help(help),
            );
            return;
        }
        if let Some(said) = advice::misplaced(text) {
            let (code, start) = if place == Place::Item {
                (BAD_ITEM, span.start)
            } else {
                (BAD_MEMBER, span.start)
            };
            self.diagnostics.push(said.at(code, Span { start, ..span }));
            return;
        }
        if self.open_block(text, span) {
            return;
        }
        if let Some(at) = open_quote(text.lines().next().unwrap_or("")) {
            let at = span.start + u32::try_from(at).unwrap_or(0);
            let diagnostic = Diagnostic::new(STRING_NOT_CLOSED, Span { start: at, ..span }, "the closing quote is missing")
                .help("end the text with the same quotes on this line, or start it with `\"\"\"` to write several lines")
                .fix(span.end_point(), "\"");
            self.diagnostics.push(diagnostic);
            return;
        }
        let (code, rule) =
            if place == Place::Item { (BAD_ITEM, Kind::field) } else { (BAD_MEMBER, Kind::field) };
        let fault = if text.contains('=') { tree::first_fault(rule, text) } else { None };
        let (span, detail) = match fault {
            Some((at, expected)) if at > 0 => {
                let start = span.start + u32::try_from(at).unwrap_or(0);
                (
                    Span { start: start.min(span.end), ..span },
                    format!("expected {} here", words(&expected)),
                )
            }
            _ if place == Place::Item => {
                (span, "an item starts with a word in the first column".to_owned())
            }
            _ => (span, "expected `name = value` or `word argument`".to_owned()),
        };
        let diagnostic = Diagnostic::new(code, span, detail);
        self.diagnostics.push(match place {
            Place::Item => diagnostic.help(
                "items are import, param, let, fn, type, secret, provider, service, resource, strategy, environment, patch, policy, test",
            ),
            Place::Member => diagnostic,
        });
    }

    pub(super) fn malformed(&mut self, node: usize, rule: Kind) {
        let text =
            &self.text[self.chunk.start + self.tree.nodes[node].start as usize..self.chunk.end];
        let span = self.first_line(node);
        let (at, expected) = tree::first_fault(rule, text).unwrap_or((0, Vec::new()));
        let start = (span.start + u32::try_from(at).unwrap_or(0)).min(span.end);
        let form = if rule == Kind::fn_item {
            "fn name(a: int, b: string) -> string = …"
        } else {
            "type Name = { field: string }"
        };
        let line = text.lines().next().unwrap_or("");
        let detail = match advice::declaration(line, rule == Kind::fn_item) {
            Some(detail) => detail.to_owned(),
            None => format!("expected {} here", words(&expected)),
        };
        self.diagnostics.push(
            Diagnostic::new(MALFORMED, Span { start, ..span }, detail)
                .help(format!("write `{form}`")),
        );
    }

    pub(super) fn not_closed(&mut self, node: usize, closer: &str) {
        let at = self.span(node).end_point();
        let before = &self.text[..at.start as usize];
        let end = u32::try_from(before.trim_end().len()).unwrap_or(at.start);
        let span = Span { start: end, end, ..at };
        // An inner bracket that is open leaves the outer ones open too: one message is enough.
        let known = |d: &Diagnostic| {
            d.code == NOT_CLOSED && d.span.start >= span.start && d.span.start <= span.end + 1
        };
        if self.diagnostics.iter().any(known) {
            return;
        }
        if let Some((skipped, word)) = self.follows(end) {
            let start = end + skipped;
            let next = Span { start, end: start + u32::try_from(word.len()).unwrap_or(1), ..at };
            let before = &self.text[..end as usize];
            let rest = self.text[start as usize + word.len()..self.chunk.end].trim_start();
            self.diagnostics.push(advice::between(before, closer, word, rest).at(NOT_CLOSED, next));
            return;
        }
        let diagnostic = Diagnostic::new(NOT_CLOSED, span, format!("`{closer}` is missing"));
        self.diagnostics.push(diagnostic.fix(span, if closer == "}" { "\n}" } else { closer }));
    }

    /// What stands behind a byte on the same line and in the same item: the blanks in between, and its first word.
    pub(super) fn follows(&self, at: u32) -> Option<(u32, &str)> {
        let rest = &self.text[at as usize..self.chunk.end];
        let line = rest.split('\n').next().unwrap_or("");
        let content = line.trim_start();
        if content.trim().is_empty() || content.starts_with('#') {
            return None;
        }
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let end = match content.find(|c: char| !word(c)) {
            Some(0) => content.chars().next().map_or(1, char::len_utf8),
            Some(end) => end,
            None => content.len(),
        };
        Some((u32::try_from(line.len() - content.len()).unwrap_or(0), &content[..end]))
    }

    /// Whether a text of several lines is left open, and says so.
    fn open_block(&mut self, text: &str, span: Span) -> bool {
        let line = text.lines().next().unwrap_or("");
        let Some(at) = line.find("\"\"\"").filter(|_| text.matches("\"\"\"").count() % 2 == 1)
        else {
            return false;
        };
        let start = span.start + u32::try_from(at).unwrap_or(0);
        let diagnostic = Diagnostic::new(
            STRING_NOT_CLOSED,
            Span { start, end: start + 3, ..span },
            "the closing `\"\"\"` is missing",
        );
        self.diagnostics.push(diagnostic.help("end the text with `\"\"\"` on a line of its own"));
        true
    }

    pub(super) fn stray(&mut self, item: usize, node: usize) {
        let span = self.first_line(node);
        let text = self.slice(node);
        let line = text.lines().next().unwrap_or("");
        let item_start = self.chunk.start + self.tree.nodes[item].start as usize;
        let line_start = self.text[..item_start].rfind('\n').map_or(0, |at| at + 1);
        if line_start < item_start && self.text[line_start..item_start].trim().is_empty() {
            let file = span.file;
            let place = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
            let blanks = Span { file, start: place(line_start), end: place(item_start) };
            let diagnostic = Diagnostic::new(
                BAD_ITEM,
                self.first_line(item),
                "an item starts in the first column",
            );
            self.diagnostics
                .push(diagnostic.help("take the blanks before it away").fix(blanks, ""));
            return;
        }
        if self.open_block(text, span) {
            return;
        }
        if let Some(at) = open_quote(line) {
            let at = span.start + u32::try_from(at).unwrap_or(0);
            let diagnostic = Diagnostic::new(
                STRING_NOT_CLOSED,
                Span { start: at, ..span },
                "the closing quote is missing",
            );
            self.diagnostics.push(diagnostic.fix(span.end_point(), "\""));
            return;
        }
        let before = self.text[..span.start as usize].trim_end();
        if let Some(said) = advice::behind(before, line, crate::split::ITEM_WORDS) {
            let gap = Span {
                start: u32::try_from(before.len()).unwrap_or(span.start),
                end: span.start,
                ..span
            };
            let diagnostic = said.between(STRAY, span, gap);
            let head = self.first_line(item);
            self.diagnostics.push(diagnostic.related(head, "the item starts here"));
            return;
        }
        let detail = match line.chars().next().unwrap_or(' ') {
            first @ ('}' | ']' | ')') => format!("`{first}` closes nothing"),
            '=' => "expected a value after `=`".to_owned(),
            _ => "expected the end of the line".to_owned(),
        };
        let label = "the item starts here";
        let head = self.first_line(item);
        self.diagnostics.push(Diagnostic::new(STRAY, span, detail).related(head, label));
    }

    fn first_line(&self, node: usize) -> Span {
        let span = self.span(node);
        let text = self.slice(node);
        let line = text.lines().next().unwrap_or("").trim_end();
        Span { end: span.start + u32::try_from(line.len()).unwrap_or(0), ..span }
    }
}

/// Where a quote opens that the line does not close.
fn open_quote(line: &str) -> Option<usize> {
    let mut open = None;
    let mut bytes = line.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' if open.is_some() => {
                bytes.next();
            }
            b'"' => open = if open.is_some() { None } else { Some(at) },
            b'#' if open.is_none() => break,
            _ => {}
        }
    }
    open
}

/// Rule names as a reader knows them.
fn words(expected: &[Kind]) -> String {
    let mut words: Vec<&str> = expected
        .iter()
        .map(|kind| match kind {
            Kind::expr
            | Kind::unary
            | Kind::list
            | Kind::map
            | Kind::string
            | Kind::number
            | Kind::name
            | Kind::paren
            | Kind::if_expr
            | Kind::mark
            | Kind::prefix
            | Kind::minus => "a value",
            Kind::ty | Kind::ty_alt | Kind::ty_name | Kind::ty_record | Kind::ty_paren => "a type",
            Kind::path | Kind::ident => "a name",
            Kind::assign => "`=`",
            Kind::params => "`(`",
            Kind::fn_param => "a parameter `name: type`",
            Kind::op | Kind::get | Kind::call | Kind::index => "an operator",
            Kind::EOI => "the end of the line",
            _ => "something else",
        })
        .collect();
    words.sort_unstable();
    words.dedup();
    if words.len() > 1 {
        words.retain(|word| *word != "something else");
    }
    match words.as_slice() {
        [] => "something else".to_owned(),
        [one] => (*one).to_owned(),
        [rest @ .., last] => format!("{} or {last}", rest.join(", ")),
    }
}
