//! Puts the pages of docs/diagnostics into the binary, for `dax explain`.

use std::fmt::Write;
use std::path::Path;

fn main() -> std::io::Result<()> {
    // Asked when it runs: a folder of builds may be used from more than one checkout.
    let folder = Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap_or_default())
        .join("../docs/diagnostics");
    println!("cargo::rerun-if-changed={}", folder.display());
    let mut names: Vec<String> = std::fs::read_dir(&folder)?
        .filter_map(|entry| entry.ok()?.file_name().into_string().ok())
        .filter(|name| name.starts_with("DAX") && name.ends_with(".md"))
        .collect();
    names.sort();
    let mut table = "pub(crate) const PAGES: &[(&str, &str)] = &[\n".to_owned();
    for name in names {
        let path = folder.join(&name).canonicalize()?;
        let _ = writeln!(
            table,
            "    ({:?}, include_str!({:?})),",
            name.trim_end_matches(".md"),
            path.display().to_string()
        );
    }
    table.push_str("];\n");
    let out = std::env::var_os("OUT_DIR").map(std::path::PathBuf::from).unwrap_or_default();
    std::fs::write(out.join("pages.rs"), table)
}
