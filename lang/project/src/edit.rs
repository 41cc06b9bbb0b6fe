//! A loaded project of which one file has changed.

use crate::Loaded;
use dax_core::FileId;
use dax_sema::walk::walk_item;
use dax_sema::{ModuleId, import_path};
use dax_syntax::ast::{ExprKind, File, ItemKind};
use std::sync::Arc;

impl Loaded {
    /// Puts another text in place of a file's and parses it; nothing else is read.
    ///
    /// Gives whether that was enough. It is not for `dax.mod`, for a file that the project does not have, and where other
    /// files are read than before: then nothing has changed and the project has to be loaded again.
    pub fn replace(&mut self, name: &str, text: &str) -> bool {
        let Some(id) = self.sources.find(name) else { return false };
        // What loading said of a file may have another place now.
        let of_form =
            |number: u16| dax_syntax::parser::CODES.iter().any(|known| known.number == number);
        if self.diagnostics.iter().any(|found| found.span.file == id && !of_form(found.code.number))
        {
            return false;
        }
        let text = crate::text::without_mark(text).unwrap_or(text);
        let Some(old) = self.file_mut(id) else { return false };
        let (new, found) = dax_syntax::parse(id, text);
        if reads(old) != reads(&new) {
            return false;
        }
        *old = new;
        self.sources.replace(id, Arc::from(text));
        self.diagnostics.retain(|found| found.span.file != id);
        self.diagnostics.extend(found);
        self.program.faulty = dax_core::diagnostic::has_errors(&self.diagnostics);
        true
    }

    /// The parsed file of an id, for whoever puts another in its place.
    pub fn file_mut(&mut self, id: FileId) -> Option<&mut File> {
        self.program
            .modules
            .iter_mut()
            .flat_map(|module| &mut module.files)
            .find(|file| file.id == id)
    }

    /// The parsed file of an id, with the module that it belongs to.
    pub fn file(&self, id: FileId) -> Option<(ModuleId, &File)> {
        let modules = (0..self.program.modules.len()).map(ModuleId);
        modules
            .flat_map(|module| {
                self.program.modules[module.0].files.iter().map(move |file| (module, file))
            })
            .find(|(_, file)| file.id == id)
    }
}

/// The paths of all that a file makes the project read, in their order.
fn reads(file: &File) -> Vec<String> {
    let mut all = Vec::new();
    for item in &file.items {
        if let ItemKind::Command(command) = &item.kind
            && command.word.name == "import"
        {
            all.extend(import_path(command).map(|(path, _)| path.to_string()));
        }
        walk_item(item, &mut |expr| {
            if let ExprKind::Data(path) = &expr.kind {
                all.push(path.to_string());
            }
        });
    }
    all
}
