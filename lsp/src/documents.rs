//! Texts that a client has open: they count, whatever stands on disk.

use crate::positions::{Encoding, Text};
use dax_files::Roots;
use dax_ide::Nearby;
use dax_project::FileSystem;
use gen_lsp_types::{TextDocumentContentChangeEvent as Event, Uri};
use std::collections::BTreeMap;
use std::io::Result;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// An open text.
#[derive(Clone, Debug)]
pub(crate) struct Document {
    pub(crate) text: Text,
    pub(crate) version: i32,
    /// As the client writes it.
    pub(crate) uri: Uri,
}

/// Open texts by the paths of their files.
#[derive(Default)]
pub(crate) struct Documents {
    open: BTreeMap<PathBuf, Document>,
}

impl Documents {
    pub(crate) fn open(&mut self, path: PathBuf, uri: Uri, version: i32, text: &str) {
        self.open.insert(path, Document { text: Text::new(text), version, uri });
    }

    pub(crate) fn close(&mut self, path: &Path) {
        self.open.remove(path);
    }

    pub(crate) fn get(&self, path: &Path) -> Option<&Document> {
        self.open.get(path)
    }

    /// Changes a text as somebody typed it, one change after the other.
    pub(crate) fn change(
        &mut self,
        path: &Path,
        version: i32,
        changes: &[Event],
        encoding: Encoding,
    ) {
        let Some(document) = self.open.get_mut(path) else { return };
        for change in changes {
            let text = match change {
                Event::TextDocumentContentChangeWholeDocument(whole) => whole.text.clone(),
                Event::TextDocumentContentChangePartial(part) => {
                    let (start, end) = (
                        document.text.offset(part.range.start, encoding),
                        document.text.offset(part.range.end, encoding),
                    );
                    let mut text = document.text.text.to_string();
                    text.replace_range(start..end.max(start), &part.text);
                    text
                }
            };
            document.text = Text::new(&text);
        }
        document.version = version;
    }

    /// The open texts below a folder, by their paths from there.
    pub(crate) fn below(&self, root: &Path) -> BTreeMap<String, Arc<str>> {
        self.open
            .iter()
            .filter_map(|(path, document)| Some((name_in(root, path)?, document.text.text.clone())))
            .collect()
    }
}

/// What a project calls a file or folder below its own.
pub(crate) fn name_in(root: &Path, path: &Path) -> Option<String> {
    path.strip_prefix(root).ok().map(|path| path.to_string_lossy().replace('\\', "/"))
}

/// The folder with the `dax.mod` that a file belongs to.
pub(crate) fn root_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).find(|folder| folder.join("dax.mod").is_file()).map(Path::to_owned)
}

/// So many entries of folders are looked at.
const MOST: usize = 20_000;

/// What lies below a project's folder that its texts could name; hidden folders and other projects are left out.
pub(crate) fn nearby(root: &Path) -> Nearby {
    let mut nearby = Nearby::default();
    let (mut open, mut seen) = (vec![root.to_owned()], 0);
    while let Some(folder) = open.pop() {
        let Ok(entries) = std::fs::read_dir(&folder) else { continue };
        let mut programs = false;
        for entry in entries.flatten() {
            seen += 1;
            let (path, name) = (entry.path(), entry.file_name().to_string_lossy().into_owned());
            if seen > MOST || name.starts_with('.') {
                continue;
            }
            if entry.file_type().is_ok_and(|kind| kind.is_dir()) {
                if !["target", "node_modules"].contains(&name.as_str())
                    && !path.join("dax.mod").is_file()
                {
                    open.push(path);
                }
                continue;
            }
            let from_root = name_in(root, &path).unwrap_or_default();
            match name.rsplit_once('.').map_or("", |(_, ending)| ending) {
                "dax" => programs = true,
                "json" | "yaml" | "yml" | "toml" | "csv" | "txt" => nearby.data.push(from_root),
                _ => {}
            }
        }
        if programs && folder != root {
            nearby.modules.extend(name_in(root, &folder));
        }
    }
    nearby.modules.sort();
    nearby.data.sort();
    nearby
}

/// A project's folder, with what is open in place of what stands on disk.
pub(crate) struct Overlay {
    pub(crate) disk: Roots,
    pub(crate) open: BTreeMap<String, Arc<str>>,
}

/// A path beneath a folder, either of which may be empty.
fn joined(folder: &str, path: &str) -> String {
    if folder.is_empty() || path.is_empty() {
        return format!("{folder}{path}");
    }
    format!("{folder}/{path}")
}

impl FileSystem for Overlay {
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>> {
        match self.open.get(&joined(within, path)) {
            Some(text) => Ok(Some(text.as_bytes().to_vec())),
            None => self.disk.read(within, path),
        }
    }

    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>> {
        let mut names = self.disk.list(within, folder)?.unwrap_or_default();
        // A text that was never saved is a file of its folder all the same.
        let folder = joined(within, folder.trim_end_matches('/'));
        let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        for path in self.open.keys() {
            if let Some(name) = path
                .strip_prefix(&prefix)
                .filter(|name| !name.contains('/') && !names.iter().any(|known| known == name))
            {
                names.push(name.to_owned());
            }
        }
        Ok(Some(names).filter(|names| !names.is_empty()))
    }
}

/// The text of a file as it stands on disk: of a project's only what lies beneath it.
pub(crate) fn on_disk(path: &Path) -> Option<String> {
    let root = root_of(path).or_else(|| path.parent().map(Path::to_owned))?;
    let bytes = Roots::new(&root).read("", &name_in(&root, path)?).ok()??;
    dax_project::text::decode(bytes).ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use gen_lsp_types::{Position, Range, TextDocumentContentChangePartial};

    #[test]
    fn changes_are_made_in_their_order() {
        let path = PathBuf::from("/p/main.dax");
        let mut documents = Documents::default();
        documents.open(path.clone(), Uri::from_file_path(&path).unwrap(), 1, "let a = 1\n");
        let at = |character| Position { line: 0, character };
        let part = |start, end, text: &str| {
            let range = Range { start: at(start), end: at(end) };
            Event::TextDocumentContentChangePartial(TextDocumentContentChangePartial {
                range,
                text: text.to_owned(),
                ..Default::default()
            })
        };
        documents.change(
            &path,
            2,
            &[part(4, 5, "bcd"), part(7, 7, "é"), part(8, 8, "!")],
            Encoding::Utf16,
        );
        let found = documents.get(&path).unwrap();
        assert_eq!((&*found.text.text, found.version), ("let bcdé! = 1\n", 2));
        assert_eq!(documents.below(Path::new("/p")).keys().collect::<Vec<_>>(), ["main.dax"]);
    }
}
