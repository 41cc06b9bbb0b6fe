//! What is no regular file, and files without an end: named, and never waited for.

use super::{CANARY, Checkout};

#[test]
fn pipes_are_named_and_not_waited_for() {
    let program = "import m from \"./m\"\nlet c = data \"c.json\"\nlet d = m.a\n";
    for (name, args) in [
        ("c.json", &["check"][..]),
        ("m.dax", &["check"]),
        ("dax.lock", &["check"]),
        ("dax.mod", &["check"]),
        ("m.dax", &["fmt", "--check"]),
        ("m.dax", &["fmt", "m.dax"]),
        ("manifests/a.yaml", &["import", "kubernetes", "manifests"]),
    ] {
        let checkout = Checkout::new(&[("main.dax", program), ("manifests/b.yaml", "a: 1\n")]);
        if name == "dax.lock" {
            let require = "project = \"hostile\"\nrequire \"acme/p\" { path = \"p\" }\n";
            checkout.put("dax.mod", require);
            checkout.put("p/dax.mod", "project = \"p\"\n");
        }
        let _ = std::fs::remove_file(checkout.path(name));
        checkout.fifo(name);
        checkout.refused(args, "is a pipe");
        let said = checkout.dax(args);
        assert!(said.text.contains(name.rsplit('/').next().unwrap_or(name)), "{}", said.text);
    }
}

#[test]
fn files_without_an_end_are_refused() {
    let program = "let c = data \"zero.json\"\n";
    let checkout = Checkout::new(&[("main.dax", program)]);
    checkout.link("zero.json", "/dev/zero");
    checkout.refused(&["check"], "leads out of the project");
    std::fs::remove_file(checkout.path("zero.json")).expect("removed");
    let file = std::fs::File::create(checkout.path("zero.json")).expect("a file");
    file.set_len(20 << 20).expect("a length");
    checkout.refused(&["check"], "larger than 16 MiB");
    file.set_len(1 << 40).expect("a length");
    checkout.refused(&["check"], "larger than 64 MiB");
    checkout.refused(&["import-schema", "zero.json"], "larger than 64 MiB");
    checkout.refused(&["import-schema", "/dev/zero"], "larger than 64 MiB");
    checkout.refused(&["import", "kubernetes", "/dev/zero"], "larger than 64 MiB");
}

#[test]
fn a_folder_of_manifests_is_read_beneath_itself() {
    let checkout = Checkout::new(&[("manifests/b.yaml", "a: 1\n")]);
    checkout.link("manifests/a.yaml", "../../home/secret.json");
    checkout.refused(&["import", "kubernetes", "manifests"], "a.yaml");
    std::fs::remove_file(checkout.path("manifests/a.yaml")).expect("removed");
    checkout.link("manifests/away", "../../home");
    checkout.link("manifests/again", ".");
    let said = checkout.dax(&["import", "kubernetes", "manifests"]);
    assert!(!said.text.contains(CANARY), "{}", said.text);
}
