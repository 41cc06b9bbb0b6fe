//! What the call takes that the cursor stands in.

use crate::bytes::is_word;
use crate::definitions::Kind;
use crate::project::Project;
use dax_core::FileId;

/// A function that is being called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `name(a: int, b: string) -> int`.
    pub label: String,
    /// Where each parameter stands in the label, in bytes.
    pub parameters: Vec<std::ops::Range<usize>>,
    /// The parameter that is being written.
    pub active: usize,
    /// The function's comment.
    pub about: String,
}

impl Project {
    /// The call around a byte of a file.
    pub fn signature(&self, file: FileId, at: usize) -> Option<Signature> {
        let text = self.text(file);
        let context = crate::complete::Context::of(text, at);
        let call = context.open.iter().rev().find(|open| open.bracket == '(')?;
        let name =
            text[..call.at].rsplit(|c: char| !is_word(c)).next().filter(|name| !name.is_empty())?;
        let (module, _) = self.loaded.file(file)?;
        let before = text[..call.at - name.len()].strip_suffix('.');
        let alias = before.and_then(|before| before.rsplit(|c: char| !is_word(c)).next());
        let program = &self.loaded.program;
        let wanted = |of: dax_sema::ModuleId| match alias {
            Some(alias) => self.imported(module, alias) == Some(of),
            None => of == module || program.prelude.contains(&of),
        };
        let reached = self.known.values().filter(|known| wanted(known.module));
        let found = reached.flat_map(|known| {
            known.definitions.iter().map(move |definition| (known.module, definition))
        });
        let named =
            found.filter(|(_, definition)| definition.kind == Kind::Fn && definition.name == name);
        let (_, function) = named.min_by_key(|(of, _)| *of != module)?;
        let head = self.loaded.sources.slice(function.whole).trim_start_matches("fn").trim_start();
        let label =
            crate::head::until_default(head).split_whitespace().collect::<Vec<_>>().join(" ");
        let parameters = parameters(&label);
        let written = text.get(call.at + 1..at)?;
        let active = match context.head(text).trim_start().split_once(':') {
            Some((name, _)) => parameters
                .iter()
                .position(|range| label[range.clone()].split(':').next() == Some(name.trim()))?,
            None => commas(written),
        };
        Some(Signature {
            label,
            parameters,
            active,
            about: function.doc.as_deref().unwrap_or_default().to_owned(),
        })
    }

    /// The module that a module imports under a name.
    pub(crate) fn imported(
        &self,
        module: dax_sema::ModuleId,
        alias: &str,
    ) -> Option<dax_sema::ModuleId> {
        let program = &self.loaded.program;
        let files = &program.modules[module.0].files;
        let definitions = files
            .iter()
            .filter_map(|file| self.known.get(&file.id))
            .flat_map(|known| &known.definitions);
        let import = definitions
            .filter(|definition| definition.kind == Kind::Import)
            .find(|definition| definition.name == alias)?;
        program.modules[module.0].imports.get(self.import_path(import)?.as_str()).copied()
    }
}

/// Where the parameters stand in a label.
fn parameters(label: &str) -> Vec<std::ops::Range<usize>> {
    let Some(open) = label.find('(') else { return Vec::new() };
    let (mut depth, mut start, mut all) = (0, open + 1, Vec::new());
    for (at, c) in label.char_indices().skip_while(|(at, _)| *at <= open) {
        match c {
            '(' | '<' | '{' | '[' => depth += 1,
            ')' if depth == 0 => {
                all.push(start..at);
                break;
            }
            '>' if label[..at].ends_with('-') => {}
            ')' | '>' | '}' | ']' => depth -= 1,
            ',' if depth == 0 => {
                all.push(start..at);
                start = at + 1;
            }
            _ => {}
        }
    }
    let trimmed = |range: std::ops::Range<usize>| {
        let text = &label[range.clone()];
        range.end - text.trim_start().len()..range.end
    };
    all.into_iter().map(trimmed).filter(|range| !range.is_empty()).collect()
}

/// How many arguments were finished.
fn commas(written: &str) -> usize {
    let (mut depth, mut quoted, mut count) = (0_i32, false, 0);
    for c in written.chars() {
        match c {
            '"' => quoted = !quoted,
            _ if quoted => {}
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth -= 1,
            ',' if depth == 0 => count += 1,
            _ => {}
        }
    }
    count
}
