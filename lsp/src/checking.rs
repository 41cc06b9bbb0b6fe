//! Whole projects, checked beside the loop: the newest state of each counts, and what is older is not begun.

use crate::documents::Overlay;
use crossbeam_channel::{Receiver, Sender, unbounded};
use dax_core::Diagnostic;
use dax_project::{Missing, Params};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;

/// A project as it is to be checked.
pub(crate) struct Job {
    /// Rises with every change.
    pub(crate) generation: u64,
    pub(crate) files: Overlay,
}

/// A finding with the names of the files that it is about.
pub(crate) struct Finding {
    pub(crate) diagnostic: Diagnostic,
    /// The file of each other place.
    pub(crate) related: Vec<String>,
}

/// Texts and findings by the names of files.
pub(crate) type Files = BTreeMap<String, (Arc<str>, Vec<Finding>)>;

/// What was found in a project.
pub(crate) struct Checked {
    pub(crate) generation: u64,
    pub(crate) root: PathBuf,
    /// Nothing where the project could not be loaded.
    pub(crate) files: Option<Files>,
}

/// Starts whoever checks; it ends when nobody gives it anything any more.
pub(crate) fn start() -> (Sender<Job>, Receiver<Checked>) {
    let (jobs, wanted) = unbounded::<Job>();
    let (done, results) = unbounded();
    std::thread::spawn(move || work(&wanted, &done));
    (jobs, results)
}

fn work(wanted: &Receiver<Job>, done: &Sender<Checked>) {
    let mut waiting: BTreeMap<PathBuf, Job> = BTreeMap::new();
    while let Ok(job) = wanted.recv() {
        waiting.insert(job.files.root.clone(), job);
        while let Some((root, job)) = {
            while let Ok(newer) = wanted.try_recv() {
                waiting.insert(newer.files.root.clone(), newer);
            }
            waiting.pop_first()
        } {
            let generation = job.generation;
            // A program that brings the check down is told of nowhere else, and must not end the server.
            let files = catch_unwind(AssertUnwindSafe(|| check(&job.files))).ok().flatten();
            if done.send(Checked { generation, root, files }).is_err() {
                return;
            }
        }
    }
}

fn check(files: &Overlay) -> Option<Files> {
    let loaded = dax_project::load(files).ok()?;
    let params = Params { values: BTreeMap::new(), typed: BTreeMap::new(), missing: Missing::Ignore, only: None, outputs: BTreeMap::new() };
    let (_, diagnostics) = loaded.check(&params);
    let sources = &loaded.sources;
    let mut all: Files = sources.ids().map(|file| (sources.name(file).to_owned(), (Arc::from(sources.text(file)), Vec::new()))).collect();
    for diagnostic in diagnostics {
        let related = diagnostic.related.iter().map(|related| sources.name(related.span.file).to_owned()).collect();
        if let Some((_, found)) = all.get_mut(sources.name(diagnostic.span.file)) {
            found.push(Finding { diagnostic, related });
        }
    }
    Some(all)
}
