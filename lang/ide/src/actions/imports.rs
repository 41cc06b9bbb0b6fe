//! Imports in order: each once, those that nothing uses left out, the standard library first.

use super::{Action, ActionKind};
use crate::definitions::{Definition, Kind};
use crate::head::past_blank_lines;
use crate::project::Project;
use crate::rename::Edit;
use dax_core::{FileId, Span};

impl Project {
    pub(super) fn tidy_imports(&self, file: FileId) -> Option<Action> {
        let known = self.known.get(&file)?;
        let imports: Vec<&Definition> =
            known.definitions.iter().filter(|definition| definition.kind == Kind::Import).collect();
        let (first, last) = (imports.first()?, imports.last()?);
        let text = self.text(file);
        let whole = Span { start: first.whole.start, end: last.whole.end, file };
        let between = self.loaded.sources.slice(whole);
        // What stands between them stays where it is.
        if between.lines().any(|line| !line.trim().is_empty() && !line.starts_with("import ")) {
            return None;
        }
        let faulty = self
            .diagnostics()
            .get(&file)
            .is_some_and(|all| all.iter().any(|one| one.code.number < 2000));
        let used = |definition: &&&Definition| faulty || self.is_named(definition);
        let mut lines: Vec<(bool, String, &str)> = imports
            .iter()
            .filter(used)
            .map(|definition| {
                let path = self.import_path(definition).unwrap_or_default();
                (path.starts_with('.'), path, self.loaded.sources.slice(definition.whole))
            })
            .collect();
        lines.sort();
        lines.dedup_by(|a, b| a.2 == b.2);
        let new: Vec<&str> = lines.iter().map(|(_, _, line)| *line).collect();
        let new = new.join("\n");
        if new == between {
            return None;
        }
        let end = if new.is_empty() { past_blank_lines(text, whole.end) } else { whole.end };
        Some(Action::new(
            "Organise imports",
            ActionKind::Imports,
            vec![Edit { span: Span { end, ..whole }, text: new }],
        ))
    }

    /// Whether anything of the module names an import: its files share it.
    fn is_named(&self, import: &Definition) -> bool {
        !self.named(import.span.file, import.key, false).is_empty()
    }
}
