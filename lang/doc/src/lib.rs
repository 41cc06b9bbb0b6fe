//! Documentation of a project as a static site: its modules, types, functions, services and environments.
//!
//! Every page stands alone and needs no network. All text from the program is escaped.

mod html;
mod pages;

use dax_ir::Graph;
use dax_project::Loaded;
use std::collections::BTreeMap;

/// What the site is made of.
pub struct Request<'r> {
    /// The project.
    pub loaded: &'r Loaded,
    /// What it denotes.
    pub graph: &'r Graph,
    /// A picture of an environment's services and their needs, as SVG, by the environment's name.
    pub pictures: &'r BTreeMap<String, String>,
}

/// The files of the site by path.
pub fn site(request: &Request<'_>) -> BTreeMap<String, String> {
    let mut files = BTreeMap::new();
    files.insert("index.html".to_owned(), pages::index(request));
    for (at, module) in request.loaded.program.modules.iter().enumerate() {
        files.insert(pages::module_file(request, at), pages::module(request, at, module));
    }
    for environment in request.graph.environments.values() {
        files.insert(
            format!("environment-{}.html", environment.name),
            pages::environment(request, environment),
        );
    }
    files
}
