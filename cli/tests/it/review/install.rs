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

/// A machine with dax's source, a checkout of somebody else's, and what was run.
struct Machine {
    folder: tempfile::TempDir,
}

impl Machine {
    /// A source whose program says its version and which variables it was built with.
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a folder") };
        let write = |name: &str, text: &str| machine.write(name, text);
        for name in ["install.sh", "toolchain"] {
            let text = std::fs::read_to_string(root().join("install").join(name)).expect("a text");
            write(&format!("source/install/{name}"), &text);
        }
        write("source/install/checksums.txt", "# none\n");
        let workspace =
            "[workspace]\nmembers = [\"cli\"]\n\n[workspace.package]\nversion = \"9.9.9\"\n";
        write("source/Cargo.toml", workspace);
        let package = "[package]\nname = \"dax-cli\"\nversion = \"9.9.9\"\nedition = \"2024\"\n\n[[bin]]\nname = \"dax\"\npath = \"main.rs\"\n";
        write("source/cli/Cargo.toml", package);
        write(
            "source/Cargo.lock",
            "version = 4\n\n[[package]]\nname = \"dax-cli\"\nversion = \"9.9.9\"\n",
        );
        write("source/cli/main.rs", "fn main() { println!(\"dax 9.9.9\"); }\n");
        // The build writes down what it could have handed on.
        let seen = machine.path("seen");
        let text = format!(
            "fn main() {{ let all: Vec<_> = std::env::vars().map(|(name, value)| format!(\"{{name}}={{value}}\")).collect(); std::fs::write({:?}, all.join(\"\\n\")).unwrap(); }}\n",
            seen.display().to_string()
        );
        write("source/cli/build.rs", &text);
        for folder in ["checkout/.git", "checkout/tc/bin", "checkout/bin"] {
            std::fs::create_dir_all(machine.path(folder)).expect("a folder");
        }
        machine
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        std::fs::write(path, text).expect("written");
    }

    /// A program of the change that writes down that it ran.
    fn evil(&self, name: &str) {
        use std::os::unix::fs::PermissionsExt;
        let text = format!("#!/bin/sh\nenv >> '{}'\nexit 0\n", self.path("evil.log").display());
        self.write(name, &text);
        let mode = std::fs::Permissions::from_mode(0o755);
        std::fs::set_permissions(self.path(name), mode).expect("a mode");
    }

    /// Runs the script in the checkout, as a step of a job does.
    fn install(&self, variables: &[(&str, &str)]) -> (bool, String) {
        let mut command = Command::new("bash");
        command.arg(self.path("source/install/install.sh")).current_dir(self.path("checkout"));
        for name in
            ["DAX_VERSION", "DAX_RELEASES", "RUSTUP_TOOLCHAIN", "CARGO_TARGET_DIR", "RUSTFLAGS"]
        {
            command.env_remove(name);
        }
        command.env("DAX_INSTALL", self.path("tools")).env("DAX_STATE_KEY", "the-key-of-the-state");
        command.envs(variables.iter().copied());
        let output = command.output().expect("bash");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    }
}

#[test]
fn what_is_not_listed_is_built_in_its_own_folder_and_the_checkout_decides_nothing() {
    let machine = Machine::new();
    machine.write("checkout/rust-toolchain.toml", "[toolchain]\npath = \"tc\"\n");
    for name in ["cargo", "rustc"] {
        machine.evil(&format!("checkout/tc/bin/{name}"));
        machine.evil(&format!("checkout/bin/{name}"));
    }
    machine.evil("checkout/wrapper");
    let wrapper = machine.path("checkout/wrapper").display().to_string();
    let config = format!("[build]\nrustc-wrapper = \"{wrapper}\"\nrustc = \"{wrapper}\"\n");
    machine.write("checkout/.cargo/config.toml", &config);
    // Caches of a pipeline lie in the checkout, too.
    machine.write("checkout/home/config.toml", &config);
    let path = format!(
        "bin:{}:.:{}",
        machine.path("checkout/bin").display(),
        std::env::var("PATH").expect("a path")
    );
    let cargo_home = machine.path("checkout/home").display().to_string();
    let job = [
        ("PATH", path.as_str()),
        ("CARGO_HOME", &cargo_home),
        ("RUSTC_WRAPPER", &wrapper),
        ("CARGO_BUILD_RUSTC_WRAPPER", &wrapper),
        ("RUSTUP_TOOLCHAIN", "./tc"),
        ("GITHUB_TOKEN", "ghs_thetokenofthejob"),
    ];
    let (done, said) = machine.install(&job);
    assert!(done, "{said}");
    // It says what it does, and where.
    let source = machine.path("source").canonicalize().expect("a path").display().to_string();
    assert!(said.contains(&format!("building dax 9.9.9 from the source in {source}")), "{said}");
    assert!(said.contains("dax 9.9.9"), "{said}");
    assert!(!machine.path("evil.log").exists(), "a program of the checkout ran");
    // A folder of any name is that folder.
    assert!(machine.path("tools/dax").is_file() && !machine.path("bin/dax").exists());
    let seen = std::fs::read_to_string(machine.path("seen")).expect("the build ran");
    let toolchain = std::fs::read_to_string(root().join("install/toolchain")).expect("a text");
    assert!(seen.contains(&format!("RUSTUP_TOOLCHAIN={}", toolchain.trim())), "{seen}");
    for secret in ["the-key-of-the-state", "ghs_thetokenofthejob", "evil"] {
        assert!(!seen.contains(secret), "{secret}: {seen}");
    }
    // Where only the checkout has a cargo, there is none.
    let alone = format!("{}:/usr/bin:/bin", machine.path("checkout/bin").display());
    let (done, said) = machine.install(&[("PATH", &alone)]);
    assert!(!done && said.contains("that needs Rust"), "{said}");
    assert!(!machine.path("evil.log").exists(), "a program of the checkout ran");
}

#[test]
fn another_version_than_the_source_is_an_error_unless_it_is_listed() {
    let machine = Machine::new();
    for version in ["9.9.8", "10.0.0"] {
        let (done, said) = machine.install(&[("DAX_VERSION", version)]);
        assert!(!done && said.contains("is listed in") && said.contains("9.9.9"), "{said}");
    }
    for version in ["../9.9.9", "9.9.9 x", "a\nb", "9/9"] {
        let (done, said) = machine.install(&[("DAX_VERSION", version)]);
        assert!(!done && said.contains("DAX_VERSION is no version"), "{said}");
    }
    assert!(!machine.path("tools/dax").exists() && !machine.path("seen").exists());
}

#[test]
fn the_toolchain_is_the_one_that_the_workspace_is_made_for() {
    let toolchain = std::fs::read_to_string(root().join("install/toolchain")).expect("a text");
    let manifest = std::fs::read_to_string(root().join("Cargo.toml")).expect("a text");
    let wanted = manifest.lines().find_map(|line| line.strip_prefix("rust-version = "));
    let wanted = wanted.expect("a version").trim_matches('"');
    assert!(toolchain.trim().starts_with(&format!("{wanted}.")), "{toolchain} {wanted}");
}

/// The lines below a key in YAML that is a block of text, without their indentation.
fn block(text: &str, after: &str, key: &str) -> String {
    let rest = &text[text.find(after).expect("a step")..];
    let mut lines = rest.lines().skip_while(|line| line.trim() != key);
    let outer = lines.next().expect("a block");
    let indent = outer.len() - outer.trim_start().len() + 2;
    let inner =
        lines.take_while(|line| line.is_empty() || line.len() - line.trim_start().len() >= indent);
    inner.map(|line| format!("{}\n", line.get(indent..).unwrap_or_default())).collect()
}

/// A program that writes down its arguments, each ended by a zero byte.
fn recorder(folder: &Path) -> PathBuf {
    use std::os::unix::fs::PermissionsExt;
    let path = folder.join("dax");
    let text =
        format!("#!/bin/sh\nprintf '%s\\0' \"$@\" > '{}'\n", folder.join("arguments").display());
    std::fs::write(&path, text).expect("written");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).expect("a mode");
    path
}

/// What dax was called with; nothing where it was not.
fn recorded(folder: &Path) -> Option<Vec<String>> {
    let text = std::fs::read(folder.join("arguments")).ok()?;
    std::fs::remove_file(folder.join("arguments")).expect("removed");
    let text = String::from_utf8(text).expect("a text");
    Some(text.split_terminator('\0').map(str::to_owned).collect())
}

/// What the action calls dax with, as GitHub runs its steps.
fn called(command: &str, arguments: &str) -> Option<Vec<String>> {
    let folder = tempfile::tempdir().expect("a folder");
    let action = std::fs::read_to_string(root().join("action.yml")).expect("a text");
    let script = folder.path().join("step.sh");
    std::fs::write(&script, block(&action, "- name: Run dax", "run: |")).expect("written");
    let checkout = folder.path().join("checkout");
    std::fs::create_dir(&checkout).expect("a folder");
    for name in ["one", "two", "-x"] {
        std::fs::write(checkout.join(name), "").expect("written");
    }
    let output = Command::new("bash")
        .args(["--noprofile", "--norc", "-e", "-o", "pipefail"])
        .arg(&script)
        .current_dir(&checkout)
        .env("DAX_PROGRAM", recorder(folder.path()))
        .envs([("DAX_COMMAND", command), ("DAX_ARGUMENTS", arguments)])
        .output()
        .expect("bash");
    let called = recorded(folder.path());
    assert_eq!(
        output.status.success(),
        called.is_some(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    called
}

/// Arguments of a pipeline, and what dax must be called with.
const ARGUMENTS: [(&str, &[&str]); 7] = [
    ("", &[]),
    ("-p=image=acme/web:evil -e production", &["-p=image=acme/web:evil -e production"]),
    ("-e\nproduction\n", &["-e", "production"]),
    ("*\n?wo\n[a-z]*", &["*", "?wo", "[a-z]*"]),
    ("$(touch it)\n`touch it`\n$HOME;touch it", &["$(touch it)", "`touch it`", "$HOME;touch it"]),
    ("--reason=it's \"fine\" \\ now", &["--reason=it's \"fine\" \\ now"]),
    ("\n\n--all\n\n", &["--all"]),
];

#[test]
fn a_line_of_arguments_is_one_argument_of_the_action() {
    for (arguments, wanted) in ARGUMENTS {
        let called = called("ci apply", arguments).expect("dax is called");
        assert_eq!(called, [&["ci", "apply"], wanted].concat(), "{arguments}");
    }
    assert_eq!(called("ci", "-e\r\nproduction\r\n").expect("called"), ["ci", "-e", "production"]);
    for command in ["ci apply -e production", "ci --all", "-e", "ci\n--all", "*", "ci;id", "$HOME"]
    {
        assert_eq!(called(command, ""), None, "{command}");
    }
}

#[test]
fn a_line_of_arguments_is_one_argument_of_the_pipe() {
    let pipe = root().join("examples/ci/bitbucket/pipe/pipe.sh");
    let folder = tempfile::tempdir().expect("a folder");
    let text = std::fs::read_to_string(pipe).expect("a text");
    let program = recorder(folder.path()).display().to_string();
    let script = folder.path().join("pipe.sh");
    std::fs::write(&script, text.replace("/usr/local/bin/dax", &program)).expect("written");
    let checkout = folder.path().join("checkout");
    std::fs::create_dir(&checkout).expect("a folder");
    for name in ["one", "two"] {
        std::fs::write(checkout.join(name), "").expect("written");
    }
    let run = |command: &str, arguments: &str| {
        let output = Command::new("sh")
            .arg(&script)
            .current_dir(&checkout)
            .env("HOME", folder.path())
            .env("BITBUCKET_CLONE_DIR", &checkout)
            .envs([("COMMAND", command), ("ARGUMENTS", arguments)])
            .output()
            .expect("sh");
        let called = recorded(folder.path());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.success(), called.is_some(), "{said}");
        called
    };
    for (arguments, wanted) in ARGUMENTS {
        let called = run("ci apply", arguments).expect("dax is called");
        assert_eq!(called, [&["ci", "apply"], wanted].concat(), "{arguments}");
    }
    assert_eq!(run("", "").expect("dax is called"), ["ci"]);
    // Ends of lines as Windows has them, and empty lines, are no part of an argument.
    assert_eq!(run("ci", "--all\r\n\r\n-q\r\n").expect("dax is called"), ["ci", "--all", "-q"]);
    for command in ["ci apply -e production", "* ci", "ci\n--all", "ci;id"] {
        assert_eq!(run(command, ""), None, "{command}");
    }
}

#[test]
fn an_input_of_the_deploying_repository_is_an_image_and_nothing_more() {
    let workflow = root().join("examples/ci/github/polyrepo-deploy.yml");
    let workflow = std::fs::read_to_string(workflow).expect("a text");
    let script = block(&workflow, "- name: An image of ours", "run: |");
    // What is checked stands before what uses it.
    let (check, dax) =
        (workflow.find("- name: An image of ours"), workflow.find("uses: acme/dax@"));
    assert!(check < dax && check.is_some());
    let passes = |image: &str| {
        let mut command = Command::new("bash");
        command.args(["--noprofile", "--norc", "-e", "-o", "pipefail", "-c", &script]);
        command.env("IMAGE", image).output().expect("bash").status.success()
    };
    let digest = format!("sha256:{}", "0a".repeat(32));
    assert!(passes(&format!("ghcr.io/acme/checkout@{digest}")));
    for image in [
        "acme/web:evil -e production".to_owned(),
        format!("ghcr.io/acme/web@{digest} -e production"),
        format!("ghcr.io/acme/web@{digest}\n--environment=production"),
        format!("x\nghcr.io/acme/web@{digest}"),
        format!("ghcr.io/acme/web@{digest}\n"),
        format!("ghcr.io/mallory/web@{digest}"),
        format!("ghcr.io/acme/../mallory/web@{digest}"),
        format!("ghcr.io/acme/web@{digest}0"),
        "ghcr.io/acme/web:latest".to_owned(),
        String::new(),
    ] {
        assert!(!passes(&image), "{image}");
    }
}

/// Every file of the examples, with its text without comments.
fn examples() -> Vec<(PathBuf, String)> {
    let mut folders = vec![root().join("examples/ci")];
    let mut files = vec![root().join("action.yml"), root().join("templates/dax.yml")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
            let path = entry.path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    let read = |path: PathBuf| {
        let text = std::fs::read_to_string(&path).expect("a text");
        let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
        let text = lines.map(|line| format!("{line}\n")).collect();
        (path, text)
    };
    files.into_iter().map(read).collect()
}

fn is_hex(text: &str, digits: usize) -> bool {
    text.len() == digits && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

#[test]
fn the_examples_name_nothing_of_others_by_what_can_be_moved() {
    let mut pinned = 0;
    for (path, text) in examples() {
        for line in text.lines() {
            let line = line.trim_start().trim_start_matches("- ");
            let (name, value) = line.split_once([':', ' ']).unwrap_or((line, ""));
            let value = value.split(" #").next().unwrap_or_default().trim();
            let value = value.strip_suffix(" AS build").unwrap_or(value);
            let hash = value.rsplit('@').next().unwrap_or_default();
            let is_pinned = match name {
                "uses" | "component" => is_hex(hash, 40),
                "image" | "pipe" | "FROM" if !value.is_empty() && !value.starts_with("$[[") => {
                    hash.strip_prefix("sha256:").is_some_and(|digest| is_hex(digest, 64))
                }
                _ => continue,
            };
            pinned += 1;
            assert!(is_pinned, "{}: {line}", path.display());
        }
    }
    assert!(pinned > 20, "{pinned}");
}

/// The jobs of a workflow, each with its lines.
fn jobs_of(text: &str) -> Vec<String> {
    let mut jobs: Vec<String> = Vec::new();
    for line in text.lines() {
        match jobs.last_mut() {
            Some(job) if line.is_empty() || line.starts_with("   ") => *job += &format!("{line}\n"),
            _ => jobs.push(format!("{line}\n")),
        }
    }
    jobs
}

#[test]
fn the_examples_give_secrets_to_single_steps_and_plan_without_rights() {
    let (mut planning, mut changing) = (0, 0);
    for (path, text) in examples() {
        let shown = path.display();
        for word in ["pull_request_target", "vars.", "secrets: inherit", "DAX_STATE_KEY"] {
            assert!(!text.contains(word), "{shown}: {word}");
        }
        if path.parent().is_none_or(|folder| !folder.ends_with("github")) {
            continue;
        }
        // A secret stands in a step: below `jobs`, `steps` and the list.
        for line in text.lines().filter(|line| line.contains("secrets.")) {
            assert!(line.starts_with("          "), "{shown}: {line}");
        }
        let (_, jobs) = text.split_once("\njobs:\n").expect("jobs");
        for job in jobs_of(jobs) {
            // Nothing that changes something is cut off, and no group drops what waits in it.
            if job.contains("command: ci apply") || job.contains("command: promote") {
                assert!(job.contains("cancel-in-progress: false"), "{shown}: {job}");
                changing += 1;
            }
        }
        assert!(!text.contains("\nconcurrency:"), "{shown}: each job says its own");
        planning += text.matches("secrets.DAX_STATE_PLAN").count();
    }
    assert_eq!((planning, changing), (1, 5));
}

#[test]
fn the_state_of_a_gitlab_job_is_chosen_where_no_variable_of_the_project_wins() {
    let text = std::fs::read_to_string(root().join("templates/dax.yml")).expect("a text");
    let lines = || text.lines().map(str::trim_start).filter(|line| !line.starts_with('#'));
    // GitLab prefers a variable of the project to one of a job.
    let set: Vec<&str> = lines().filter(|line| line.starts_with("DAX_STATE")).collect();
    assert_eq!(set, Vec::<&str>::new());
    let calls: Vec<&str> = lines().filter(|line| line.contains("dax ci")).collect();
    let wanted = [
        "- DAX_STATE=\"$DAX_STATE_PLAN\" dax ci",
        "- DAX_STATE=\"$DAX_STATE_PREVIEW\" dax ci apply",
        "- DAX_CLOSED=\"${CI_ENVIRONMENT_NAME#preview/}\" DAX_STATE=\"$DAX_STATE_PREVIEW\" dax ci apply",
        "- dax ci apply --lock-timeout=30m",
    ];
    assert_eq!(calls, wanted);
}
