//! What is told of a place: what a name means, its type, its comment, and the value that each environment gives it.

use crate::bytes::is_word;
use crate::definitions::{Definition, Kind};
use crate::head;
use crate::project::{Project, params};
use crate::tokens::{TYPES, tokens};
use crate::words::{self, Word};
use dax_core::{FileId, Name, Span};
use dax_ir::{Layer, Node, Origin, Via};
use std::fmt::Write;

/// What is told, in Markdown, and of what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hover {
    /// The place that it is about.
    pub span: Span,
    /// The text.
    pub text: String,
}

/// A value is cut behind so many characters.
const LONGEST: usize = 120;

impl Project {
    /// What is to be told of a byte of a file.
    pub fn hover(&self, file: FileId, at: u32) -> Option<Hover> {
        let Some(here) = self.occurrence(file, at) else {
            return self.hover_key(file, at).or_else(|| self.hover_word(file, at));
        };
        let mut text = match self.definition(here.key) {
            Some(definition) => self.describe(definition),
            None => {
                let local = self.local(file, here.key)?;
                code(&format!("{}: {}", self.loaded.sources.slice(local.span), local.ty))
            }
        };
        text.push_str(&self.effective(file, at));
        Some(Hover { span: here.span, text })
    }

    /// A declaration as it is shown: its first line, its type, its comment.
    pub(crate) fn describe(&self, definition: &Definition) -> String {
        let mut text = code(&self.headline(definition));
        if let Some(ty) = self.type_text(definition.span.file, definition.key)
            && let Some(when) = phase(&ty)
        {
            let _ = write!(text, "\n{when}\n");
        }
        if let Some(doc) = &definition.doc {
            let _ = write!(text, "\n{doc}\n");
        }
        let std = self.is_std(definition.span.file);
        if std || matches!(definition.kind, Kind::Service | Kind::Resource) {
            let name = self.name(definition.span.file).trim_end_matches(".dax");
            let _ = write!(
                text,
                "\n*{}*\n",
                if std { name.to_owned() } else { format!("in {name}.dax") }
            );
        }
        text
    }

    /// The first line of a declaration, with the type where nobody wrote it.
    pub(crate) fn headline(&self, definition: &Definition) -> String {
        let whole = self.loaded.sources.slice(definition.whole);
        match definition.kind {
            Kind::Type => shortened(whole, 12),
            Kind::Let => {
                let line = head::first_line(whole);
                let inferred = self.known.get(&definition.span.file).and_then(|known| {
                    known
                        .types
                        .iter()
                        .find(|typed| typed.span == definition.span)
                        .map(|typed| typed.ty.clone())
                });
                match (inferred, line.split_once('=')) {
                    (Some(ty), Some((name, value))) => {
                        format!("{}: {ty} ={value}", name.trim_end())
                    }
                    _ => line,
                }
            }
            Kind::Field | Kind::Parameter => {
                let of = definition.of.as_deref().map_or_else(String::new, |of| format!("{of}."));
                format!("{of}{}", shortened(whole, 6))
            }
            Kind::Param | Kind::Secret => shortened(whole, 6),
            _ => head::first_line(whole),
        }
    }

    /// The value that each environment gives the field at a byte, and where it came from.
    fn effective(&self, file: FileId, at: u32) -> String {
        let Some(field) = self.service_field(file, at) else { return String::new() };
        let all =
            dax_sema::effective(&self.loaded.program, &params(), field.module, &[field.service]);
        let all = all.into_iter().flatten().collect::<Vec<_>>();
        let mut text = String::new();
        if field.path.is_empty() {
            let names: Vec<String> = all.iter().map(|(name, _)| format!("`{name}`")).collect();
            if !names.is_empty() {
                let _ = write!(text, "\nruns in {}\n", names.join(", "));
            }
            return text;
        }
        let wanted = all
            .iter()
            .filter(|(name, _)| field.environment.as_ref().is_none_or(|only| only == name));
        for (environment, node) in wanted {
            let Some(value) =
                field.path.iter().try_fold(node, |node: &Node, key: &Name| node.get(key))
            else {
                continue;
            };
            let shown = cut(&value.value().to_string());
            let _ = write!(text, "\n- {environment}: `{shown}`{}", self.provenance(value.origin));
        }
        if text.is_empty() { text } else { format!("\n---{text}\n") }
    }

    pub(crate) fn provenance(&self, origin: Origin) -> String {
        let strength = match origin.layer {
            Layer::Default => "default, ",
            Layer::Override => "override, ",
            Layer::Sealed => "sealed, ",
            Layer::Type | Layer::Plain => "",
        };
        let place = self.loaded.sources.location(origin.span);
        match origin.via {
            Via::Type => " (default of the type)".to_owned(),
            Via::Item => format!(" ({strength}{place})"),
            Via::Patch => format!(" ({strength}patch, {place})"),
            Via::Set => format!(" ({strength}set, {place})"),
        }
    }

    /// A key of a map that a service has.
    fn hover_key(&self, file: FileId, at: u32) -> Option<Hover> {
        let values = self.effective(file, at);
        let text = self.text(file);
        let start = text.get(..at as usize)?.trim_end_matches(is_word).len();
        let end = text.len() - text.get(at as usize..)?.trim_start_matches(is_word).len();
        let span = Span { file, start: u32::try_from(start).ok()?, end: u32::try_from(end).ok()? };
        (!values.is_empty() && start < end)
            .then(|| Hover { span, text: format!("{}{values}", code(&text[start..end])) })
    }

    /// A word of the language, or a number with its unit.
    fn hover_word(&self, file: FileId, at: u32) -> Option<Hover> {
        let text = self.text(file);
        let token = tokens(text)
            .into_iter()
            .find(|token| token.range.start <= at as usize && (at as usize) < token.range.end)?;
        let span = Span {
            file,
            start: u32::try_from(token.range.start).ok()?,
            end: u32::try_from(token.range.end).ok()?,
        };
        let said = text.get(token.range)?;
        let told = |word: &Word| format!("{}\n{}\n", code(&words::plain(word.form)), word.about);
        let text = match TYPES[token.kind] {
            "number" => unit(said)?,
            "keyword" | "property" | "modifier" => {
                let top = text[..span.start as usize].ends_with('\n') || span.start == 0;
                let lists: &[&[Word]] = if top {
                    &[words::ITEMS]
                } else {
                    &[words::ENVIRONMENT, words::POLICY, words::TEST, words::STRENGTHS]
                };
                told(lists.iter().flat_map(|list| list.iter()).find(|word| word.word == said)?)
            }
            _ => return None,
        };
        Some(Hover { span, text })
    }
}

fn code(text: &str) -> String {
    format!("```dax\n{text}\n```\n")
}

/// When a value of a type is known, where that is not at once.
fn phase(ty: &str) -> Option<&'static str> {
    match ty.split('<').next() {
        Some("Static") => Some("Has to be known from the program and its parameters."),
        Some("Plan") => Some("Known when the state and the world were read."),
        Some("Apply") => Some("Known while the plan is carried out."),
        _ => None,
    }
}

fn unit(number: &str) -> Option<String> {
    let suffix = number.trim_start_matches(|c: char| c.is_ascii_digit() || c == '.' || c == '_');
    let unit = dax_core::Unit::ALL
        .into_iter()
        .find(|unit| unit.suffixes().any(|known| known == suffix))?;
    let others: Vec<&str> = unit.suffixes().collect();
    Some(format!(
        "{}\nUnits: {}\n",
        code(&format!("{number}: {}", unit.type_name())),
        others.join(", ")
    ))
}

/// The first lines of a text that may be long.
fn shortened(text: &str, lines: usize) -> String {
    let all: Vec<&str> = text.lines().collect();
    if all.len() <= lines {
        return text.trim_end().to_owned();
    }
    format!("{}\n  …", all[..lines].join("\n"))
}

fn cut(text: &str) -> String {
    let flat = text.replace('`', "'");
    if flat.chars().count() <= LONGEST {
        return flat;
    }
    flat.chars().take(LONGEST).chain(['…']).collect()
}
