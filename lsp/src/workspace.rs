//! What is open: texts, and the projects that they belong to.

use crate::documents::{Documents, Overlay, name_in, nearby, on_disk, root_of};
use crate::positions::{Encoding, Text};
use crate::show;
use dax_core::{FileId, Span};
use dax_files::Roots;
use dax_ide::Project;
use gen_lsp_types::{Diagnostic, Location, TextDocumentPositionParams, Uri};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// A project by the folder of its `dax.mod`.
#[derive(Default)]
pub(crate) struct Open {
    /// Nothing before it was loaded, and where it cannot be.
    pub(crate) project: Option<Project>,
    /// Files came, went or are read elsewhere.
    pub(crate) reload: bool,
}

/// Everything that a client works with.
pub(crate) struct Workspace {
    pub(crate) documents: Documents,
    pub(crate) projects: BTreeMap<PathBuf, Open>,
    pub(crate) encoding: Encoding,
    /// The colours that were sent last, by address.
    pub(crate) colours: BTreeMap<String, Vec<u32>>,
}

/// A place in a text that belongs to a checked project.
pub(crate) struct At<'w> {
    pub(crate) project: &'w mut Project,
    pub(crate) root: PathBuf,
    pub(crate) file: FileId,
    pub(crate) offset: u32,
    pub(crate) text: Text,
}

impl Workspace {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self {
            documents: Documents::default(),
            projects: BTreeMap::new(),
            encoding,
            colours: BTreeMap::new(),
        }
    }

    /// A text is another: as it is open, or as it stands on disk.
    pub(crate) fn changed(&mut self, path: &Path) {
        let Some(root) = root_of(path) else { return };
        let text = self.documents.get(path).map(|document| document.text.text.to_string());
        let text = text.or_else(|| on_disk(path));
        let open = self
            .projects
            .entry(root.clone())
            .or_insert_with(|| Open { project: None, reload: true });
        let name = name_in(&root, path);
        let taken = match (&mut open.project, text, name) {
            (Some(project), Some(text), Some(name)) if !open.reload => {
                // A text that brings the parser down is a mistake of dax, and must not end the server.
                catch_unwind(AssertUnwindSafe(|| project.change(&name, &text))).unwrap_or(false)
            }
            _ => false,
        };
        open.reload |= !taken;
    }

    /// Something happened to files that a client has not open.
    pub(crate) fn changed_outside(&mut self, paths: &[PathBuf]) {
        for path in paths {
            if self.documents.get(path).is_some() {
                continue;
            }
            let root = root_of(path);
            // A project that came to be, or went.
            for (_, open) in self
                .projects
                .iter_mut()
                .filter(|(known, _)| path.starts_with(known) && root.as_ref() != Some(known))
            {
                open.reload = true;
            }
            if root.is_some_and(|root| self.projects.contains_key(&root)) {
                self.changed(path);
            }
        }
    }

    /// Loads a project where that has to be; what was there before stays where it cannot be loaded.
    pub(crate) fn load(&mut self, root: &Path) {
        let Some(open) = self.projects.get_mut(root).filter(|open| open.reload) else { return };
        open.reload = false;
        let files = Overlay { disk: Roots::new(root), open: self.documents.below(root) };
        let names: Vec<String> = files
            .open
            .keys()
            .filter(|name| root_of(&root.join(name)).is_some_and(|of| of == root))
            .cloned()
            .collect();
        let nearby = nearby(root);
        let loaded = catch_unwind(AssertUnwindSafe(|| Project::load(&files, &names, nearby)));
        if let Ok(Ok(project)) = loaded {
            open.project = Some(project);
        }
    }

    /// Loads and types a project as far as that has to be.
    pub(crate) fn fresh(&mut self, root: &Path, stop: &dyn Fn() -> bool) -> bool {
        self.load(root);
        let Some(Open { project: Some(project), .. }) = self.projects.get_mut(root) else {
            return true;
        };
        if !project.is_unchecked() {
            return true;
        }
        let checked = catch_unwind(AssertUnwindSafe(|| project.check(stop)));
        checked.unwrap_or_else(|_| {
            project.give_up();
            true
        })
    }

    /// A project as it was looked at last.
    pub(crate) fn loaded(&self, root: &Path) -> Option<&Project> {
        self.projects.get(root)?.project.as_ref()
    }

    /// The project of a file, as it is now.
    pub(crate) fn project(&mut self, uri: &Uri) -> Option<(&mut Project, PathBuf, FileId)> {
        let path = uri.to_file_path().ok()?;
        let root = root_of(&path)?;
        if !self.projects.contains_key(&root) {
            self.changed(&path);
        }
        self.fresh(&root, &|| false);
        let project = self.projects.get_mut(&root)?.project.as_mut()?;
        let file = project.file(&name_in(&root, &path)?)?;
        Some((project, root, file))
    }

    /// A place in the project of its file, as it is now.
    pub(crate) fn at(&mut self, place: &TextDocumentPositionParams) -> Option<At<'_>> {
        let text = self.text(&place.text_document.uri)?;
        let offset = u32::try_from(text.offset(place.position, self.encoding)).ok()?;
        let (project, root, file) = self.project(&place.text_document.uri)?;
        Some(At { project, root, file, offset, text })
    }

    /// A text by its address: as it is open, or as it stands on disk.
    pub(crate) fn text(&self, uri: &Uri) -> Option<Text> {
        let path = uri.to_file_path().ok()?;
        let open = self.documents.get(&path).map(|document| document.text.clone());
        open.or_else(|| Some(Text::new(&on_disk(&path)?)))
    }

    /// The address of a file as its client writes it.
    pub(crate) fn uri(&self, path: &Path) -> Option<Uri> {
        self.documents
            .get(path)
            .map(|document| document.uri.clone())
            .or_else(|| Uri::from_file_path(path).ok())
    }

    /// The findings about each file of a project, as a client shows them.
    pub(crate) fn findings(&self, root: &Path) -> BTreeMap<PathBuf, Vec<Diagnostic>> {
        let Some(project) = self.loaded(root) else { return BTreeMap::new() };
        let all = project.diagnostics().into_iter();
        all.map(|(file, found)| {
            (root.join(project.name(file)), self.shown(project, root, file, &found))
        })
        .collect()
    }

    /// The findings about one file of a project; nothing when it is none of its files.
    pub(crate) fn findings_of(&self, root: &Path, path: &Path) -> Option<Vec<Diagnostic>> {
        let project = self.loaded(root)?;
        let file = project.file(&name_in(root, path)?)?;
        let found = project.diagnostics().remove(&file).unwrap_or_default();
        Some(self.shown(project, root, file, &found))
    }

    /// What the form of an open text alone tells.
    pub(crate) fn faults(&self, path: &Path) -> Vec<Diagnostic> {
        let Some(document) = self.documents.get(path) else { return Vec::new() };
        let faults = dax_ide::faults(&document.text.text);
        faults
            .iter()
            .map(|found| show::diagnostic(found, &document.text, self.encoding, Vec::new()))
            .collect()
    }

    fn shown(
        &self,
        project: &Project,
        root: &Path,
        file: FileId,
        found: &[&dax_core::Diagnostic],
    ) -> Vec<Diagnostic> {
        let text = Text::new(project.text(file));
        let shown = found.iter().map(|found| {
            let related = found.related.iter();
            let related = related.filter_map(|related| {
                Some((location(project, root, related.span, self)?, related.label.clone()))
            });
            show::diagnostic(found, &text, self.encoding, related.collect())
        });
        shown.collect()
    }
}

/// A place as a client finds it.
pub(crate) fn location(
    project: &Project,
    root: &Path,
    span: Span,
    workspace: &Workspace,
) -> Option<Location> {
    let range = Text::new(project.text(span.file)).range(&show::bytes(span), workspace.encoding);
    Some(Location { uri: uri_of(project, root, span.file, workspace)?, range })
}

/// The address of a project's file; the standard library is put where an editor can open it.
pub(crate) fn uri_of(
    project: &Project,
    root: &Path,
    file: FileId,
    workspace: &Workspace,
) -> Option<Uri> {
    if project.is_std(file) {
        let path = crate::library::placed(project.name(file), project.text(file))?;
        return Uri::from_file_path(path).ok();
    }
    workspace.uri(&root.join(project.name(file)))
}
