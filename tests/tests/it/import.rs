//! What other tools describe becomes programs that check, and names what it leaves out.

use dax_tests::{Files, cases, load, params};

#[test]
fn manifests_become_services_that_check() {
    for (case, folder) in cases("import") {
        let text = std::fs::read_to_string(folder.join("in.yaml")).expect("manifests");
        let request = dax_import::Request {
            texts: &[text],
            environment: "production",
            context: "shop",
            kubeconfig: None,
            adopt: false,
        };
        let imported = dax_import::import(&request).expect("services");
        let (_, found) = load(&Files::project(&imported.text)).analyse(&params(&[]));
        let found: Vec<String> =
            found.iter().map(|finding| format!("{} {}", finding.code, finding.detail)).collect();
        assert_eq!(found, Vec::<String>::new(), "{}", imported.text);
        assert_eq!(dax_syntax::format(&imported.text), imported.text);
        super::compare(
            "import",
            &case,
            &format!("{}--- left\n{}\n", imported.text, imported.left.join("\n")),
        );
    }
}

#[test]
fn what_holds_no_object_is_an_error_and_so_is_what_is_no_yaml() {
    let import = |text: &str| {
        let request = dax_import::Request {
            texts: &[text.to_owned()],
            environment: "production",
            context: "shop",
            kubeconfig: None,
            adopt: false,
        };
        dax_import::import(&request).expect_err("an error")
    };
    assert!(
        import("kind: ConfigMap\nmetadata: {name: a}\n")
            .contains("there is no object of Kubernetes in it")
    );
    assert!(import("a: [1\n").contains("this is no YAML"));
}
