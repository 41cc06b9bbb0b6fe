//! A project as an editor has it: loaded once, changed file by file, and checked again as far as a change reaches.
//!
//! A file whose items look the same to others is checked alone; any other change has the whole project checked. What takes
//! values to find is computed in a step of its own, which may be given up at any time.

use crate::definitions::{Definition, Key, definitions};
use crate::interface::interface;
use dax_core::{Diagnostic, FileId, Span};
use dax_project::{FileSystem, Loaded, Missing, Params, ProjectError};
use dax_sema::{ModuleId, Typed};
use std::collections::{BTreeMap, BTreeSet};

/// A name in a file and what it means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Meant {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) key: Key,
}

/// What is known of a file.
#[derive(Debug, Default)]
pub(crate) struct Known {
    /// The module that it belongs to.
    pub(crate) module: ModuleId,
    interface: Option<Key>,
    pub(crate) definitions: Vec<Definition>,
    /// By place.
    pub(crate) meant: Vec<Meant>,
    /// Types that nobody wrote.
    pub(crate) types: Vec<Typed>,
    /// What is wrong with its items, each by itself.
    items: Vec<Diagnostic>,
}

/// What has to be looked at again.
#[derive(Debug)]
enum Stale {
    Files(BTreeSet<FileId>),
    All,
}

/// A project that is open in an editor.
#[derive(Debug)]
pub struct Project {
    pub(crate) loaded: Loaded,
    pub(crate) known: BTreeMap<FileId, Known>,
    /// What only all files together show.
    whole: Vec<Diagnostic>,
    /// What only values show.
    computed: Vec<Diagnostic>,
    stale: Option<Stale>,
    uncomputed: bool,
    pub(crate) nearby: Nearby,
}

/// What lies below a project's folder, by paths from there.
#[derive(Clone, Debug, Default)]
pub struct Nearby {
    /// Folders that have programs.
    pub modules: Vec<String>,
    /// Files that programs can read.
    pub data: Vec<String>,
}

impl Project {
    /// Loads a project, with the modules of open files that nothing imports; nothing is checked yet.
    ///
    /// `nearby` are folders and files below its own, which its texts could name.
    ///
    /// # Errors
    /// There is no project, or a file cannot be read.
    pub fn load(
        files: &dyn FileSystem,
        open: &[String],
        nearby: Nearby,
    ) -> Result<Self, ProjectError> {
        let loaded = dax_project::load_with(files, open)?;
        let (known, whole, computed) = (BTreeMap::new(), Vec::new(), Vec::new());
        let mut project = Self {
            loaded,
            known,
            whole,
            computed,
            stale: Some(Stale::All),
            uncomputed: true,
            nearby,
        };
        let ids: Vec<FileId> = project
            .loaded
            .program
            .modules
            .iter()
            .flat_map(|module| &module.files)
            .map(|file| file.id)
            .collect();
        ids.into_iter().for_each(|file| project.read(file));
        Ok(project)
    }

    /// Puts another text in place of a file's; gives whether that was possible without loading the project again.
    pub fn change(&mut self, name: &str, text: &str) -> bool {
        let Some(file) = self.file(name) else { return false };
        let old = self.loaded.sources.text(file).to_owned();
        if old == text {
            return true;
        }
        let shift = Shift::between(&old, text);
        if !self.loaded.replace(name, text) {
            return false;
        }
        let before = self.known.get(&file).and_then(|known| known.interface);
        self.read(file);
        self.stale = match self.stale.take() {
            _ if self.known.get(&file).and_then(|known| known.interface) != before => {
                Some(Stale::All)
            }
            Some(Stale::All) => Some(Stale::All),
            Some(Stale::Files(mut files)) => {
                files.insert(file);
                Some(Stale::Files(files))
            }
            None => Some(Stale::Files(BTreeSet::from([file]))),
        };
        self.uncomputed = true;
        // Until it is known better, what was said stands where it stood.
        for said in [&mut self.whole, &mut self.computed]
            .into_iter()
            .chain(self.known.values_mut().map(|known| &mut known.items))
        {
            shift.apply(file, said);
        }
        true
    }

    /// What a file says by its form alone.
    fn read(&mut self, file: FileId) {
        let Some((module, ast)) = self.loaded.file(file) else { return };
        let definitions = definitions(&self.loaded.program.modules[module.0].path, ast);
        let interface = interface(ast, self.loaded.sources.text(file));
        let known = self.known.entry(file).or_default();
        known.module = module;
        known.definitions = definitions;
        known.interface = Some(interface);
    }

    /// Whether something changed since the last check.
    pub const fn is_unchecked(&self) -> bool {
        self.stale.is_some()
    }

    /// Whether something changed since values were computed last.
    pub const fn is_uncomputed(&self) -> bool {
        self.uncomputed
    }

    /// Types everything that a change reaches; gives whether it came to its end before it was to stop.
    pub fn check(&mut self, stop: &dyn Fn() -> bool) -> bool {
        let wanted = |file: FileId| match &self.stale {
            None => false,
            Some(Stale::All) => true,
            Some(Stale::Files(files)) => files.contains(&file),
        };
        if self.stale.is_none() {
            return true;
        }
        let Some(examined) = dax_sema::examine(&self.loaded.program, &wanted, stop) else {
            return false;
        };
        for (_, known) in self.known.iter_mut().filter(|(file, _)| wanted(**file)) {
            known.items.clear();
            known.meant.clear();
            known.types.clear();
        }
        for used in examined.meanings.uses {
            let meant =
                Meant { start: used.span.start, end: used.span.end, key: self.key(used.declared) };
            if let Some(known) = self.known.get_mut(&used.span.file) {
                known.meant.push(meant);
            }
        }
        for known in self.known.values_mut() {
            known.meant.sort_unstable();
            known.meant.dedup();
        }
        for typed in examined.meanings.types {
            if let Some(known) = self.known.get_mut(&typed.span.file)
                && !known.types.contains(&typed)
            {
                known.types.push(typed);
            }
        }
        for diagnostic in examined.items {
            if let Some(known) = self.known.get_mut(&diagnostic.span.file) {
                known.items.push(diagnostic);
            }
        }
        self.whole = examined.whole;
        self.stale = None;
        true
    }

    /// Takes what could not be checked for checked.
    pub fn give_up(&mut self) {
        self.stale = None;
        self.uncomputed = false;
    }

    /// Computes every environment for what only values show; gives whether it came to its end before it was to stop.
    pub fn compute(&mut self, stop: &dyn Fn() -> bool) -> bool {
        let known = self
            .whole
            .iter()
            .chain(self.known.values().flat_map(|known| &known.items))
            .cloned()
            .collect();
        let Some(found) = dax_sema::compute(&self.loaded.program, &params(), known, stop) else {
            return false;
        };
        self.computed = found;
        self.uncomputed = false;
        true
    }

    /// The names of all texts that were read.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.loaded.sources.ids().map(|file| self.loaded.sources.name(file))
    }

    /// The text of a file.
    pub fn text(&self, file: FileId) -> &str {
        self.loaded.sources.text(file)
    }

    /// The name of a file.
    pub fn name(&self, file: FileId) -> &str {
        self.loaded.sources.name(file)
    }

    /// The file with a name, where it is one of the program.
    pub fn file(&self, name: &str) -> Option<FileId> {
        self.loaded.sources.find(name)
    }

    /// Whether a file belongs to the standard library, whose text stands nowhere on disk.
    pub fn is_std(&self, file: FileId) -> bool {
        self.known.get(&file).is_some_and(|known| self.loaded.program.is_std(known.module))
    }

    /// Everything that is known to be wrong, by file and in the order of the texts.
    pub fn diagnostics(&self) -> BTreeMap<FileId, Vec<&Diagnostic>> {
        let mut all: BTreeMap<FileId, Vec<&Diagnostic>> = BTreeMap::new();
        let items = self.known.values().flat_map(|known| &known.items);
        for diagnostic in
            self.loaded.diagnostics.iter().chain(&self.whole).chain(items).chain(&self.computed)
        {
            all.entry(diagnostic.span.file).or_default().push(diagnostic);
        }
        for found in all.values_mut() {
            found.sort_by(|a, b| {
                (a.span, a.code.number, &a.detail).cmp(&(b.span, b.code.number, &b.detail))
            });
            found.dedup();
        }
        all
    }

    /// Which declaration stands at a place.
    fn key(&self, declared: Span) -> Key {
        self.declared_at(declared)
            .map_or_else(|| Key::of((declared.file, declared.start)), |definition| definition.key)
    }

    pub(crate) fn declared_at(&self, declared: Span) -> Option<&Definition> {
        let all = &self.known.get(&declared.file)?.definitions;
        let at =
            all.binary_search_by_key(&declared.start, |definition| definition.span.start).ok()?;
        all.get(at)
    }
}

/// An editor gives no parameters: what depends on one that has no default is left open.
pub(crate) fn params() -> Params {
    Params {
        values: BTreeMap::new(),
        typed: BTreeMap::new(),
        missing: Missing::Ignore,
        only: None,
        outputs: BTreeMap::new(),
    }
}

/// How places move when one part of a text is replaced.
struct Shift {
    start: usize,
    old_end: usize,
    new_end: usize,
}

impl Shift {
    fn between(old: &str, new: &str) -> Self {
        let start = old.bytes().zip(new.bytes()).take_while(|(a, b)| a == b).count();
        let tail = old[..].bytes().rev().zip(new.bytes().rev()).take_while(|(a, b)| a == b).count();
        let tail = tail.min(old.len() - start).min(new.len() - start);
        Self { start, old_end: old.len() - tail, new_end: new.len() - tail }
    }

    /// A place in the new text; nothing when it was changed itself.
    fn place(&self, span: Span) -> Option<Span> {
        let (start, end) = (span.start as usize, span.end as usize);
        if end <= self.start {
            return Some(span);
        }
        let moved = |at: usize| u32::try_from(at + self.new_end - self.old_end).ok();
        (start >= self.old_end).then_some(())?;
        Some(Span { start: moved(start)?, end: moved(end)?, ..span })
    }

    fn apply(&self, file: FileId, all: &mut Vec<Diagnostic>) {
        let moved = |span: &mut Span| {
            let place = if span.file == file { self.place(*span) } else { Some(*span) };
            *span = place.unwrap_or(*span);
            place.is_some()
        };
        all.retain_mut(|found| {
            found.related.retain_mut(|related| moved(&mut related.span));
            if found.fix.as_mut().is_some_and(|fix| !moved(&mut fix.span)) {
                found.fix = None;
            }
            moved(&mut found.span)
        });
    }
}
