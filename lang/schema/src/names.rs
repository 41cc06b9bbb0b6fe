//! Names as dax writes them.

/// Names that mean something else in every module.
const TAKEN: [&str; 15] = [
    "List", "Set", "Map", "Secret", "Static", "Plan", "Apply", "Ref", "Duration", "Bytes",
    "Percent", "Cpu", "Rate", "Url", "Instant",
];

/// A name as types are named: `io.k8s.Pod-spec` is `PodSpec`.
pub(crate) fn type_name(name: &str) -> String {
    let last = if name.contains('/') || !name.contains('.') {
        name
    } else {
        name.rsplit('.').next().unwrap_or(name)
    };
    let mut out = String::new();
    let mut upper = true;
    for c in last.chars() {
        if c.is_ascii_alphanumeric() {
            out.push(if upper { c.to_ascii_uppercase() } else { c });
            upper = false;
        } else {
            upper = true;
        }
    }
    if out.starts_with(|c: char| c.is_ascii_digit()) || out.is_empty() {
        out.insert(0, 'T');
    }
    if TAKEN.contains(&out.as_str()) {
        out.push_str("Type");
    }
    out
}
