//! Where what a name means is declared, and where else it is named.

use crate::bytes::is_word;
use crate::definitions::{Definition, Key, Kind};
use crate::project::{Meant, Project};
use dax_core::{FileId, Span};

/// A name in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occurrence {
    /// The name.
    pub span: Span,
    /// What it means.
    pub key: Key,
    /// Whether it is declared here.
    pub declares: bool,
}

impl Project {
    /// The name at a byte of a file.
    pub fn occurrence(&self, file: FileId, at: u32) -> Option<Occurrence> {
        let known = self.known.get(&file)?;
        let covers = |start: u32, end: u32| start <= at && at <= end;
        let span = |start, end| Span { file, start, end };
        // What begins at the place counts before what ends there.
        let used = known
            .meant
            .iter()
            .filter(|meant| covers(meant.start, meant.end))
            .max_by_key(|meant| meant.start);
        if let Some(meant) = used.filter(|meant| !self.declared_here(file, meant)) {
            return Some(Occurrence {
                span: span(meant.start, meant.end),
                key: meant.key,
                declares: false,
            });
        }
        if let Some(definition) =
            known.definitions.iter().rev().find(|known| covers(known.span.start, known.span.end))
        {
            return Some(Occurrence { span: definition.span, key: definition.key, declares: true });
        }
        let local = known.types.iter().find(|typed| covers(typed.span.start, typed.span.end))?;
        Some(Occurrence {
            span: local.span,
            key: Key::of((file, local.span.start)),
            declares: true,
        })
    }

    fn declared_here(&self, file: FileId, meant: &Meant) -> bool {
        let start = Span { file, start: meant.start, end: meant.end };
        self.declared_at(start).is_some_and(|definition| definition.key == meant.key)
    }

    /// The declaration of a key, unless it is a name within one item.
    pub(crate) fn definition(&self, key: Key) -> Option<&Definition> {
        self.known
            .values()
            .flat_map(|known| &known.definitions)
            .find(|definition| definition.key == key)
    }

    /// The declaration of a name within one item.
    pub(crate) fn local(&self, file: FileId, key: Key) -> Option<&dax_sema::Typed> {
        self.known.get(&file)?.types.iter().find(|typed| Key::of((file, typed.span.start)) == key)
    }

    /// Where what stands at a byte is declared; at the name of an import, the first file of its module.
    pub fn declaration(&self, file: FileId, at: u32) -> Option<Span> {
        let here = self.occurrence(file, at)?;
        if let Some(definition) = self.definition(here.key) {
            return match definition.kind {
                Kind::Import if here.declares => self.module_of(definition),
                _ => Some(definition.span),
            };
        }
        self.local(file, here.key).map(|typed| typed.span)
    }

    /// The first file of an imported module.
    pub(crate) fn module_of(&self, import: &Definition) -> Option<Span> {
        let (module, _) = self.loaded.file(import.span.file)?;
        let program = &self.loaded.program;
        let path = self.import_path(import)?;
        let target = program.modules[module.0].imports.get(path.as_str())?;
        let file = program.modules[target.0].files.first()?;
        Some(Span { file: file.id, start: 0, end: 0 })
    }

    /// The path that an import names.
    pub(crate) fn import_path(&self, import: &Definition) -> Option<String> {
        let text = self.loaded.sources.slice(import.whole);
        let (_, rest) = text.split_once('"')?;
        rest.split_once('"').map(|(path, _)| path.to_owned())
    }

    /// Where the type of what stands at a byte is declared.
    pub fn type_declaration(&self, file: FileId, at: u32) -> Option<Span> {
        let here = self.occurrence(file, at)?;
        let definition = self.definition(here.key);
        let written = match definition.map(|definition| definition.kind) {
            Some(Kind::Type) => return definition.map(|definition| definition.span),
            Some(Kind::Service) => "Service".to_owned(),
            Some(Kind::Environment) => "Environment".to_owned(),
            _ => self.type_text(file, here.key)?,
        };
        let from = definition.map_or(file, |definition| definition.span.file);
        let words = written.split(|c: char| !is_word(c)).filter(|word| !word.is_empty());
        words.filter_map(|word| self.type_named(from, word)).map(|ty| ty.span).next()
    }

    /// The type of something declared, as text: what is written, or what was inferred.
    pub(crate) fn type_text(&self, file: FileId, key: Key) -> Option<String> {
        let Some(definition) = self.definition(key) else {
            return self.local(file, key).map(|typed| typed.ty.clone());
        };
        let inferred = self
            .known
            .get(&definition.span.file)?
            .types
            .iter()
            .find(|typed| typed.span == definition.span);
        if let Some(inferred) = inferred {
            return Some(inferred.ty.clone());
        }
        let whole = self.loaded.sources.slice(definition.whole);
        let behind = whole.get((definition.span.end - definition.whole.start) as usize..)?;
        let behind = behind.trim_start().trim_start_matches('?').trim_start().strip_prefix(':')?;
        Some(crate::head::until_default(behind).trim().to_owned())
    }

    /// A type by its name, first as a file sees it.
    fn type_named(&self, file: FileId, name: &str) -> Option<&Definition> {
        let own = self.known.get(&file).map(|known| known.module);
        let all = self.known.values().flat_map(|known| {
            known.definitions.iter().map(move |definition| (known.module, definition))
        });
        let named =
            all.filter(|(_, definition)| definition.kind == Kind::Type && definition.name == name);
        named.min_by_key(|(module, _)| Some(*module) != own).map(|(_, definition)| definition)
    }

    /// Every place that names what stands at a byte, by file and place.
    pub fn references(&self, file: FileId, at: u32, with_declaration: bool) -> Vec<Span> {
        self.occurrence(file, at)
            .map_or_else(Vec::new, |here| self.named(file, here.key, with_declaration))
    }

    /// The places in the same file, with whether each declares it.
    pub fn highlights(&self, file: FileId, at: u32) -> Vec<(Span, bool)> {
        let Some(here) = self.occurrence(file, at) else { return Vec::new() };
        let declared = self.declared(file, here.key);
        let all = self.named(file, here.key, true).into_iter().filter(|span| span.file == file);
        all.map(|span| (span, Some(span) == declared)).collect()
    }

    /// Where a key is declared.
    pub(crate) fn declared(&self, file: FileId, key: Key) -> Option<Span> {
        self.definition(key)
            .map(|definition| definition.span)
            .or_else(|| self.local(file, key).map(|typed| typed.span))
    }

    /// Every place that names a key.
    pub(crate) fn named(&self, file: FileId, key: Key, with_declaration: bool) -> Vec<Span> {
        let used = self
            .known
            .iter()
            .flat_map(|(file, known)| known.meant.iter().map(move |meant| (*file, meant)));
        let mut all: Vec<Span> = used
            .filter(|(_, meant)| meant.key == key)
            .map(|(file, meant)| Span { file, start: meant.start, end: meant.end })
            .collect();
        let declared = self.declared(file, key);
        all.retain(|span| Some(*span) != declared);
        if with_declaration {
            all.extend(declared);
        }
        all.sort_unstable();
        all.dedup();
        all
    }
}
