//! Changes of several texts: names, and what is offered for a selection.

use crate::show;
use crate::workspace::{At, Workspace, uri_of};
use dax_ide::{ActionKind, Edit, Project};
use gen_lsp_types::{CodeActionParams, RenameParams, TextDocumentPositionParams, Uri};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::path::Path;

/// Why something cannot be done, as a client shows it.
pub(crate) struct Refused(pub(crate) String);

pub(crate) fn prepare(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Result<Json, Refused> {
    let encoding = workspace.encoding;
    let Some(At { project, file, offset, text, .. }) = workspace.at(params) else {
        return Ok(Json::Null);
    };
    let span = project.renamable(file, offset).map_err(Refused)?;
    let placeholder =
        project.text(file).get(show::bytes(span)).unwrap_or_default().trim_matches('"').to_owned();
    Ok(json!({"range": text.range(&show::bytes(span), encoding), "placeholder": placeholder}))
}

pub(crate) fn rename(workspace: &mut Workspace, params: &RenameParams) -> Result<Json, Refused> {
    let Some(At { project, root, file, offset, .. }) =
        workspace.at(&params.text_document_position_params)
    else {
        return Ok(Json::Null);
    };
    let edits = project.rename(file, offset, &params.new_name).map_err(Refused)?;
    let Some(project) = workspace.loaded(&root) else { return Ok(Json::Null) };
    Ok(changes(project, &root, &edits, &[], workspace))
}

/// Edits as the protocol groups them: files that are made first, then each text once.
fn changes(
    project: &Project,
    root: &Path,
    edits: &[Edit],
    creates: &[(String, String)],
    workspace: &Workspace,
) -> Json {
    let mut all: Vec<Json> = Vec::new();
    let nothing = json!({"line": 0, "character": 0});
    for (name, text) in creates {
        let Ok(uri) = Uri::from_file_path(root.join(name)) else { continue };
        all.push(json!({"kind": "create", "uri": uri, "options": {"ignoreIfExists": true}}));
        let insert = json!({"range": {"start": nothing, "end": nothing}, "newText": text});
        all.push(json!({"textDocument": {"uri": uri, "version": null}, "edits": [insert]}));
    }
    let mut by_file: BTreeMap<_, Vec<&Edit>> = BTreeMap::new();
    for edit in edits {
        by_file.entry(edit.span.file).or_default().push(edit);
    }
    for (file, edits) in by_file {
        let Some(uri) = uri_of(project, root, file, workspace) else { continue };
        let version = uri
            .to_file_path()
            .ok()
            .and_then(|path| workspace.documents.get(&path).map(|document| document.version));
        let text = crate::positions::Text::new(project.text(file));
        let one = |edit: &&Edit| json!({"range": text.range(&show::bytes(edit.span), workspace.encoding), "newText": edit.text});
        all.push(json!({"textDocument": {"uri": uri, "version": version}, "edits": edits.iter().map(one).collect::<Vec<_>>()}));
    }
    json!({"documentChanges": all})
}

pub(crate) fn actions(workspace: &mut Workspace, params: &CodeActionParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let offset =
        |position| u32::try_from(text.offset(position, workspace.encoding)).unwrap_or(u32::MAX);
    let (from, to) = (offset(params.range.start), offset(params.range.end));
    let (project, root, file) = workspace.project(&params.text_document.uri)?;
    let actions = project.actions(file, from, to);
    let project = workspace.loaded(&root)?;
    let wanted: Option<Vec<String>> = params
        .context
        .only
        .as_ref()
        .and_then(|only| serde_json::from_value(serde_json::to_value(only).ok()?).ok());
    let shown = actions.iter().filter_map(|action| {
        let kind = match action.kind {
            ActionKind::Fix => "quickfix",
            ActionKind::Extract => "refactor.extract",
            ActionKind::Inline => "refactor.inline",
            ActionKind::Rewrite => "refactor.rewrite",
            ActionKind::Imports => "source.organizeImports",
        };
        let fits = |wanted: &String| {
            kind == wanted
                || kind.strip_prefix(wanted.as_str()).is_some_and(|rest| rest.starts_with('.'))
        };
        if wanted.as_ref().is_some_and(|wanted| !wanted.iter().any(fits)) {
            return None;
        }
        let edit = changes(project, &root, &action.edits, &action.creates, workspace);
        let mut shown = json!({"title": action.title, "kind": kind, "edit": edit});
        if let Some(found) = &action.mends {
            shown["diagnostics"] =
                json!([show::diagnostic(found, &text, workspace.encoding, Vec::new())]);
            shown["isPreferred"] = json!(true);
        }
        Some(shown)
    });
    Some(Json::Array(shown.collect()))
}
