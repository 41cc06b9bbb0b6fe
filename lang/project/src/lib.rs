//! Projects: `dax.mod`, the modules that it spans, and one call that loads and analyses them all.
//!
//! The unit of compilation is the folder that holds `dax.mod`: its `.dax` files are one module,
//! other folders are modules that are imported by path. Files are read through a [`FileSystem`]
//! only.

mod approvals;
mod codes;
mod data;
mod edit;
mod load;
mod manifest;
pub mod packages;
mod policies;
mod reading;
pub mod remote;
mod signers;
pub mod text;

pub use codes::CODES;
pub use dax_sema::{
    Contribution, Declared, Facts, Missing, Params, Planned, Planner, TestOutcome, TestRequest,
    Verdict,
};
pub use load::{Loaded, load, load_with, manifest as read_manifest};
pub use manifest::{Manifest, Require, Source};
pub use packages::Package;
pub use policies::Policy;

use dax_core::{Diagnostic, Name};
use dax_ir::Graph;

/// Access to the files of a project and of its packages, each of which is a root of its own.
///
/// `within` says for whom is read: `""` for the project, else the folder of a package as its
/// [`Package::folder`] has it, counted from the project's and perhaps beside it. Paths are relative
/// to that root, with `/` between their parts; whoever implements this lets none lead out of it,
/// follows no link in a package, opens nothing but regular files and reads no more of one than fits
/// into memory.
pub trait FileSystem {
    /// The bytes of a file, or nothing when there is none.
    ///
    /// # Errors
    /// The file is there and cannot be read, or may not.
    fn read(&self, within: &str, path: &str) -> Result<Option<Vec<u8>>, std::io::Error>;

    /// The names of the files in a folder, and of its folders with a `/` behind; nothing when there
    /// is no such folder.
    ///
    /// # Errors
    /// The folder is there and cannot be read, or may not.
    fn list(&self, within: &str, folder: &str) -> Result<Option<Vec<String>>, std::io::Error>;
}

/// Why a project could not be loaded at all.
#[derive(Debug)]
pub enum ProjectError {
    /// There is no `dax.mod`.
    NoManifest,
    /// A file cannot be read.
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        source: std::io::Error,
    },
}

impl std::fmt::Display for ProjectError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NoManifest => f.write_str("there is no dax.mod here; `dax init` makes a project"),
            Self::Unreadable { path, source } => write!(f, "{path} cannot be read: {source}"),
        }
    }
}

impl std::error::Error for ProjectError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::NoManifest => None,
            Self::Unreadable { source, .. } => Some(source),
        }
    }
}

/// Whether a finding is a policy's.
pub fn is_policy(diagnostic: &Diagnostic) -> bool {
    [dax_sema::codes::POLICY_DENIED, dax_sema::codes::POLICY_WARNED].contains(&diagnostic.code)
}

impl Loaded {
    /// Types and computes everything; the diagnostics include those of loading and parsing.
    pub fn analyse(&self, params: &Params) -> (Graph, Vec<Diagnostic>) {
        let (graph, mut diagnostics) = dax_sema::analyse(&self.program, params);
        diagnostics.extend(self.diagnostics.iter().cloned());
        dax_core::diagnostic::sort(&mut diagnostics);
        (graph, diagnostics)
    }

    /// The same for whoever wants the diagnostics alone; gives the number of environments, too.
    pub fn check(&self, params: &Params) -> (usize, Vec<Diagnostic>) {
        let (count, mut diagnostics) = dax_sema::check(&self.program, params);
        diagnostics.extend(self.diagnostics.iter().cloned());
        dax_core::diagnostic::sort(&mut diagnostics);
        (count, diagnostics)
    }

    /// What the policies of a phase say of an environment; `facts` is asked only if there are any.
    pub fn judge(
        &self,
        params: &Params,
        environment: &dax_ir::Environment,
        phase: &str,
        facts: &dyn Fn() -> Facts,
    ) -> Vec<Diagnostic> {
        if !self.program.has_policies(phase) {
            return Vec::new();
        }
        dax_sema::judge(&self.program, params, environment, phase, Some(&facts()))
    }

    /// The value and the type of a `let` of the project, in an environment or outside of all.
    pub fn evaluate(
        &self,
        params: &Params,
        environment: Option<&str>,
        name: &str,
    ) -> (Option<dax_ir::Node>, String, Vec<Diagnostic>) {
        let (node, type_name, mut diagnostics) =
            dax_sema::evaluate(&self.program, params, environment, name);
        diagnostics.extend(self.diagnostics.iter().cloned());
        dax_core::diagnostic::sort(&mut diagnostics);
        (node, type_name, diagnostics)
    }

    /// Runs the project's tests.
    pub fn test(&self, request: &TestRequest, planner: Planner<'_>) -> Vec<TestOutcome> {
        dax_sema::test(&self.program, request, planner)
    }

    /// The services that an environment binds, each once for all its keys.
    pub fn bound_names(&self, environment: &str) -> Vec<Name> {
        dax_sema::bound(&self.program, environment)
    }

    /// The services that may not be destroyed in an environment.
    pub fn protected(&self, environment: &str) -> Vec<Name> {
        dax_sema::protected(&self.program, environment)
    }

    /// The names of the project's parameters.
    pub fn param_names(&self) -> Vec<Name> {
        dax_sema::param_names(&self.program)
    }

    /// The names of the project's environments.
    pub fn environment_names(&self) -> Vec<Name> {
        dax_sema::environment_names(&self.program)
    }

    /// The environments that it declares, by name.
    pub fn environments(&self) -> Vec<(Name, Declared)> {
        dax_sema::environments(&self.program)
    }

    /// What was offered for a field of a service, for `dax why`.
    pub fn contributions(
        &self,
        params: &Params,
        environment: &str,
        service: &str,
        path: &[Name],
    ) -> Vec<Contribution> {
        dax_sema::contributions(&self.program, params, environment, service, path)
    }
}
