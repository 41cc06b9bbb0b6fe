//! Repositories that mean harm: nothing outside of them is read, changed, started or waited for.

mod folder;
mod git;
mod links;
mod special;
mod text;

use std::collections::BTreeMap;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

/// The content of all files outside of the checkout, which no output may hold.
const CANARY: &str = "CANARY-7b1e";

/// A command that takes longer waits for something.
const LIMIT: Duration = Duration::from_secs(60);

/// A checkout, and beside it a person's own folder that it must not reach.
pub(super) struct Checkout {
    outer: tempfile::TempDir,
}

pub(super) struct Said {
    pub(super) code: i32,
    /// Standard output and standard error.
    pub(super) text: String,
}

impl Checkout {
    pub(super) fn new(files: &[(&str, &str)]) -> Self {
        let checkout = Self { outer: tempfile::tempdir().expect("a folder") };
        let home = checkout.home();
        for folder in ["package", "state", "x@1.0.0"] {
            std::fs::create_dir_all(home.join(folder)).expect("a folder");
        }
        let program = format!("let leaked = \"{CANARY}\"\n");
        let own: [(&str, &str); 8] = [
            ("secret.json", &format!("{{\"k\": \"{CANARY}\"}}\n")),
            ("id_rsa", &format!("{CANARY}\n")),
            ("module.dax", &program),
            ("dax.mod", "project = \"outside\"\n"),
            ("package/dax.mod", "project = \"package\"\n"),
            ("package/main.dax", &program),
            ("x@1.0.0/kept", CANARY),
            ("index.html", CANARY),
        ];
        own.iter().for_each(|(path, text)| put(&home.join(path), text));
        put(&checkout.path("dax.mod"), "project = \"hostile\"\n");
        files.iter().for_each(|(path, text)| put(&checkout.path(path), text));
        checkout
    }

    /// The person's own folder.
    pub(super) fn home(&self) -> PathBuf {
        self.outer.path().join("home")
    }

    /// A path in the checkout.
    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.outer.path().join("checkout").join(name)
    }

    pub(super) fn put(&self, name: &str, text: &str) {
        put(&self.path(name), text);
    }

    /// A link in the checkout.
    pub(super) fn link(&self, name: &str, target: impl AsRef<Path>) {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
        symlink(target, path).expect("a link");
    }

    pub(super) fn fifo(&self, name: &str) {
        let made = Command::new("mkfifo").arg(self.path(name)).status().expect("mkfifo runs");
        assert!(made.success());
    }

    /// A command of dax, which must end in time.
    pub(super) fn dax(&self, args: &[&str]) -> Said {
        self.dax_with(args, &[])
    }

    pub(super) fn dax_with(&self, args: &[&str], env: &[(&str, &Path)]) -> Said {
        let mut command = Command::new(env!("CARGO_BIN_EXE_dax"));
        command.args(args).current_dir(self.path(""));
        command.env("NO_COLOR", "1").env_remove("CI").env("XDG_STATE_HOME", self.outer.path());
        command.envs(env.iter().copied());
        let output = within(&mut command, &format!("dax {args:?}"));
        let text = [output.stdout.as_slice(), b"\n", &output.stderr].concat();
        Said {
            code: output.status.code().unwrap_or(-1),
            text: String::from_utf8_lossy(&text).into_owned(),
        }
    }

    /// The command must fail and say this, and show nothing of what lies outside.
    pub(super) fn refused(&self, args: &[&str], says: &str) {
        let said = self.dax(args);
        assert!(said.code != 0 && said.text.contains(says), "dax {args:?}\n{}", said.text);
        assert!(!said.text.contains(CANARY), "dax {args:?} shows it\n{}", said.text);
    }

    /// All that lies in the person's own folder.
    pub(super) fn outside(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut all = BTreeMap::new();
        let mut open = vec![self.home()];
        while let Some(folder) = open.pop() {
            for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
                let (path, kind) = (entry.path(), entry.file_type().expect("a kind"));
                let content = match () {
                    () if kind.is_symlink() => b"a link".to_vec(),
                    () if kind.is_dir() => {
                        open.push(path.clone());
                        b"a folder".to_vec()
                    }
                    () => std::fs::read(&path).expect("a file"),
                };
                all.insert(path, content);
            }
        }
        all
    }
}

fn put(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
    std::fs::write(path, text).expect("written");
}

/// Runs a command that must end in time.
fn within(command: &mut Command, what: &str) -> Output {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let begun = Instant::now();
    let out = all_of(child.stdout.take().expect("an output"));
    let err = all_of(child.stderr.take().expect("an output"));
    let status = loop {
        if let Some(status) = child.try_wait().expect("it is ours") {
            break status;
        }
        if begun.elapsed() > LIMIT {
            let _ = child.kill();
            let _ = child.wait();
            panic!("{what} did not end within {} s", LIMIT.as_secs());
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output { status, stdout: out.join().expect("read"), stderr: err.join().expect("read") }
}

fn all_of(mut pipe: impl std::io::Read + Send + 'static) -> std::thread::JoinHandle<Vec<u8>> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        bytes
    })
}
