//! What pipelines are set up with: workflows, the action, hooks, and the script that installs dax.

use dax_tests::peers::github::validator;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("a folder").to_owned()
}

#[test]
fn the_action_and_the_workflows_are_what_github_takes() {
    let Some(validate) = validator() else { return };
    let mut files = vec![root().join("action.yml")];
    files.extend(
        std::fs::read_dir(root().join("examples/ci/github"))
            .expect("a folder")
            .flatten()
            .map(|entry| entry.path()),
    );
    assert!(files.len() > 3);
    let run = |file: &Path| -> Output { validate().arg(file).output().expect("it runs") };
    for file in &files {
        let output = run(file);
        assert!(
            output.status.success(),
            "{}: {}",
            file.display(),
            String::from_utf8_lossy(&output.stdout)
        );
        // Nothing of others is taken by a name that may mean something else tomorrow.
        for line in std::fs::read_to_string(file)
            .expect("a text")
            .lines()
            .filter(|line| line.contains("uses: actions/"))
        {
            let commit =
                line.split('@').nth(1).and_then(|rest| rest.split(' ').next()).unwrap_or_default();
            assert!(
                commit.len() == 40 && commit.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{line}"
            );
        }
    }
    // It can say no.
    let folder = tempfile::tempdir().expect("a folder");
    let wrong = folder.path().join("wrong.yml");
    std::fs::write(&wrong, "on: push\njobs:\n  a:\n    runs_on: x\n").expect("written");
    assert!(!run(&wrong).status.success());
}

#[test]
fn what_is_installed_is_what_was_released() {
    let folder = tempfile::tempdir().expect("a folder");
    let source = folder.path().join("source");
    let releases = folder.path().join("releases/v9.9.9");
    for path in [source.join("install"), releases.clone()] {
        std::fs::create_dir_all(path).expect("a folder");
    }
    std::fs::copy(root().join("install/install.sh"), source.join("install/install.sh"))
        .expect("copied");
    std::fs::write(source.join("Cargo.toml"), "[workspace.package]\nversion = \"9.9.9\"\n")
        .expect("written");
    let machine = Command::new("uname").arg("-m").output().expect("uname");
    let machine = String::from_utf8_lossy(&machine.stdout).trim().replace("arm64", "aarch64");
    let name = format!("dax-9.9.9-{machine}-unknown-linux-gnu.tar.gz");
    std::fs::write(folder.path().join("dax"), "#!/bin/sh\necho dax 9.9.9\n").expect("written");
    let made = Command::new("sh")
        .current_dir(folder.path())
        .args([
            "-c",
            &format!(
                "chmod +x dax && tar -czf {0} dax && sha256sum {0}",
                releases.join(&name).display()
            ),
        ])
        .output()
        .expect("tar");
    let digest =
        String::from_utf8_lossy(&made.stdout).split(' ').next().unwrap_or_default().to_owned();
    assert_eq!(digest.len(), 64, "{}", String::from_utf8_lossy(&made.stderr));
    let run = |sums: &str| {
        std::fs::write(source.join("install/checksums.txt"), sums).expect("written");
        let mut command = Command::new("bash");
        command
            .arg(source.join("install/install.sh"))
            .env("DAX_INSTALL", folder.path().join("bin"))
            .env_remove("DAX_VERSION");
        command.env("DAX_RELEASES", format!("file://{}", folder.path().join("releases").display()));
        command.output().expect("bash")
    };
    let said = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let good = run(&format!("# releases\n{digest}  {name}\n"));
    assert!(good.status.success() && said(&good).contains("dax 9.9.9"), "{}", said(&good));
    std::fs::remove_file(folder.path().join("bin/dax")).expect("it is there");
    let other = run(&format!("{}  {name}\n", "0".repeat(64)));
    assert!(
        !other.status.success() && said(&other).contains("is not the one that was released"),
        "{}",
        said(&other)
    );
    assert!(!folder.path().join("bin/dax").exists());
}
