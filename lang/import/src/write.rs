//! Names and amounts as dax writes them.

use dax_syntax::quoted;

/// A name as a key of a map: a word where it is one.
pub(crate) fn key(name: &str) -> String {
    if is_word(name) { name.to_owned() } else { quoted(name) }
}

fn is_word(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
}

/// A name of Kubernetes as the name of an item: dashes become underscores, which become dashes again.
pub(crate) fn item(name: &str) -> String {
    let mapped: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    if is_word(&mapped) { mapped } else { format!("s{mapped}") }
}

/// Processor time: `250m` is `250mcpu`, `2` is `2cpu`; nothing for finer amounts.
pub(crate) fn cpu(text: &str) -> Option<String> {
    match text.strip_suffix('m') {
        Some(milli) => milli.parse::<u64>().ok().map(|milli| format!("{milli}mcpu")),
        None => text.parse::<u64>().ok().map(|cores| format!("{cores}cpu")),
    }
}

/// Memory and storage: `128Mi` is `128MiB`.
pub(crate) fn bytes(text: &str) -> Option<String> {
    let split = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, suffix) = text.split_at(split);
    let number: u64 = number.parse().ok()?;
    let unit = match suffix {
        "" => "B",
        "k" => "KB",
        "M" => "MB",
        "G" => "GB",
        "T" => "TB",
        "Ki" => "KiB",
        "Mi" => "MiB",
        "Gi" => "GiB",
        "Ti" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

/// Milliseconds of a duration in Go's form, such as `1m30s`.
pub(crate) fn millis(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0;
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit())?;
        let number: u64 = rest[..digits].parse().ok()?;
        rest = &rest[digits..];
        let end = rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len());
        sum += number
            * match &rest[..end] {
                "ms" => 1,
                "s" => 1000,
                "m" => 60_000,
                "h" => 3_600_000,
                _ => return None,
            };
        rest = &rest[end..];
    }
    Some(sum)
}

/// Milliseconds as dax writes a duration.
pub(crate) fn duration(ms: u64) -> String {
    let units = [(3_600_000, "h"), (60_000, "m"), (1000, "s"), (1, "ms")];
    let (size, unit) = units
        .into_iter()
        .find(|(size, _)| ms.is_multiple_of(*size) && ms > 0)
        .unwrap_or((1000, "s"));
    format!("{}{unit}", ms / size)
}
