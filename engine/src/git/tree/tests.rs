//! A commit is read as its checkout is read.

use super::{AtRevision, Tree};
use crate::files::Disk;
use dax_project::FileSystem;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

fn git(folder: &Path, args: &[&str]) {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder).args(["-c", "user.name=a", "-c", "user.email=a@example.com"]);
    command.args(["-c", "protocol.file.allow=always", "-c", "init.defaultBranch=main"]);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_NOSYSTEM", "1");
    let ran = command.args(args).output().expect("git");
    assert!(ran.status.success(), "{args:?}: {}", String::from_utf8_lossy(&ran.stderr));
}

/// A repository whose folder `shop` is a project with links of all kinds.
fn repository() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    for name in ["shop/own", "shop/real/deep", "shop/vendor/a@1", "lib", "other"] {
        std::fs::create_dir_all(top.join(name)).expect("a folder");
    }
    for name in [
        "secret.dax",
        "shop/dax.mod",
        "shop/own/a.dax",
        "shop/real/main.txt",
        "shop/real/deep/b.dax",
        "shop/vendor/a@1/LICENSE",
        "shop/vendor/a@1/c.dax",
        "lib/d.dax",
    ] {
        std::fs::write(top.join(name), name).expect("a file");
    }
    for (target, link) in [
        ("real/main.txt", "shop/main.dax"),
        ("main.dax", "shop/again.dax"),
        ("real/deep", "shop/linked"),
        ("../own/../own/a.dax", "shop/real/a.dax"),
        ("../secret.dax", "shop/out.dax"),
        ("/etc/hostname", "shop/far.dax"),
        ("..", "shop/up"),
        ("nothing", "shop/dangling.dax"),
        ("circle.dax", "shop/circle.dax"),
        (".dax/state.db", "shop/state.yaml"),
        ("../shop/own", "lib/in"),
        ("lib", "packages"),
        ("c.dax", "shop/vendor/a@1/e.dax"),
    ] {
        symlink(target, top.join(link)).expect("a link");
    }
    git(top, &["init", "--quiet"]);
    git(&top.join("other"), &["init", "--quiet"]);
    git(&top.join("other"), &["commit", "--quiet", "--allow-empty", "-m", "other"]);
    std::fs::write(top.join("other/f.dax"), "f").expect("a file");
    git(&top.join("other"), &["add", "."]);
    git(&top.join("other"), &["commit", "--quiet", "-m", "other"]);
    git(top, &["submodule", "--quiet", "add", "./other", "shop/sub"]);
    git(top, &["add", "shop", "lib", "packages", "secret.dax"]);
    git(top, &["commit", "--quiet", "-m", "all"]);
    std::fs::create_dir(top.join("shop/.dax")).expect("a folder");
    std::fs::write(top.join("shop/.dax/state.db"), "dax's own").expect("a file");
    folder
}

/// The answer to a read or a list; kinds of refusals are one, each place has words of its own.
fn answer<T: std::fmt::Debug>(found: std::io::Result<Option<T>>) -> String {
    match found {
        Ok(found) => format!("{found:?}"),
        Err(_) => "refused".to_owned(),
    }
}

#[test]
fn a_commit_is_read_as_its_checkout_is_read() {
    let folder = repository();
    let disk = Disk::new(&folder.path().join("shop"));
    let tree = Tree::at(folder.path(), "HEAD").expect("a commit");
    let there = AtRevision { tree: &tree, prefix: "shop/".to_owned() };
    let files = [
        ("", "dax.mod"),
        ("", "main.dax"),
        ("", "again.dax"),
        ("", "linked/b.dax"),
        ("", "linked/../deep/b.dax"),
        ("", "real/a.dax"),
        ("", "own/./../own/a.dax"),
        ("", "own/a.dax/more"),
        ("", "own/a.dax/../a.dax"),
        ("", "own"),
        ("", "out.dax"),
        ("", "far.dax"),
        ("", "up/secret.dax"),
        ("", "../secret.dax"),
        ("", "/etc/hostname"),
        ("", "dangling.dax"),
        ("", "circle.dax"),
        ("", "state.yaml"),
        ("", ".git/config"),
        ("", "nothing/../dax.mod"),
        ("", "nothing"),
        ("vendor/a@1", "LICENSE"),
        ("vendor/a@1", "c.dax"),
        ("vendor/a@1", "e.dax"),
        ("vendor/a@1", "../a@1/c.dax"),
        ("x/../own", "a.dax"),
        ("linked", "b.dax"),
        ("up", "secret.dax"),
        ("../lib", "d.dax"),
        ("../lib", "in/a.dax"),
        ("../packages", "d.dax"),
        ("nothing", "d.dax"),
    ];
    for (within, path) in files {
        let (here, there) = (answer(disk.read(within, path)), answer(there.read(within, path)));
        assert_eq!(here, there, "{within} {path}");
    }
    let sorted = |found: std::io::Result<Option<Vec<String>>>| {
        answer(found.map(|found| {
            found.map(|mut names| {
                // What is hidden is no part of a program.
                names.retain(|name| !name.starts_with('.'));
                names.sort();
                names
            })
        }))
    };
    for (within, path) in [
        ("", ""),
        ("", "real"),
        ("", "linked"),
        ("", "up"),
        ("", "nothing"),
        ("", "dax.mod"),
        ("vendor/a@1", ""),
        ("../lib", ""),
        ("../packages", ""),
    ] {
        let (here, there) = (sorted(disk.list(within, path)), sorted(there.list(within, path)));
        assert_eq!(here, there, "{within} {path}");
    }
}

#[test]
fn what_lies_in_a_submodule_is_an_error_and_no_file_that_lacks() {
    let folder = repository();
    let tree = Tree::at(folder.path(), "HEAD").expect("a commit");
    let there = AtRevision { tree: &tree, prefix: "shop/".to_owned() };
    for (within, path) in [("", "sub/f.dax"), ("", "sub/nothing.dax"), ("sub", "dax.mod")] {
        let error = there.read(within, path).expect_err("a submodule").to_string();
        assert_eq!(error, "it lies in a submodule, whose files are no part of the commit");
    }
    assert!(there.list("", "sub").is_err());
    let names = there.list("", "").expect("a folder").expect("a folder");
    assert!(names.contains(&"sub/".to_owned()), "{names:?}");
}
