//! What may be written at the cursor.
//!
//! Words of the language are known from the text before it. For everything else the item is repaired as far as it has to be,
//! a name of our own is put where the cursor stands, and the checker says what would fit there.

mod context;
mod texts;

use crate::bytes::is_word;
use crate::project::Project;
use crate::words::{self, Word};
pub(crate) use context::Context;
use dax_core::{FileId, Span, Unit};
use dax_sema::{CURSOR, Offer, OfferKind};
use dax_syntax::ast::ItemKind;

/// What a proposal is, for its picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum ProposalKind {
    Snippet,
    Keyword,
    Field,
    Value,
    Function,
    Module,
    Type,
    Item,
    Constant,
    Unit,
    File,
    Metric,
}

/// Something that may be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// What it is called.
    pub label: String,
    /// What it is.
    pub kind: ProposalKind,
    /// Its type or form.
    pub detail: String,
    /// What is inserted, with gaps as `${1:name}`.
    pub insert: String,
    /// What is known of it at once.
    pub about: String,
    /// Where it is declared, for whoever wants to know more.
    pub declared: Option<Span>,
    /// What is most likely meant comes first: 0 before 9.
    pub rank: u8,
}

impl Proposal {
    /// One that is inserted as it is called, and of which no more is known.
    fn plain(label: impl Into<String>, kind: ProposalKind, rank: u8) -> Self {
        let label = label.into();
        let (detail, about) = (String::new(), String::new());
        Self { insert: label.clone(), label, kind, detail, about, declared: None, rank }
    }
}

/// Proposals, and the bytes that each would replace.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Completion {
    /// What is replaced.
    pub range: std::ops::Range<usize>,
    /// What may be written instead.
    pub proposals: Vec<Proposal>,
}

impl Project {
    /// What may be written at a byte of a file.
    pub fn complete(&mut self, file: FileId, at: usize) -> Completion {
        let text = self.text(file).to_owned();
        if !text.is_char_boundary(at) {
            return Completion::default();
        }
        let context = Context::of(&text, at);
        if context.comment {
            return Completion::default();
        }
        if let Some(quoted) = context.quoted {
            return self.complete_text(file, &text, &context, quoted);
        }
        let mut completion = Completion { range: context.word..at, proposals: Vec::new() };
        let head = context.head(&text);
        // A number wants its unit.
        if text[context.word..at].starts_with(|c: char| c.is_ascii_digit()) {
            completion.proposals = self.units(file, &text, &context);
            return completion;
        }
        let all = &mut completion.proposals;
        // A dotted name that is being written is one word.
        let dotted = head.ends_with('.');
        let before =
            if dotted { head.trim_end_matches(|c: char| is_word(c) || c == '.') } else { head };
        let words = Context::words(before);
        let outer = context.outer(&text);
        let known: &[Word] = match (context.open.len(), outer) {
            (0, _) if text[..context.word].ends_with('\n') || context.word == 0 => words::ITEMS,
            (1, "environment") => words::ENVIRONMENT,
            (1, "policy") => words::POLICY,
            (1, "test") => words::TEST,
            _ => &[],
        };
        if words.is_empty() && !known.is_empty() {
            all.extend(known.iter().map(|word| form(word, 1)));
            return completion;
        }
        if context.open.len() <= 1 && !dotted {
            all.extend(next_words(&words).iter().map(|word| keyword(word, 0)));
        }
        let layered = matches!(outer, "service" | "patch" | "environment" | "resource");
        if layered && head.trim_end().ends_with('=') && !context.open.is_empty() {
            all.extend(words::STRENGTHS.iter().map(|word| Proposal {
                insert: word.form.to_owned(),
                about: word.about.to_owned(),
                ..keyword(word.word, 7)
            }));
        }
        let behind = suffix(&context, &text, &words, outer);
        let offers = self.offers_at(file, &text, &context, behind);
        all.extend(offers.iter().map(|offer| proposal(offer, &context, &text)));
        sort(all);
        completion
    }

    /// What the checker would take at the cursor, once the item around it can be read.
    fn offers_at(
        &mut self,
        file: FileId,
        text: &str,
        context: &Context,
        behind: &str,
    ) -> Vec<Offer> {
        let outer = context.outer(text);
        let rest = text[context.at..].trim_start_matches(is_word);
        let rest = &rest[..context.item.end.saturating_sub(text.len() - rest.len())];
        let line_end = rest.find('\n').unwrap_or(rest.len());
        let alone = rest[..line_end].trim().is_empty();
        let behind = if alone { behind } else { "" };
        let before = &text[context.item.start..context.word];
        let mut closers = context.closers();
        if outer == "fn"
            && context.open.first().is_some_and(|open| open.bracket == '(')
            && !text[context.item.start..context.at].contains("->")
        {
            closers.push_str(" -> int = 0");
        }
        let whole = format!("{before}{CURSOR}{behind}{rest}");
        let cut = format!("{before}{CURSOR}{behind}{closers}\n");
        // Only what was opened, and what is being written.
        let mut bones = String::new();
        for (at, open) in context.open.iter().enumerate() {
            let from = if at == 0 { context.item.start } else { open.member };
            bones.push_str(&text[from..=open.at]);
            bones.push('\n');
        }
        if context.open.is_empty() {
            bones.push_str(before);
        } else {
            bones.push_str(context.head(text));
        }
        let bones = format!("{bones}{CURSOR}{behind}{closers}\n");
        for repaired in [whole, cut, bones] {
            let trial =
                format!("{}{repaired}{}", &text[..context.item.start], &text[context.item.end..]);
            let offers = self.offers_in(file, &trial, context.word);
            if !offers.is_empty() {
                return offers;
            }
        }
        Vec::new()
    }

    /// What may stand at the cursor of a text, if its item can be read.
    fn offers_in(&mut self, file: FileId, trial: &str, at: usize) -> Vec<Offer> {
        let (mut parsed, _) = dax_syntax::parse(file, trial);
        let at = u32::try_from(at).unwrap_or(u32::MAX);
        let readable = parsed.items.iter().any(|item| {
            item.span.start <= at
                && at <= item.span.end
                && !matches!(item.kind, ItemKind::Broken(_))
        });
        if !readable {
            return Vec::new();
        }
        let Some(there) = self.loaded.file_mut(file) else { return Vec::new() };
        std::mem::swap(there, &mut parsed);
        let offers = dax_sema::offers(&self.loaded.program, file);
        if let Some(there) = self.loaded.file_mut(file) {
            std::mem::swap(there, &mut parsed);
        }
        offers
    }

    /// A number with each unit that is wanted at its place, or with any.
    fn units(&mut self, file: FileId, text: &str, context: &Context) -> Vec<Proposal> {
        let number =
            text[context.word..context.at].trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let offers = self.offers_at(file, text, context, "");
        let wanted: Vec<Unit> = offers
            .iter()
            .filter(|offer| offer.kind == OfferKind::Quantity)
            .filter_map(|offer| Unit::from_type_name(&offer.ty))
            .collect();
        let units =
            wanted.into_iter().flat_map(|unit| unit.suffixes().map(move |suffix| (unit, suffix)));
        units
            .enumerate()
            .map(|(at, (unit, suffix))| Proposal {
                detail: unit.type_name().to_owned(),
                ..Proposal::plain(
                    format!("{number}{suffix}"),
                    ProposalKind::Unit,
                    u8::try_from(at).unwrap_or(9).min(9),
                )
            })
            .collect()
    }

    /// More about a proposal, by where it is declared.
    pub fn about(&self, declared: Span) -> Option<String> {
        self.declared_at(declared).map(|definition| self.describe(definition))
    }
}

fn sort(all: &mut [Proposal]) {
    all.sort_by(|a, b| (a.rank, &a.label).cmp(&(b.rank, &b.label)));
}

fn form(word: &Word, rank: u8) -> Proposal {
    Proposal {
        detail: words::plain(word.form)
            .lines()
            .next()
            .unwrap_or_default()
            .trim_end_matches('{')
            .trim_end()
            .to_owned(),
        insert: word.form.to_owned(),
        about: word.about.to_owned(),
        ..Proposal::plain(word.word, ProposalKind::Snippet, rank)
    }
}

fn keyword(word: &str, rank: u8) -> Proposal {
    Proposal::plain(word, ProposalKind::Keyword, rank)
}

/// The words of the language that come behind those of an item or of a member of an environment.
fn next_words(words: &[&str]) -> &'static [&'static str] {
    match words {
        ["import" | "adopt", _] => &["from"],
        ["secret", rest @ ..]
            if !rest.is_empty()
                && !rest.contains(&"from")
                && !rest.last().is_some_and(|last| last.ends_with(':')) =>
        {
            &["from"]
        }
        ["service", _] => &["external"],
        ["environment", _] => &["extends"],
        ["provider", _] | ["bind", _, "to", _] => &["keyed"],
        ["provider", _, "keyed", _] => &["in"],
        ["policy", _] => &["on"],
        ["policy", _, "on", _] | ["approve" | "release", _] => &["of"],
        ["moved" | "bind", _] => &["to"],
        ["rollout", _] => &["with"],
        ["protect", _] => &["from"],
        ["protect", _, "from"] => &["destroy"],
        ["on"] => &["failure"],
        ["deny" | "warn", _] => &["in", "where"],
        ["deny" | "warn", _, "in", _] => &["where"],
        _ => &[],
    }
}

/// What has to stand behind the cursor so that its clause can be read.
fn suffix(context: &Context, text: &str, words: &[&str], outer: &str) -> &'static str {
    let entry = words.is_empty() && context.in_map(text);
    match (context.open.len(), outer, words) {
        _ if entry => ": 0",
        (0, _, ["provider"]) if !context.head(text).contains('.') => ".x { }",
        (0, _, ["let", name]) if name.ends_with(':') => " = 0",
        (0, _, ["provider"]) => " { }",
        (0, _, ["resource"]) if context.head(text).contains('.') => " y { }",
        (0, _, ["resource"]) => ".x y { }",
        (0, _, ["patch"] | ["environment", _, "extends"]) => " { }",
        (0, _, ["policy", ..]) => " { }",
        (1, "environment", ["bind"]) => " to x.y",
        (1, "environment", ["set"]) => " { }",
        (1, "environment", ["rollout"]) => " with x",
        (1, "environment", ["protect"]) => " from destroy",
        (1, "policy", ["deny" | "warn", .., "in"]) => " where true { message = \"x\" }",
        (1, "policy", ["deny" | "warn", .., _]) => " { message = \"x\" }",
        _ => "",
    }
}

fn proposal(offer: &Offer, context: &Context, text: &str) -> Proposal {
    let name = offer.name.as_str();
    let assigned = text[context.at..].trim_start_matches(is_word).trim_start();
    let has = |mark: char| assigned.starts_with(mark);
    let (kind, insert) = match offer.kind {
        OfferKind::Field if has('=') => (ProposalKind::Field, name.to_owned()),
        OfferKind::Field => (ProposalKind::Field, format!("{name} = $0")),
        OfferKind::Command => (ProposalKind::Field, format!("{name} $0")),
        OfferKind::Entry | OfferKind::Parameter if has(':') => {
            (ProposalKind::Field, name.to_owned())
        }
        OfferKind::Entry | OfferKind::Parameter => (ProposalKind::Field, format!("{name}: $0")),
        OfferKind::Argument => (ProposalKind::Field, format!("{name} $0")),
        OfferKind::Literal if context.quoted.is_some() => (ProposalKind::Constant, name.to_owned()),
        OfferKind::Literal if name == "promql" => {
            (ProposalKind::Constant, "promql\"$0\"".to_owned())
        }
        OfferKind::Literal => (ProposalKind::Constant, format!("{name:?}")),
        OfferKind::Keyword => (ProposalKind::Keyword, name.to_owned()),
        OfferKind::Quantity => (ProposalKind::Unit, name.to_owned()),
        OfferKind::Value => (ProposalKind::Value, name.to_owned()),
        OfferKind::Member => (ProposalKind::Field, name.to_owned()),
        OfferKind::Function if has('(') => (ProposalKind::Function, name.to_owned()),
        OfferKind::Function => (ProposalKind::Function, format!("{name}($0)")),
        OfferKind::Module => (ProposalKind::Module, name.to_owned()),
        OfferKind::Type => (ProposalKind::Type, name.to_owned()),
        OfferKind::Item => (ProposalKind::Item, name.to_owned()),
    };
    let rank = match (offer.wanted, offer.kind) {
        (true, OfferKind::Function) => 4,
        (true, _) => 0,
        (_, OfferKind::Argument | OfferKind::Parameter) => 1,
        (_, OfferKind::Field | OfferKind::Command | OfferKind::Entry | OfferKind::Member) => 2,
        (_, OfferKind::Function) => 8,
        _ => 6,
    };
    Proposal {
        detail: offer.ty.clone(),
        insert,
        declared: offer.declared,
        ..Proposal::plain(name, kind, rank)
    }
}
