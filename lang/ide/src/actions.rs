//! Changes that an editor offers for a selection: what mends a finding, and other ways to write the same.

mod extract;
mod fixes;
mod imports;
mod inline;
mod strength;

use crate::project::Project;
use crate::rename::Edit;
use dax_core::{Diagnostic, FileId, Span};

/// What a change does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Mends a finding.
    Fix,
    /// Gives a piece a name and a place of its own.
    Extract,
    /// The other way round.
    Inline,
    /// Writes it differently.
    Rewrite,
    /// Puts imports in order.
    Imports,
}

/// A change that is offered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Action {
    /// What it does, in words.
    pub title: String,
    /// Of which kind it is.
    pub kind: ActionKind,
    /// What it changes.
    pub edits: Vec<Edit>,
    /// Files that it makes: names and texts.
    pub creates: Vec<(String, String)>,
    /// The finding that it mends.
    pub mends: Option<Diagnostic>,
}

impl Action {
    fn new(title: impl Into<String>, kind: ActionKind, edits: Vec<Edit>) -> Self {
        Self { title: title.into(), kind, edits, creates: Vec::new(), mends: None }
    }
}

impl Project {
    /// What is offered for a selection in a file, or for the cursor where it is empty.
    pub fn actions(&self, file: FileId, from: u32, to: u32) -> Vec<Action> {
        let selection = Span { file, start: from, end: to };
        let mut all = self.fixes(selection);
        all.extend(self.strengths(selection));
        all.extend(self.extractions(selection));
        all.extend(self.inlinings(selection));
        all.extend(self.tidy_imports(file));
        all
    }
}

/// Whether two spans of one file have something in common; a cursor at an end counts.
fn touch(a: Span, b: Span) -> bool {
    a.file == b.file && a.start <= b.end && b.start <= a.end
}

/// The item at a place.
fn item_at(project: &Project, place: Span) -> Option<&dax_syntax::ast::Item> {
    let (_, ast) = project.loaded.file(place.file)?;
    ast.items.iter().find(|item| item.span.start <= place.start && place.end <= item.span.end)
}

/// A name that nothing of a module has yet.
fn fresh(project: &Project, file: FileId, wanted: &str) -> String {
    let module = project.known.get(&file).map(|known| known.module);
    let taken = |name: &str| {
        let own = project.known.values().filter(|known| Some(known.module) == module);
        own.flat_map(|known| &known.definitions).any(|definition| definition.name == name)
    };
    let numbered = (2..).map(|number| format!("{wanted}_{number}"));
    std::iter::once(wanted.to_owned()).chain(numbered).find(|name| !taken(name)).unwrap_or_default()
}

/// Where an item begins with the comments above it.
fn with_comments(text: &str, start: u32) -> u32 {
    let mut start = start as usize;
    while let Some(line) = text[..start].trim_end_matches('\n').rsplit('\n').next() {
        let joined = text[..start].ends_with('\n') && !text[..start].ends_with("\n\n");
        if !(joined && line.starts_with('#')) {
            break;
        }
        start -= line.len() + 1;
    }
    u32::try_from(start).unwrap_or(0)
}
