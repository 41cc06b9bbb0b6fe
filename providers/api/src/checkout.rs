//! The checkout of a pipeline: input from whoever opened the change request, also where it names a program.
//!
//! A pipeline holds tokens and runs before anybody looked. So nothing that stands in its checkout decides which
//! program runs, and no program is taken from it: a kubeconfig, a configuration of a cloud's tools, a folder on
//! `PATH`. On a person's own machine the checkout is theirs, and other rules hold.

use std::ffi::{OsStr, OsString};
use std::path::{Component, Path, PathBuf};

/// The variable in which a job allows command lines that a file of its checkout may run, one a line or between commas.
pub const ALLOWED: &str = "DAX_ALLOW_EXEC";

/// Variables that the pipelines of code hosts set: GitHub Actions, GitLab CI, Bitbucket Pipelines.
const PIPELINES: [&str; 3] = ["GITHUB_ACTIONS", "GITLAB_CI", "BITBUCKET_BUILD_NUMBER"];
/// Variables in which they say where their checkout is.
const FOLDERS: [&str; 3] = ["GITHUB_WORKSPACE", "CI_PROJECT_DIR", "BITBUCKET_CLONE_DIR"];

/// A variable of the environment.
pub type Variable<'v> = &'v dyn Fn(&str) -> Option<OsString>;

/// Whether the pipeline of a code host runs.
pub fn in_pipeline(variable: Variable<'_>) -> bool {
    PIPELINES
        .iter()
        .any(|name| variable(name).is_some_and(|text| !text.is_empty() && text != "false"))
}

/// The folders that a pipeline checked out, with what its job says about programs.
#[derive(Clone, Debug)]
pub struct Checkout {
    folders: Vec<PathBuf>,
    path: OsString,
    allowed: String,
}

impl Checkout {
    /// The checkout of the pipeline that runs, around a project's folder; nothing outside of a pipeline.
    pub fn of_pipeline(root: &Path) -> Option<Self> {
        Self::new(root, &|name| std::env::var_os(name))
    }

    /// As [`Checkout::of_pipeline`], with the variables of another environment.
    pub fn new(root: &Path, variable: Variable<'_>) -> Option<Self> {
        if !in_pipeline(variable) {
            return None;
        }
        let real = |path: &Path| path.canonicalize().ok();
        let root = real(root).unwrap_or_else(|| root.to_owned());
        // The outermost repository: a submodule is content as well.
        let has_repository = |folder: &&Path| folder.join(".git").symlink_metadata().is_ok();
        let top = root.ancestors().filter(has_repository).last().unwrap_or(&root).to_owned();
        let named = FOLDERS.iter().filter_map(|name| real(Path::new(&variable(name)?)));
        let mut folders = vec![root, top];
        folders.extend(named.filter(|folder| folder.parent().is_some()));
        let text = |name: &str| variable(name).unwrap_or_default();
        let allowed = text(ALLOWED).to_string_lossy().into_owned();
        Some(Self { folders, path: text("PATH"), allowed })
    }

    /// Whether a path lies in the checkout, by itself or behind its links.
    ///
    /// One that cannot be resolved does as far as it is known.
    pub fn contains(&self, path: &Path) -> bool {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let known = path.ancestors().find_map(|folder| folder.canonicalize().ok());
        let within = |path: &Path| self.folders.iter().any(|folder| path.starts_with(folder));
        within(&path) || known.is_some_and(|known| within(&known))
    }

    /// The file of a program outside of the checkout.
    ///
    /// # Errors
    /// It is named by a relative path, lies in the checkout, or is nowhere else on `PATH`.
    pub fn program(&self, command: &str) -> Result<PathBuf, String> {
        let path = Path::new(command);
        if path.is_absolute() {
            if self.contains(path) {
                return Err("it lies in the checkout of this pipeline".to_owned());
            }
            return if is_program(path) {
                Ok(path.to_owned())
            } else {
                Err("there is no such program".to_owned())
            };
        }
        let mut parts = path.components();
        let is_name = matches!(parts.next(), Some(Component::Normal(name)) if name == command);
        if !is_name {
            return Err("it is named by a relative path, which the checkout can fill".to_owned());
        }
        let all = std::env::split_paths(&self.path);
        let found: Vec<PathBuf> =
            all.map(|folder| folder.join(command)).filter(|file| is_program(file)).collect();
        match found.iter().find(|file| file.is_absolute() && !self.contains(file)) {
            Some(file) => Ok(file.clone()),
            None if found.is_empty() => Err("it is not on PATH".to_owned()),
            None => Err("the only one on PATH lies in the checkout of this pipeline".to_owned()),
        }
    }

    /// Whether the checkout decides what a command is that somebody else looks up: by a relative path, by a file of its
    /// own, or by the first folder on `PATH` that has one.
    pub fn fills(&self, command: &str) -> bool {
        let path = Path::new(command);
        if path.is_absolute() {
            return self.contains(path);
        }
        if command.contains('/') {
            return true;
        }
        let mut all = std::env::split_paths(&self.path).map(|folder| folder.join(command));
        all.find(|file| is_program(file))
            .is_some_and(|file| !file.is_absolute() || self.contains(&file))
    }

    /// Whether the job allows a file of the checkout to run exactly this command line.
    pub fn allows<'a>(&self, command: &'a str, args: impl IntoIterator<Item = &'a str>) -> bool {
        let wanted: Vec<&str> = std::iter::once(command).chain(args).collect();
        let mut lines = self.allowed.split(['\n', ',']);
        lines.any(|line| line.split_whitespace().eq(wanted.iter().copied()))
    }
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    let found = std::fs::metadata(path);
    found.is_ok_and(|found| found.is_file() && found.permissions().mode() & 0o111 != 0)
}

/// The files that a variable names, or else the one of a path below the home folder.
pub fn named_or_home(variable: Variable<'_>, name: &str, below_home: &str) -> Option<PathBuf> {
    let is_set = |text: &OsString| !AsRef::<OsStr>::as_ref(text).is_empty();
    match variable(name).filter(is_set) {
        Some(path) => Some(PathBuf::from(path)),
        None => variable("HOME").filter(is_set).map(|home| Path::new(&home).join(below_home)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::os::unix::fs::{PermissionsExt, symlink};

    struct World {
        outer: tempfile::TempDir,
        variables: BTreeMap<String, OsString>,
    }

    impl World {
        fn new() -> Self {
            let outer = tempfile::tempdir().unwrap();
            for folder in ["checkout/.git", "checkout/project", "checkout/bin", "bin"] {
                std::fs::create_dir_all(outer.path().join(folder)).unwrap();
            }
            for program in ["checkout/bin/aws", "bin/gcloud", "bin/aws", "checkout/bin/evil"] {
                let path = outer.path().join(program);
                std::fs::write(&path, "#!/bin/sh\n").unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            std::fs::write(outer.path().join("bin/text"), "").unwrap();
            symlink("../bin/gcloud", outer.path().join("checkout/link")).unwrap();
            symlink("../checkout/bin/evil", outer.path().join("bin/linked")).unwrap();
            let mut world = Self { outer, variables: BTreeMap::new() };
            world.set("GITLAB_CI", "true");
            let path = [world.path("checkout/bin"), "bin".into(), world.path("bin")];
            let path = std::env::join_paths(path).unwrap();
            world.variables.insert("PATH".to_owned(), path);
            world
        }

        fn path(&self, name: &str) -> PathBuf {
            self.outer.path().join(name)
        }

        fn set(&mut self, name: &str, text: &str) {
            self.variables.insert(name.to_owned(), text.into());
        }

        fn checkout(&self) -> Option<Checkout> {
            let variable = |name: &str| self.variables.get(name).cloned();
            Checkout::new(&self.path("checkout/project"), &variable)
        }
    }

    #[test]
    fn only_a_pipeline_has_one_and_it_is_the_whole_repository() {
        let mut world = World::new();
        let checkout = world.checkout().unwrap();
        for path in ["checkout/a", "checkout/project/a/b", "checkout/link", "bin/linked"] {
            assert!(checkout.contains(&world.path(path)), "{path}");
        }
        for path in ["bin/gcloud", "checkouts/a", "a"] {
            assert!(!checkout.contains(&world.path(path)), "{path}");
        }
        let workspace = world.path("bin").display().to_string();
        world.set("CI_PROJECT_DIR", &workspace);
        assert!(world.checkout().unwrap().contains(&world.path("bin/gcloud")));
        for (name, text) in [("GITLAB_CI", "false"), ("GITLAB_CI", ""), ("CI", "true")] {
            world.variables.remove("GITLAB_CI");
            world.set(name, text);
            assert!(world.checkout().is_none(), "{name}={text}");
        }
    }

    #[test]
    fn a_program_is_never_taken_from_the_checkout() {
        let world = World::new();
        let checkout = world.checkout().unwrap();
        let at = |path: &str| world.path(path).display().to_string();
        assert_eq!(checkout.program("aws").unwrap(), world.path("bin/aws"));
        assert_eq!(checkout.program(&at("bin/gcloud")).unwrap(), world.path("bin/gcloud"));
        for (command, why) in [
            (at("checkout/bin/aws").as_str(), "lies in the checkout"),
            (&at("checkout/link"), "lies in the checkout"),
            (&at("bin/linked"), "lies in the checkout"),
            (&at("bin/text"), "no such program"),
            ("evil", "the only one on PATH lies in the checkout"),
            ("linked", "the only one on PATH lies in the checkout"),
            ("text", "not on PATH"),
            ("./aws", "relative path"),
            ("bin/aws", "relative path"),
            ("../bin/aws", "relative path"),
            ("..", "relative path"),
            ("", "relative path"),
        ] {
            let refused = checkout.program(command).unwrap_err();
            assert!(refused.contains(why), "{command}: {refused}");
        }
        // Where others look it up, the first on PATH counts.
        for command in
            ["aws", "evil", "linked", "./aws", &at("checkout/bin/aws"), &at("bin/linked")]
        {
            assert!(checkout.fills(command), "{command}");
        }
        for command in ["gcloud", "nothing", &at("bin/aws")] {
            assert!(!checkout.fills(command), "{command}");
        }
    }

    #[test]
    fn a_job_allows_whole_command_lines() {
        let mut world = World::new();
        world.set(ALLOWED, "gke-gcloud-auth-plugin, aws eks get-token\n/opt/x --for shop\n");
        let checkout = world.checkout().unwrap();
        assert!(checkout.allows("gke-gcloud-auth-plugin", []));
        assert!(checkout.allows("aws", ["eks", "get-token"]));
        assert!(checkout.allows("/opt/x", ["--for", "shop"]));
        for (command, args) in [
            ("aws", &["eks", "get-token", "--debug"][..]),
            ("aws", &["eks get-token"]),
            ("aws", &[]),
            ("x", &["--for", "shop"]),
            ("", &[]),
        ] {
            assert!(!checkout.allows(command, args.iter().copied()), "{command} {args:?}");
        }
        world.set(ALLOWED, "");
        assert!(!world.checkout().unwrap().allows("", []));
    }
}
