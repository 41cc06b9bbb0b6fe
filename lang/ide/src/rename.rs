//! Another name for what a program declares, everywhere at once.

use crate::bytes::is_word;
use crate::definitions::{Definition, Kind};
use crate::head::past_blank_lines;
use crate::project::Project;
use dax_core::{FileId, Span};

/// A piece of a file that is replaced.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Edit {
    /// What goes.
    pub span: Span,
    /// What comes.
    pub text: String,
}

impl Project {
    /// The name at a byte, if it can have another.
    ///
    /// # Errors
    /// Why it cannot.
    pub fn renamable(&self, file: FileId, at: u32) -> Result<Span, String> {
        let here = self.occurrence(file, at).ok_or("there is no name here")?;
        let Some(definition) = self.definition(here.key) else {
            return Ok(here.span);
        };
        let (module, _) = self.loaded.file(definition.span.file).ok_or("there is no name here")?;
        if self.loaded.program.is_std(module) {
            return Err(format!("`{}` belongs to the standard library", definition.name));
        }
        if !self.loaded.program.is_own(module) {
            return Err(format!("`{}` belongs to a package", definition.name));
        }
        if definition.kind == Kind::Provider {
            return Err("a provider is called as its module calls it; a second one is told apart by the name of its import".to_owned());
        }
        Ok(here.span)
    }

    /// The edits that give what stands at a byte another name. A service that an environment binds keeps its past: what it was
    /// called is declared beside it.
    ///
    /// # Errors
    /// Why it cannot have this name.
    pub fn rename(&self, file: FileId, at: u32, name: &str) -> Result<Vec<Edit>, String> {
        self.renamable(file, at)?;
        let here = self.occurrence(file, at).ok_or("there is no name here")?;
        if name.is_empty()
            || !name.chars().all(is_word)
            || name.starts_with(|c: char| c.is_ascii_digit())
        {
            return Err(format!("`{name}` is no name: letters, digits and `_`, no digit first"));
        }
        if dax_sema::RESERVED.contains(&name) {
            return Err(format!("`{name}` means something in expressions"));
        }
        let definition = self.definition(here.key);
        if let Some(other) = definition.and_then(|definition| self.taken(definition, name)) {
            return Err(format!(
                "`{name}` is declared already, in {}",
                self.loaded.sources.location(other.span)
            ));
        }
        let old = self
            .loaded
            .sources
            .slice(self.declared(file, here.key).unwrap_or(here.span))
            .to_owned();
        if old == name {
            return Ok(Vec::new());
        }
        let mut edits: Vec<Edit> = self
            .named(file, here.key, true)
            .into_iter()
            .map(|span| self.replaced(span, name))
            .collect();
        if let Some(definition) = definition
            .filter(|definition| matches!(definition.kind, Kind::Service | Kind::Resource))
        {
            edits.extend(self.history(definition, &old, name));
        }
        edits.sort();
        Ok(edits)
    }

    /// A name in place of another; a quoted one keeps its quotes.
    fn replaced(&self, span: Span, name: &str) -> Edit {
        let quoted = self.loaded.sources.slice(span).starts_with('"');
        Edit { span, text: if quoted { format!("\"{name}\"") } else { name.to_owned() } }
    }

    /// What has a name already that something wants to have.
    fn taken(&self, definition: &Definition, name: &str) -> Option<&Definition> {
        let module = self.known.get(&definition.span.file)?.module;
        let types = definition.kind == Kind::Type;
        let inner = matches!(definition.kind, Kind::Field | Kind::Parameter);
        self.known.values().filter(|known| known.module == module).find_map(|known| {
            known.definitions.iter().find(|other| {
                let same_space = if inner {
                    other.kind == definition.kind && other.of == definition.of
                } else {
                    (other.kind == Kind::Type) == types
                        && !matches!(other.kind, Kind::Field | Kind::Parameter | Kind::Provider)
                };
                same_space && other.name == name
            })
        })
    }

    /// `moved old to new` for a service that runs somewhere, and what was said before the other way round is taken away.
    fn history(&self, definition: &Definition, old: &str, new: &str) -> Vec<Edit> {
        let program = &self.loaded.program;
        let Some((module, _)) = self.loaded.file(definition.span.file) else { return Vec::new() };
        let Some(address) = dax_sema::reached(program, module, old) else { return Vec::new() };
        let bound = dax_sema::environment_names(program)
            .iter()
            .any(|name| dax_sema::bound(program, name).contains(&address));
        if !bound {
            return Vec::new();
        }
        let prefix = address.strip_suffix(old).unwrap_or_default();
        let (before, after) = (format!("{prefix}{old}"), format!("{prefix}{new}"));
        let mut edits = self.undone(&format!("moved {after} to {before}"));
        // Only the project itself may say it: beside the service, or else beside the environments.
        let beside =
            if module == program.root { Some(definition.whole) } else { self.first_environment() };
        if let Some(whole) = beside {
            let end = Span { start: whole.end, end: whole.end, ..whole };
            edits.push(Edit { span: end, text: format!("\n\nmoved {before} to {after}") });
        }
        edits
    }

    /// The lines of the project that say exactly this.
    fn undone(&self, line: &str) -> Vec<Edit> {
        let files = &self.loaded.program.modules[self.loaded.program.root.0].files;
        let items = files.iter().flat_map(|file| &file.items);
        let same = items.filter(|item| {
            self.loaded.sources.slice(item.span).split_whitespace().collect::<Vec<_>>().join(" ")
                == line
        });
        same.map(|item| {
            let end = past_blank_lines(self.text(item.span.file), item.span.end);
            Edit { span: Span { end, ..item.span }, text: String::new() }
        })
        .collect()
    }

    fn first_environment(&self) -> Option<Span> {
        let files = &self.loaded.program.modules[self.loaded.program.root.0].files;
        files.iter().find_map(|file| {
            let known = self.known.get(&file.id)?;
            known
                .definitions
                .iter()
                .find(|definition| definition.kind == Kind::Environment)
                .map(|definition| definition.whole)
        })
    }
}
