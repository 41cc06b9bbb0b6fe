//! Single expressions, evaluated as if they stood in the project.

use crate::files::Disk;
use crate::{Diagnostic, Engine, EngineError, Params, Sources};
use dax_core::Value;
use dax_project::FileSystem;

/// The file in which an expression is put.
const FILE: &str = "(expression).dax";
/// The name under which it is evaluated.
const NAME: &str = "it__";

/// The project with one more file.
struct With<'t> {
    disk: Disk,
    text: &'t str,
}

impl FileSystem for With<'_> {
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error> {
        if within.is_empty() && path == FILE {
            return Ok(Some(self.text.as_bytes().to_vec()));
        }
        self.disk.read(within, path)
    }

    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error> {
        let mut names = self.disk.list(within, folder)?;
        if within.is_empty() && folder.is_empty() {
            names.get_or_insert_default().push(FILE.to_owned());
        }
        Ok(names)
    }
}

/// What became of an expression.
pub struct Evaluated {
    /// Its value, if it has one.
    pub value: Option<Value>,
    /// Its type, as the language writes it.
    pub type_name: String,
    /// The texts that the findings point into.
    pub sources: Sources,
    /// What was found about it and the project.
    pub diagnostics: Vec<Diagnostic>,
}

impl Engine {
    /// Evaluates an expression among the project's items and more definitions, in an environment or outside of all.
    ///
    /// # Errors
    /// The project cannot be loaded.
    pub fn evaluate(
        &self,
        definitions: &str,
        expression: &str,
        environment: Option<&str>,
        params: &Params,
    ) -> Result<Evaluated, EngineError> {
        let text = format!("{definitions}let {NAME} = {expression}\n");
        let loaded = dax_project::load(&With { disk: Disk::new(&self.root), text: &text })?;
        let (node, type_name, diagnostics) = loaded.evaluate(params, environment, NAME);
        Ok(Evaluated {
            value: node.map(|node| node.value()),
            type_name,
            sources: loaded.sources,
            diagnostics,
        })
    }
}
