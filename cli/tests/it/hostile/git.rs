//! Repositories of packages, and a checkout that is itself taken for a repository.

use super::{CANARY, Checkout, within};
use std::path::{Path, PathBuf};
use std::process::Command;

/// Git in a folder, for the setup of a test.
fn git(folder: &Path, args: &[&str]) -> String {
    let mut command = Command::new("git");
    command.current_dir(folder).args(["-c", "user.name=t", "-c", "user.email=t@test"]).args(args);
    command.env("GIT_CONFIG_GLOBAL", "/dev/null").env("GIT_CONFIG_SYSTEM", "/dev/null");
    let output = within(&mut command, &format!("git {args:?}"));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "git {args:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// A package's repository beside the checkout; gives its folder and its commit.
fn package(checkout: &Checkout, extra: &dyn Fn(&Path)) -> (PathBuf, String) {
    let folder = checkout.path("../package.git");
    std::fs::create_dir_all(&folder).expect("a folder");
    std::fs::write(folder.join("dax.mod"), "project = \"p\"\n").expect("written");
    std::fs::write(folder.join("main.dax"), "let value = 1\n").expect("written");
    git(&folder, &["init", "--quiet"]);
    extra(&folder);
    git(&folder, &["add", "-Af"]);
    git(&folder, &["commit", "--quiet", "-m", "one"]);
    let rev = git(&folder, &["rev-parse", "HEAD"]);
    require(checkout, &folder.display().to_string(), &rev);
    (folder, rev)
}

fn require(checkout: &Checkout, url: &str, rev: &str) {
    let text =
        format!("project = \"hostile\"\nrequire \"acme/p\" {{ git = {url:?}, rev = \"{rev}\" }}\n");
    checkout.put("dax.mod", &text);
    checkout.put("main.dax", "import p from \"acme/p\"\nlet a = p.value\n");
}

/// Whether anything of the packages here holds the canary.
fn leaked(checkout: &Checkout) -> bool {
    let mut open = vec![checkout.path("vendor")];
    while let Some(folder) = open.pop() {
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            if entry.path().is_dir() {
                open.push(entry.path());
            } else if std::fs::read_to_string(entry.path()).is_ok_and(|text| text.contains(CANARY))
            {
                return true;
            }
        }
    }
    false
}

#[test]
fn a_package_with_a_link_is_refused_by_the_name_of_the_link() {
    for (name, target) in
        [("shadow.yaml", "outside"), ("inner/near.yaml", "../main.dax"), ("up", "..")]
    {
        let checkout = Checkout::new(&[]);
        let outside = checkout.home().join("secret.json");
        package(&checkout, &|folder| {
            let target = if target == "outside" { outside.clone() } else { target.into() };
            std::fs::create_dir_all(folder.join("inner")).expect("a folder");
            std::os::unix::fs::symlink(target, folder.join(name)).expect("a link");
        });
        checkout.refused(&["vendor"], &format!("`{name}` is a symbolic link"));
        assert!(!leaked(&checkout));
    }
}

#[test]
fn a_package_is_what_git_has_and_nothing_of_it_is_run() {
    let checkout = Checkout::new(&[]);
    let ran = checkout.home().join("ran");
    let hooks = checkout.home().join("hooks");
    for hook in ["post-checkout", "reference-transaction", "post-index-change"] {
        let path = hooks.join("hooks").join(hook);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(&path, format!("#!/bin/sh\ntouch '{}'\n", ran.display())).expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&path, mode).expect("a mode");
    }
    let settings = checkout.home().join("gitconfig");
    let text = format!(
        "[filter \"evil\"]\n\tsmudge = touch '{ran}'; cat\n\trequired\n[core]\n\thooksPath = {hooks}/hooks\n[init]\n\ttemplateDir = {hooks}\n",
        ran = ran.display(),
        hooks = hooks.display()
    );
    std::fs::write(&settings, text).expect("written");
    let (_, rev) = package(&checkout, &|folder| {
        std::fs::write(folder.join(".gitattributes"), "* filter=evil\n*.yaml eol=crlf\n")
            .expect("written");
        std::fs::write(folder.join("run.yaml"), "a: 1\n").expect("written");
        let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(folder.join("run.yaml"), mode).expect("a mode");
        std::fs::create_dir_all(folder.join("vendor/other")).expect("a folder");
        std::os::unix::fs::symlink("/etc/passwd", folder.join("vendor/other/x")).expect("a link");
    });
    let before = checkout.outside();
    let said = checkout.dax_with(&["vendor"], &[("GIT_CONFIG_GLOBAL", &settings)]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(checkout.outside(), before, "something of the package was run");
    let copy = checkout.path(&format!("vendor/acme/p@{rev}"));
    assert_eq!(std::fs::read_to_string(copy.join("run.yaml")).expect("a file"), "a: 1\n");
    let mode = std::fs::metadata(copy.join("run.yaml")).expect("a file").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o111, 0);
    assert!(!copy.join("vendor").exists() && !copy.join(".gitattributes").exists());
    let said = checkout.dax(&["check"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert!(!checkout.path(".dax/fetch").exists());
}

#[test]
fn a_hook_that_runs_dax_does_not_lend_it_its_repository() {
    let checkout = Checkout::new(&[]);
    let (folder, _) = package(&checkout, &|_| {});
    let inner = folder.join(".git");
    let before = git(&folder, &["rev-parse", "HEAD"]);
    let said = checkout.dax_with(&["vendor"], &[("GIT_DIR", &inner), ("GIT_WORK_TREE", &folder)]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(git(&folder, &["rev-parse", "HEAD"]), before);
    assert_eq!(git(&folder, &["status", "--porcelain"]), "");
}

#[test]
fn addresses_that_start_programs_are_refused_before_git_is_asked() {
    let rev = "0123456789abcdef0123456789abcdef01234567";
    let checkout = Checkout::new(&[]);
    let ran = checkout.path("ran").display().to_string();
    for url in [
        "fd::0/x".to_owned(),
        "fd::17/x".to_owned(),
        format!("ext::touch {ran}"),
        format!("ext::touch% {ran}"),
        "remote-x::y".to_owned(),
        format!("--upload-pack=touch {ran}"),
        format!("ssh://-oProxyCommand=touch%20{ran}/x"),
        "git://127.0.0.1/x".to_owned(),
        "http://127.0.0.1/x".to_owned(),
    ] {
        require(&checkout, &url, rev);
        checkout.refused(&["vendor"], "DAX8001");
        checkout.refused(&["check"], "DAX8001");
        assert!(!checkout.path("ran").exists(), "{url} ran");
    }
    // What is no repository is said so by git.
    require(&checkout, "/nothing/there.git", rev);
    checkout.refused(&["vendor"], "git fetch");
}

#[test]
fn a_package_names_no_folder_and_no_repository_of_this_machine() {
    let checkout = Checkout::new(&[]);
    let home = checkout.home().join("package");
    package(&checkout, &|folder| {
        let text = format!("project = \"p\"\nrequire \"acme/own\" {{ path = {home:?} }}\n");
        std::fs::write(folder.join("dax.mod"), text).expect("written");
        std::fs::write(
            folder.join("main.dax"),
            "import own from \"acme/own\"\nlet value = own.leaked\n",
        )
        .expect("written");
    });
    checkout.refused(&["vendor"], "from a folder of this machine");
    checkout.refused(&["eval", "a"], "from a folder of this machine");
}

#[test]
fn a_checkout_that_looks_like_a_repository_sets_nothing() {
    let checkout = Checkout::new(&[(
        "main.dax",
        "import memory from \"std/memory\"\nprovider memory.world {\n}\nservice web {\n  image = \"web:1\"\n}\nenvironment dev {\n  bind web to memory.world\n}\n",
    )]);
    let top = checkout.path("");
    let ran = checkout.home().join("ran");
    git(&top, &["init", "--quiet", "--bare", "."]);
    let script = checkout.path("verify.sh");
    std::fs::write(&script, format!("#!/bin/sh\ntouch '{}'\n", ran.display())).expect("written");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&script, mode).expect("a mode");
    let tree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    git(&top, &["hash-object", "-t", "tree", "-w", "/dev/null"]);
    let commit = format!(
        "tree {tree}\nauthor a <a@b> 1700000000 +0000\ncommitter a <a@b> 1700000000 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----\n\none\n"
    );
    checkout.put("commit.txt", &commit);
    let id = git(&top, &["hash-object", "-t", "commit", "-w", "commit.txt"]);
    git(&top, &["update-ref", "HEAD", &id]);
    let settings = format!(
        "[core]\n\trepositoryformatversion = 0\n\tbare = true\n\tfsmonitor = {script}\n[log]\n\tshowSignature = true\n[gpg]\n\tprogram = {script}\n",
        script = script.display()
    );
    checkout.put("config", &settings);
    // The bait is live: git itself runs the program.
    git(&top, &["log", "-1"]);
    assert!(ran.exists(), "git does not take the bait");
    std::fs::remove_file(&ran).expect("removed");
    for args in [
        &["check"][..],
        &["plan", "-e", "dev"],
        &["apply", "-e", "dev", "--auto-approve"],
        &["affected", "--base", "HEAD"],
        &["status"],
    ] {
        checkout.dax(args);
        assert!(!ran.exists(), "dax {args:?} let git run what the checkout says");
    }
}
