//! Links that lead out of a checkout, and names that climb out of it.

use super::{CANARY, Checkout};
use std::os::unix::fs::symlink;
use std::path::Path;

/// A program that runs nothing of its own.
const PLAIN: &str = "import memory from \"std/memory\"\n\nprovider memory.world {\n}\n\nservice web {\n  image = \"web:1\"\n}\n\nenvironment dev {\n  bind web to memory.world\n}\n";

fn with(before: &str, field: &str) -> String {
    format!(
        "{before}\n{}",
        PLAIN.replace("image = \"web:1\"", &format!("image = \"web:1\"\n{field}"))
    )
}

/// Commands that read a project.
const READING: &[&[&str]] = &[
    &["check"],
    &["fmt", "--check"],
    &["fmt"],
    &["lint"],
    &["lint", "--fix"],
    &["test"],
    &["plan", "-e", "dev", "--format", "markdown"],
    &["plan", "-e", "dev", "--format", "json"],
    &["why", "dev.web.env"],
    &["graph", "-e", "dev"],
    &["build"],
    &["doc"],
    &["affected", "--base", "HEAD"],
    &["vendor"],
    &["eval", "1"],
    &["status"],
    &["drift", "-e", "dev"],
    &["history", "-e", "dev"],
    &["state", "list"],
];

/// Runs every command over a checkout; none shows or changes what lies outside. Gives what they
/// said.
fn harmless(checkout: &Checkout) -> String {
    let before = checkout.outside();
    let mut all = String::new();
    for args in READING {
        let said = checkout.dax(args);
        assert!(!said.text.contains(CANARY), "dax {args:?} shows it\n{}", said.text);
        assert!(!said.text.contains("panicked"), "dax {args:?}\n{}", said.text);
        assert_eq!(checkout.outside(), before, "dax {args:?} changed what lies outside");
        all.push_str(&said.text);
    }
    all
}

#[test]
fn data_that_is_a_link_out_of_the_project_is_read_by_no_command() {
    let program = with("let c = data \"c.json\"\n", "  env = { LEAK: c.k }");
    let checkout = Checkout::new(&[("main.dax", &program)]);
    checkout.link("c.json", "../home/secret.json");
    assert!(harmless(&checkout).contains("leads out of the project"));
    std::fs::remove_file(checkout.path("c.json")).expect("removed");
    checkout.link("c.json", checkout.home().join("secret.json"));
    checkout.refused(&["check"], "leads out of the project");
}

#[test]
fn folders_on_the_way_to_data_and_modules_are_no_way_out() {
    let program = with(
        "import m from \"./away\"\nimport n from \"./away/module.dax\"\nlet c = data \"away/secret.json\"\n",
        "  env = { A: m.leaked, B: n.leaked, C: c.k }",
    );
    let checkout = Checkout::new(&[("main.dax", &program)]);
    checkout.link("away", "../home");
    assert!(harmless(&checkout).contains("leads out of the project"));
}

#[test]
fn a_file_of_the_program_that_is_a_link_out_is_neither_read_nor_formatted() {
    let checkout = Checkout::new(&[("main.dax", &with("", "  env = { A: leaked }"))]);
    std::fs::write(checkout.home().join("module.dax"), format!("let   leaked = \"{CANARY}\"\n"))
        .expect("written");
    checkout.link("other.dax", "../home/module.dax");
    assert!(harmless(&checkout).contains("leads out of the project"));
    checkout.refused(&["fmt", "other.dax"], "leads out of the project");
}

#[test]
fn a_package_a_lock_and_a_folder_of_packages_are_no_way_out() {
    let manifest = "project = \"hostile\"\nrequire \"acme/p\" { path = \"package\" }\n";
    let program = with("import p from \"acme/p\"\n", "  env = { A: p.leaked }");
    let checkout = Checkout::new(&[("dax.mod", manifest), ("main.dax", &program)]);
    checkout.link("package", "../home/package");
    checkout.link("dax.lock", "../home/secret.json");
    checkout.link("vendor", "../home");
    assert!(harmless(&checkout).contains("leads out of the project"));
}

#[test]
fn what_is_written_by_default_is_written_beneath_the_project() {
    let checkout = Checkout::new(&[("main.dax", &with("", ""))]);
    checkout.link("site", "../home");
    assert!(harmless(&checkout).contains("leads out of the project"));
    std::fs::remove_file(checkout.path("site")).expect("removed");
    checkout.link("site/index.html", "../../home/index.html");
    let before = checkout.outside();
    let said = checkout.dax(&["doc"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(checkout.outside(), before);
    assert!(!checkout.path("site/index.html").is_symlink());
}

#[test]
fn copies_of_packages_are_neither_written_nor_removed_through_a_link() {
    let manifest = "project = \"hostile\"\npackages = \"packages\"\nrequire \"acme/p\" { version = \"1.0.0\" }\n";
    let files = [
        ("dax.mod", manifest),
        ("main.dax", "import p from \"acme/p\"\nlet a = p.value\n"),
        ("packages/acme/p/1.0.0/dax.mod", "project = \"p\"\n"),
        ("packages/acme/p/1.0.0/main.dax", "let value = 1\n"),
        ("src/kept@1/file", "kept"),
    ];
    let checkout = Checkout::new(&files);
    checkout.link("vendor", "../home");
    let before = checkout.outside();
    checkout.refused(&["vendor"], "leads out of the project");
    std::fs::remove_file(checkout.path("vendor")).expect("removed");
    // `vendor` removes folders that nothing requires: none behind a link.
    checkout.link("vendor/away", "../../home");
    checkout.link("vendor/inner", "../src");
    let said = checkout.dax(&["vendor"]);
    assert_eq!(said.code, 0, "{}", said.text);
    assert_eq!(checkout.outside(), before);
    assert!(checkout.path("src/kept@1/file").exists());
    assert_eq!(checkout.dax(&["check"]).code, 0);
    // A link in place of a file, with the same content, is no file of the package.
    let copy = checkout.path("vendor/acme/p@1.0.0/main.dax");
    std::fs::rename(&copy, checkout.path("same")).expect("moved");
    symlink("../../../same", &copy).expect("a link");
    checkout.refused(&["check"], "symbolic link");
}

#[test]
fn what_is_not_locked_is_not_read_from_a_package() {
    let manifest = "project = \"hostile\"\npackages = \"packages\"\nrequire \"acme/p\" { version = \"1.0.0\" }\n";
    let files = [
        ("dax.mod", manifest),
        ("main.dax", "import p from \"acme/p\"\nlet a = p.value\n"),
        ("packages/acme/p/1.0.0/dax.mod", "project = \"p\"\n"),
        ("packages/acme/p/1.0.0/main.dax", "let value = 1\n"),
    ];
    let checkout = Checkout::new(&files);
    assert_eq!(checkout.dax(&["vendor"]).code, 0);
    let folder = "vendor/acme/p@1.0.0";
    checkout.put(&format!("{folder}/.hidden.dax"), "let added = 1\nlet value = 2\n");
    let said = checkout.dax(&["eval", "p.value"]);
    assert!(said.text.starts_with('1'), "{}", said.text);
    checkout.put(&format!("{folder}/added.dax"), "let added = 1\n");
    checkout.refused(&["check"], "was not there when it was locked");
}

#[test]
fn state_and_tokens_are_no_data_by_whatever_name() {
    let paths =
        [".dax/state.json", ".git/config.json", ".DAX/state.json", "x/state.json", "y.json"];
    for path in paths {
        let program = format!("let c = data \"{path}\"\n");
        let checkout = Checkout::new(&[("main.dax", &program)]);
        for folder in [".dax", ".git"] {
            checkout.put(&format!("{folder}/state.json"), &format!("{{\"k\": \"{CANARY}\"}}"));
            checkout.put(&format!("{folder}/config.json"), &format!("{{\"k\": \"{CANARY}\"}}"));
        }
        checkout.link("x", ".dax");
        checkout.link("y.json", "x/state.json");
        checkout.refused(&["check"], "which no program can name");
        checkout.refused(&["eval", "c.k"], "which no program can name");
    }
}

#[test]
fn a_secret_beneath_the_project_is_a_file_beneath_it() {
    for (written, says) in [
        ("token", "leads out of the project"),
        ("../home/id_rsa", "leads out of the project"),
        ("pipe", "is a pipe"),
        (".git/config.json", "which no program can name"),
    ] {
        let program = with(&format!("secret s from file(\"{written}\")\n"), "  env = { S: s }");
        let checkout = Checkout::new(&[("main.dax", &program)]);
        checkout.link("token", "../home/id_rsa");
        checkout.put(".git/config.json", CANARY);
        checkout.fifo("pipe");
        checkout.refused(&["plan", "-e", "dev"], says);
    }
    let checkout = Checkout::new(&[]);
    let whole = checkout.home().join("id_rsa");
    let program =
        with(&format!("secret s from file(\"{}\")\n", whole.display()), "  env = { S: s }");
    checkout.put("main.dax", &program);
    let said = checkout.dax(&["plan", "-e", "dev"]);
    assert!(said.code == 0 && !said.text.contains(CANARY), "{}", said.text);
}

#[test]
fn a_link_that_stays_beneath_the_project_is_followed_and_stays_a_link() {
    let checkout = Checkout::new(&[
        ("main.dax", "import m from \"./module\"\nlet a = m.b\nlet c = (data \"near.json\").k\n"),
        ("shared/b.dax", "let   b = 2\n"),
        ("shared/c.json", "{\"k\": 3}\n"),
    ]);
    checkout.link("module", "shared");
    checkout.link("near.json", "module/c.json");
    checkout.link("shared/again.txt", "b.dax");
    checkout.link("linked.dax", "real.txt");
    checkout.put("real.txt", "let   d = 4\n");
    let said = checkout.dax(&["eval", "[a, c, d]"]);
    assert!(said.text.contains("[2, 3, 4]"), "{}", said.text);
    assert_eq!(checkout.dax(&["fmt"]).code, 0);
    assert!(checkout.path("linked.dax").is_symlink());
    let text = |name: &str| std::fs::read_to_string(checkout.path(name)).expect("a text");
    assert_eq!(
        (text("real.txt"), text("shared/b.dax")),
        ("let d = 4\n".into(), "let b = 2\n".into())
    );
}

#[test]
fn init_makes_new_files_only() {
    let checkout = Checkout::new(&[]);
    std::fs::create_dir(checkout.path("new")).expect("a folder");
    checkout.link("new/main.dax", checkout.home().join("made"));
    checkout.refused(&["init", "new"], "is there already");
    assert!(!Path::new(&checkout.home().join("made")).exists());
}
