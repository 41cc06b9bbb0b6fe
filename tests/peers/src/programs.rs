//! Programs of Debian's packages: found by name, and asked for their version before they count as present.

use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// The time in which a program has to say its version.
const PATIENCE: Duration = Duration::from_secs(60);

/// Programs that one package of Debian brings.
#[derive(Clone, Copy, Debug)]
pub struct Debian {
    /// The package.
    pub package: &'static str,
    /// The programs, all of which are needed; of one line any is enough.
    pub programs: &'static [&'static [&'static str]],
    /// The argument at which they say their version and end.
    pub version: &'static str,
    /// Folders beside those of the search path; `~` is the home folder.
    pub folders: &'static [&'static str],
}

pub(crate) const POSTGRESQL: Debian = Debian {
    package: "postgresql",
    programs: &[&["postgres"], &["initdb"]],
    version: "--version",
    folders: &[
        "/usr/lib/postgresql/18/bin",
        "/usr/lib/postgresql/17/bin",
        "/usr/lib/postgresql/16/bin",
        "/usr/lib/postgresql/15/bin",
        "/usr/lib/postgresql/14/bin",
    ],
};

pub(crate) const CHROMIUM: Debian = Debian {
    package: "chromium-headless-shell",
    programs: &[&["chromium-headless-shell", "chromium", "chrome-headless-shell"]],
    version: "--version",
    folders: &["/usr/lib/chromium"],
};

pub(crate) const PROMETHEUS: Debian = Debian {
    package: "prometheus",
    programs: &[&["prometheus"]],
    version: "--version",
    folders: &[],
};

pub(crate) const NEOVIM: Debian =
    Debian { package: "neovim", programs: &[&["nvim"]], version: "--version", folders: &[] };

pub(crate) const OPENSSL: Debian =
    Debian { package: "openssl", programs: &[&["openssl"]], version: "version", folders: &[] };

/// A clock that is wrong, for one process.
pub(crate) const FAKETIME: Debian =
    Debian { package: "faketime", programs: &[&["faketime"]], version: "--version", folders: &[] };

impl Debian {
    /// Returns the first program's path when each of them starts.
    ///
    /// # Errors
    /// The program that is absent or does not start.
    pub fn find(&self) -> Result<PathBuf, String> {
        let mut first = None;
        for names in self.programs {
            let found = names.iter().find_map(|name| program(name, self.folders));
            let Some(path) = found else {
                return Err(format!("`{}` is not installed", names.join("` or `")));
            };
            output(Command::new(&path).arg(self.version))?;
            first.get_or_insert(path);
        }
        first.ok_or_else(|| format!("{} names no program", self.package))
    }
}

/// Returns a program by name: of the search path, or of one of some folders.
pub fn program(name: &str, folders: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let home = std::env::var("HOME").unwrap_or_default();
    let named = folders.iter().map(|folder| PathBuf::from(folder.replace('~', &home)));
    std::env::split_paths(&path)
        .filter(|folder| folder.is_absolute())
        .chain(named)
        .map(|folder| folder.join(name))
        .find(|path| is_program(path))
}

fn is_program(path: &Path) -> bool {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).is_ok_and(|of| of.is_file() && of.permissions().mode() & 0o111 != 0)
}

/// Returns the output of a program that has to end well within a minute.
///
/// # Errors
/// It does not start, ends badly or not in time; its first words are in the message.
pub fn output(command: &mut Command) -> Result<String, String> {
    let what = command.get_program().to_string_lossy().into_owned();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().map_err(|error| format!("`{what}` does not start: {error}"))?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let until = Instant::now() + PATIENCE;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() < until => std::thread::sleep(Duration::from_millis(5)),
            Ok(None) | Err(_) => {
                let _ = child.kill();
                let _ = child.wait();
                return Err(format!("`{what}` does not end within {} s", PATIENCE.as_secs()));
            }
        }
    };
    let (out, err) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
    if status.success() {
        return Ok(out);
    }
    let said: String = format!("{err} {out}").trim().chars().take(300).collect();
    Err(format!("`{what}` does not work ({status}): {said}"))
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn shell(version: &'static str, programs: &'static [&'static [&'static str]]) -> Debian {
        Debian { package: "dash", programs, version, folders: &["/bin"] }
    }

    #[test]
    fn a_program_counts_only_when_it_starts_and_ends_well() {
        assert!(shell("-n", &[&["no-such-program", "sh"]]).find().is_ok());
        let absent = shell("-n", &[&["sh"], &["no-such-program"]]).find();
        assert_eq!(absent, Err("`no-such-program` is not installed".to_owned()));
        let broken = shell("--no-such-option", &[&["sh"]]).find().expect_err("broken");
        assert!(broken.contains("does not work (exit status: "), "{broken}");
    }
}
