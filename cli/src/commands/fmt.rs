//! `dax fmt`: the one canonical form.

use crate::args::FmtArgs;
use crate::exit::{CliError, Exit};
use crate::printer::Printer;
use dax_engine::printable::Line;
use dax_files::Beneath;
use std::io::Read;
use std::path::{Component, Path, PathBuf};

pub(crate) fn run(args: &FmtArgs, folder: &Path, out: &mut Printer) -> Result<Exit, CliError> {
    if args.files == [PathBuf::from("-")] {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        let formatted = dax_engine::format(&text);
        out.exact(&formatted);
        return Ok(if args.check && formatted != text { Exit::Error } else { Exit::Done });
    }
    let project = Beneath::open(folder).map_err(failed(folder))?;
    let files = match args.files.as_slice() {
        [] => programs(&project).map_err(failed(folder))?,
        given => given.to_vec(),
    };
    let mut changed = 0;
    for file in files {
        let path = folder.join(&file);
        // A list of names, as hooks of git give it, may hold links that a checkout brought; a path
        // that is given as a whole is what it says.
        let plain = |part| matches!(part, Component::Normal(_) | Component::CurDir);
        let inside = file.components().all(plain);
        let found = if inside {
            project.read(&file, dax_files::LARGEST)
        } else {
            dax_files::read_given(&path, dax_files::LARGEST)
        };
        let bytes = match found.map_err(failed(&path))? {
            Some(bytes) => bytes,
            // A link that leads nowhere is no program.
            None if args.files.is_empty() => continue,
            None => return Err(failed(&path)(std::io::ErrorKind::NotFound.into())),
        };
        let text = dax_engine::text::decode(bytes.clone())
            .map_err(|found| CliError::World(format!("{}: {found}", path.display())))?;
        let formatted = dax_engine::format(&text);
        if formatted.as_bytes() == bytes {
            continue;
        }
        changed += 1;
        out.data(&format!("{}\n", Line::new(&path.display().to_string())));
        if !args.check {
            let written = if inside {
                project.write(&file, formatted.as_bytes())
            } else {
                dax_files::write_given(&path, formatted.as_bytes())
            };
            written.map_err(failed(&path))?;
        }
    }
    Ok(if args.check && changed > 0 { Exit::Error } else { Exit::Done })
}

fn failed(path: &Path) -> impl Fn(std::io::Error) -> CliError {
    let path = path.display().to_string();
    move |error| {
        let is_missing = error.kind() == std::io::ErrorKind::NotFound;
        let why = if is_missing { "no such file".to_owned() } else { error.to_string() };
        CliError::World(format!("{path}: {why}"))
    }
}

/// The paths of all programs below a folder, in order.
///
/// Hidden files and folders, build output and the packages that were brought here are left out. No
/// link is followed to a folder, so that each file is met once.
fn programs(project: &Beneath) -> std::io::Result<Vec<PathBuf>> {
    let project = project.clone().without_links();
    let (mut found, mut open) = (Vec::new(), vec![String::new()]);
    while let Some(folder) = open.pop() {
        let names = project.list(Path::new(&folder))?.unwrap_or_default();
        let is_project = names.iter().any(|name| name == "dax.mod");
        for name in names.iter().filter(|name| !name.starts_with('.')) {
            let below = if folder.is_empty() { name.clone() } else { format!("{folder}/{name}") };
            match name.strip_suffix('/') {
                Some("target" | "node_modules") => {}
                Some("vendor") if is_project => {}
                Some(_) => open.push(below.trim_end_matches('/').to_owned()),
                None if name.ends_with(".dax") || name == "dax.mod" => found.push(below.into()),
                None => {}
            }
        }
    }
    found.sort();
    Ok(found)
}
