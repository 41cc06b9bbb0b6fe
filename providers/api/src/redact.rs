//! Masks: texts of services without the values of secrets, in whatever form a program may have
//! written them.
//!
//! A text is looked at through several views, each of which takes one kind of writing back: percent
//! signs, escapes, quotes, base64, hexadecimal digits, line breaks. What is a value there is masked
//! in the text.

mod view;

use aho_corasick::{AhoCorasick, AhoCorasickBuilder, AhoCorasickKind};
use data_encoding::{BASE64, HEXLOWER};
use std::collections::BTreeSet;
use view::View;

/// What stands in place of a value.
pub const MASK: &str = "***";

/// Values of fewer bytes are too common in any text: a line that holds one is masked as a whole.
const SHORT: usize = 4;

/// What finds values of secrets in a text.
///
/// Found are: the value, also in other case and across line breaks; each line of a value of several
/// lines, if it has at least four bytes; the password of a value that is a URL; all of these
/// percent-encoded, with the escapes of JSON, C, HTML and shells, in hexadecimal digits, and in
/// base64 (both alphabets, with and without padding, also in the middle of a longer base64 text).
/// Not found is what a program encrypted, compressed, or cut into pieces.
#[derive(Clone, Debug, Default)]
pub struct Redactor {
    long: Option<Patterns>,
    short: Option<Patterns>,
}

/// The values as each view shows them.
#[derive(Clone, Debug)]
struct Patterns {
    plain: AhoCorasick,
    unquoted: AhoCorasick,
    hex: AhoCorasick,
    base64: AhoCorasick,
}

fn matcher(patterns: &BTreeSet<Vec<u8>>, any_case: bool) -> Option<AhoCorasick> {
    // The kind that is made fastest: it is used once or twice.
    let kind = Some(AhoCorasickKind::NoncontiguousNFA);
    AhoCorasickBuilder::new().kind(kind).ascii_case_insensitive(any_case).build(patterns).ok()
}

/// The base64 characters that a value alone decides, for each place that it can have in a longer
/// text.
fn base64_forms(value: &[u8]) -> Vec<Vec<u8>> {
    let mut forms = Vec::new();
    for before in 0..3 {
        let padded = [&vec![0; before], value].concat();
        let text = BASE64.encode(&padded);
        let inner = &text.as_bytes()[(8 * before).div_ceil(6)..8 * padded.len() / 6];
        if inner.len() >= SHORT {
            forms.push(inner.to_vec());
        }
        if before == 0 {
            forms.push(text.into_bytes());
        }
    }
    forms
}

impl Patterns {
    /// Those of values that all have at least so many bytes.
    fn of(values: &BTreeSet<Vec<u8>>, least: usize) -> Option<Self> {
        if values.is_empty() {
            return None;
        }
        let each = |form: &dyn Fn(&[u8]) -> Vec<u8>| {
            let forms = values.iter().map(|value| form(value));
            forms.filter(|form| !form.is_empty()).collect::<BTreeSet<_>>()
        };
        let no_breaks = each(&|value| view::without(value, view::BREAKS));
        // Of what is little but quotes, the rest stands in any text.
        let mut unquoted = each(&|value| view::without(value, view::QUOTES));
        unquoted.retain(|form| form.len() >= least);
        let hex = each(&|value| HEXLOWER.encode(value).into_bytes());
        let base64 = values.iter().flat_map(|value| base64_forms(value)).collect();
        Some(Self {
            plain: matcher(&no_breaks, true)?,
            unquoted: matcher(&unquoted, true)?,
            hex: matcher(&hex, true)?,
            base64: matcher(&base64, false)?,
        })
    }

    /// Marks every byte of a text that belongs to a value.
    fn mark(&self, text: &[u8], marked: &mut [bool]) {
        let plain = view::plain(text);
        let percent = view::percent(&plain, false);
        let form = view::percent(&plain, true);
        let escapes = view::escapes(&plain);
        let twice = view::escapes(&escapes);
        let (entities, percent_twice) = (view::entities(&plain), view::percent(&percent, false));
        for one in [&plain, &percent, &form, &escapes, &twice, &entities, &percent_twice] {
            mark(&self.plain, one, marked);
            mark(&self.hex, &view::hex(one), marked);
            let digits = view::base64(one);
            let beside = |at: usize, next: usize| digits.is_digit_beside(text, at, next);
            for found in self.base64.find_overlapping_iter(&digits.bytes) {
                // The digits at its ends may hold some bits of the value.
                let (start, end) = (found.start(), found.end());
                let before = usize::from(start > 0 && beside(start - 1, start));
                let after = usize::from(end < digits.bytes.len() && beside(end, end - 1));
                digits.mark(start - before, end + after, marked);
            }
        }
        mark(&self.unquoted, &view::unquoted(&plain), marked);
    }
}

/// Marks what a matcher finds in a view.
fn mark(matcher: &AhoCorasick, view: &View, marked: &mut [bool]) {
    for found in matcher.find_overlapping_iter(&view.bytes) {
        view.mark(found.start(), found.end(), marked);
    }
}

/// The password of a URL, as it stands there and decoded.
fn password(value: &str) -> Vec<Vec<u8>> {
    let Some((_, rest)) = value.split_once("://") else { return Vec::new() };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    // A password may hold what ends an authority, where nobody encoded it.
    let ends = [authority, rest].into_iter().filter_map(|part| part.rsplit_once('@'));
    let passwords = ends.filter_map(|(user, _)| Some(user.split_once(':')?.1.as_bytes().to_vec()));
    let all: Vec<Vec<u8>> = passwords.collect();
    let decoded = all.iter().map(|one| view::percent(&view::plain(one), false).bytes);
    let decoded: Vec<Vec<u8>> = decoded.collect();
    all.into_iter().chain(decoded).collect()
}

impl Redactor {
    /// What finds these values.
    pub fn new<S: AsRef<str>>(values: impl IntoIterator<Item = S>) -> Self {
        let (mut long, mut short) = (BTreeSet::new(), BTreeSet::new());
        for value in values {
            let value = value.as_ref();
            for whole in [value, value.trim()] {
                let set = if whole.len() < SHORT { &mut short } else { &mut long };
                set.insert(whole.as_bytes().to_vec());
            }
            let lines = value.lines().map(|line| line.trim().as_bytes().to_vec());
            long.extend(lines.chain(password(value)).filter(|part| part.len() >= SHORT));
        }
        short.remove(&Vec::new());
        Self { long: Patterns::of(&long, SHORT), short: Patterns::of(&short, 1) }
    }

    /// A text with every value masked; its lines stay lines.
    pub fn redact(&self, text: &str) -> String {
        let bytes = text.as_bytes();
        let mut marked = vec![false; bytes.len()];
        if let Some(long) = &self.long {
            long.mark(bytes, &mut marked);
        }
        if let Some(short) = &self.short {
            let mut start = 0;
            for line in text.split_inclusive('\n') {
                let end = start + line.len();
                let mut found = vec![false; line.len()];
                short.mark(line.as_bytes(), &mut found);
                if found.contains(&true) {
                    marked[start..end].fill(true);
                }
                start = end;
            }
        }
        masked(text, &marked)
    }
}

/// The text with each run of marked bytes as one mask; line breaks stay.
fn masked(text: &str, marked: &[bool]) -> String {
    let mut out = String::with_capacity(text.len());
    let mut in_mask = false;
    for (at, character) in text.char_indices() {
        let hidden = marked[at..at + character.len_utf8()].contains(&true);
        if character == '\n' || !hidden {
            out.push(character);
            in_mask = false;
        } else if !in_mask {
            out.push_str(MASK);
            in_mask = true;
        }
    }
    out
}

#[cfg(test)]
mod tests;
