//! Permissions: `# dax: allow DAX9011 because …`, above an item for all of it, else for one line.

use crate::Input;
use crate::codes::{BAD_ALLOW, CODES};
use dax_core::{Diagnostic, FileId, Span};

/// What introduces a permission in a comment.
const MARK: &str = "dax: allow ";

struct Permission {
    codes: Vec<String>,
    /// Where it holds.
    scope: Span,
    /// Where it stands.
    span: Span,
    used: bool,
}

/// Takes out what is allowed, and adds what is wrong with permissions.
pub(crate) fn filter(input: &Input<'_>, found: Vec<Diagnostic>) -> Vec<Diagnostic> {
    let mut permissions = Vec::new();
    let mut kept = Vec::new();
    let mut files: Vec<FileId> = input.own_items().map(|(_, item)| item.span.file).collect();
    files.dedup();
    for file in files {
        read(input, file, &mut permissions, &mut kept);
    }
    for finding in found {
        let inside = |p: &&mut Permission| {
            p.scope.file == finding.span.file
                && p.scope.start <= finding.span.start
                && finding.span.start <= p.scope.end
                && p.codes.contains(&finding.code.to_string())
        };
        match permissions.iter_mut().find(inside) {
            Some(permission) => permission.used = true,
            None => kept.push(finding),
        }
    }
    for permission in permissions.iter().filter(|permission| !permission.used) {
        let diagnostic = Diagnostic::new(
            BAD_ALLOW,
            permission.span,
            format!("there is no {} here to allow", permission.codes.join(" or ")),
        );
        kept.push(diagnostic.help("take the permission away"));
    }
    kept
}

fn read(
    input: &Input<'_>,
    file: FileId,
    permissions: &mut Vec<Permission>,
    problems: &mut Vec<Diagnostic>,
) {
    let text = input.loaded.sources.text(file);
    let offset = |at: usize| u32::try_from(at).unwrap_or(u32::MAX);
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let line_start = start;
        start += line.len();
        let Some(at) = line.find(MARK).filter(|at| line[..*at].trim_end().ends_with('#')) else {
            continue;
        };
        let span = Span {
            file,
            start: offset(line_start + at),
            end: offset(line_start + line.trim_end().len()),
        };
        let rest = line[at + MARK.len()..].trim();
        let (codes, reason) = rest.split_once(" because ").unwrap_or((rest, ""));
        let codes: Vec<String> = codes.split(',').map(|code| code.trim().to_owned()).collect();
        let known = |code: &String| CODES.iter().any(|known| known.to_string() == *code);
        if let Some(code) = codes.iter().find(|code| !known(code)) {
            problems.push(
                Diagnostic::new(BAD_ALLOW, span, format!("`{code}` is no code of lint"))
                    .help("`dax lint --list` shows them"),
            );
            continue;
        }
        if reason.trim().is_empty() {
            let diagnostic = Diagnostic::new(BAD_ALLOW, span, "the reason is missing");
            problems
                .push(diagnostic.help(
                    "write `# dax: allow DAX9011 because …`, for whoever reads it next year",
                ));
        }
        let alone = line[..at].trim_end().trim_end_matches('#').trim().is_empty();
        let target = if alone { start + skipped(&text[start..]) } else { line_start };
        let end = text[target..].find('\n').map_or(text.len(), |end| target + end);
        let line_span = Span { file, start: offset(target), end: offset(end) };
        let item = input
            .own_items()
            .map(|(_, item)| item.span)
            .find(|item| item.file == file && item.start == line_span.start);
        let scope = if alone { item.unwrap_or(line_span) } else { line_span };
        permissions.push(Permission { codes, scope, span, used: false });
    }
}

/// Bytes of comments and blank lines before the next line that says something, and its indentation.
fn skipped(text: &str) -> usize {
    let mut skipped = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_start();
        if !content.trim().is_empty() && !content.starts_with('#') {
            return skipped
                + if line.starts_with([' ', '\t']) { 0 } else { line.len() - content.len() };
        }
        skipped += line.len();
    }
    skipped.min(text.len())
}
