//! Installing a kit whole or not at all: made in a folder beside, checked there, then renamed.

use anyhow::{Context, Result, anyhow};
use dax_peers::{Kit, MARKER};
use std::fs::{File, TryLockError};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

/// Makes a kit by `make`, which is given an empty folder and has to check what it made there.
///
/// Of several that install at once one does and the others wait. A folder that an interrupted install left behind is
/// removed by the next one, and a kit that lost files is replaced.
pub(super) fn whole(kit: &Kit, cache: &Path, make: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let begun = Instant::now();
    let target = kit.folder(cache).map_err(|error| anyhow!(error))?;
    std::fs::create_dir_all(cache).with_context(|| cache.display().to_string())?;
    let _lock = locked(&cache.join(format!("{}.lock", kit.name)))?;
    if kit.find(cache).is_ok() {
        return Ok(()); // another install was faster
    }
    sweep(kit, cache)?;
    // What an interrupted install started may still write for a while: it does so in a folder of another name.
    let part = cache.join(format!("{}{}", part_name(kit), std::process::id()));
    std::fs::create_dir(&part).with_context(|| part.display().to_string())?;
    let made = make(&part).and_then(|()| finish(kit, &part, &target));
    if made.is_err() {
        remove(&part)?;
    }
    made?;
    println!("{}: installed in {} s", kit.name, begun.elapsed().as_secs());
    Ok(())
}

fn part_name(kit: &Kit) -> String {
    format!(".{}.part-", kit.name)
}

/// Removes what interrupted installs left; only whoever holds the lock may.
fn sweep(kit: &Kit, cache: &Path) -> Result<()> {
    for entry in std::fs::read_dir(cache)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().starts_with(&part_name(kit)) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

/// Writes the marker and gives the folder its name.
fn finish(kit: &Kit, part: &Path, target: &Path) -> Result<()> {
    let marker = kit.marker(part).map_err(|error| anyhow!(error))?;
    std::fs::write(part.join(MARKER), marker)?;
    remove(target)?;
    std::fs::rename(part, target).with_context(|| target.display().to_string())?;
    Ok(())
}

/// The lock of a kit, held as long as the value lives.
fn locked(path: &PathBuf) -> Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| path.display().to_string())?;
    match file.try_lock() {
        Ok(()) => return Ok(file),
        Err(TryLockError::WouldBlock) => println!("{}: another install is at it", path.display()),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    file.lock()?;
    Ok(file)
}

fn remove(folder: &Path) -> Result<()> {
    match std::fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| folder.display().to_string())
        }
        _ => Ok(()),
    }
}

/// Runs a command whose output is shown.
pub(super) fn step(name: &str, command: &mut Command) -> Result<()> {
    let words: Vec<String> = std::iter::once(command.get_program())
        .chain(command.get_args())
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let line = words.join(" ");
    println!("{name}: {line}");
    let status = command.stdin(std::process::Stdio::null()).status();
    let status = status.with_context(|| format!("`{}` cannot be started", words[0]))?;
    anyhow::ensure!(status.success(), "`{line}` failed: {status}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use dax_peers::Recipe;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const KIT: Kit = Kit {
        name: "kit",
        inputs: &["github/paths.txt"],
        holds: &["program", "list.yaml"],
        recipe: Recipe::Node { wheel: "kit==1" },
    };

    /// A cache of this test's own.
    struct Cache(PathBuf);

    impl Cache {
        fn new(name: &str) -> Self {
            let name = format!("dax-kit-{name}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            std::fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }
    }

    impl Drop for Cache {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    fn fill(part: &Path) -> Result<()> {
        std::fs::write(part.join("program"), "works")?;
        Ok(std::fs::write(part.join("list.yaml"), "items: []")?)
    }

    #[test]
    fn what_a_failed_or_interrupted_install_leaves_behind_never_counts() {
        let cache = Cache::new("left");
        let half = |part: &Path| {
            std::fs::write(part.join("program"), "works")?;
            anyhow::bail!("no network")
        };
        let error = whole(&KIT, &cache.0, half).expect_err("it fails");
        assert_eq!(error.to_string(), "no network");
        let names = || -> Vec<String> {
            let entries = std::fs::read_dir(&cache.0).expect("a folder").flatten();
            entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
        };
        assert_eq!(names(), ["kit.lock"]);
        let absent = KIT.find(&cache.0).expect_err("absent");
        assert!(absent.starts_with("not installed"), "{absent}");
        // All files and no marker, as a version before this one left them, and as a copy cut short does.
        let target = KIT.folder(&cache.0).expect("a name");
        for folder in [target.clone(), cache.0.join(".kit.part-1")] {
            std::fs::create_dir(&folder).expect("a folder");
            fill(&folder).expect("written");
        }
        KIT.find(&cache.0).expect_err("absent");
        // A file that was not made.
        let lacks = |part: &Path| Ok(std::fs::write(part.join("program"), "works")?);
        let error = whole(&KIT, &cache.0, lacks).expect_err("it fails");
        assert!(error.to_string().ends_with("lacks `list.yaml`"), "{error}");
        KIT.find(&cache.0).expect_err("absent");
        whole(&KIT, &cache.0, fill).expect("installed");
        assert_eq!(KIT.find(&cache.0), Ok(target));
        assert_eq!(names().len(), 2, "the lock and the kit: {:?}", names());
    }

    #[test]
    fn a_kit_that_lost_a_file_or_is_of_another_version_is_made_again() {
        let cache = Cache::new("lost");
        whole(&KIT, &cache.0, fill).expect("installed");
        let folder = KIT.find(&cache.0).expect("there");
        for damage in ["", "cut"] {
            std::fs::write(folder.join("program"), damage).expect("written");
            let absent = KIT.find(&cache.0).expect_err("absent");
            assert!(absent.contains("program`"), "{absent}");
            whole(&KIT, &cache.0, fill).expect("installed");
            KIT.find(&cache.0).expect("there");
        }
        let newer = Kit { recipe: Recipe::Node { wheel: "kit==2" }, ..KIT };
        newer.find(&cache.0).expect_err("another version");
        // A folder that was renamed by hand is no other version.
        std::fs::rename(&folder, newer.folder(&cache.0).expect("a name")).expect("renamed");
        newer.find(&cache.0).expect_err("another version");
    }

    #[test]
    fn of_several_installs_at_once_one_makes_it_and_all_have_it() {
        let (cache, made) = (Cache::new("once"), AtomicUsize::new(0));
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    let make = |part: &Path| {
                        made.fetch_add(1, Ordering::Relaxed);
                        std::thread::sleep(std::time::Duration::from_millis(100));
                        fill(part)
                    };
                    whole(&KIT, &cache.0, make).expect("installed");
                    KIT.find(&cache.0).expect("there");
                });
            }
        });
        assert_eq!(made.load(Ordering::Relaxed), 1);
    }
}
