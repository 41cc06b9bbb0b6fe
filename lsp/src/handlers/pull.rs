//! Findings for clients that ask for them.

use crate::workspace::Workspace;
use gen_lsp_types::{Diagnostic, DocumentDiagnosticParams, Uri};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::hash::{DefaultHasher, Hash, Hasher};

fn id(found: &[Diagnostic]) -> String {
    let mut hasher = DefaultHasher::new();
    serde_json::to_string(found).unwrap_or_default().hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// What is known of a text; that it is what the client has, where that is so.
fn report(found: Vec<Diagnostic>, known: Option<&str>) -> Json {
    let id = id(&found);
    if known == Some(id.as_str()) {
        json!({"kind": "unchanged", "resultId": id})
    } else {
        json!({"kind": "full", "resultId": id, "items": found})
    }
}

pub(crate) fn document(workspace: &mut Workspace, params: &DocumentDiagnosticParams) -> Json {
    let uri = &params.text_document.uri;
    let of_project = workspace.project(uri).map(|(_, root, _)| root);
    let path = uri.to_file_path().unwrap_or_default();
    let found = match of_project {
        Some(root) => workspace.findings_of(&root, &path),
        None => None,
    };
    let found = found.unwrap_or_else(|| workspace.faults(&path));
    report(found, params.previous_result_id.as_deref())
}

/// What a client has of each text.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct WorkspaceParams {
    #[serde(default)]
    previous_result_ids: Vec<Previous>,
}

#[derive(Deserialize)]
struct Previous {
    uri: Uri,
    value: String,
}

pub(crate) fn workspace(workspace: &mut Workspace, params: &WorkspaceParams) -> Json {
    let roots: Vec<_> = workspace.projects.keys().cloned().collect();
    let mut items = Vec::new();
    for root in roots {
        workspace.fresh(&root, &|| false);
        let mut all = workspace.findings(&root);
        // A text about which there is nothing to say any more.
        for previous in &params.previous_result_ids {
            if let Ok(path) = previous.uri.to_file_path()
                && path.starts_with(&root)
            {
                all.entry(path).or_default();
            }
        }
        for (path, found) in all {
            let Some(uri) = workspace.uri(&path) else { continue };
            let known = params
                .previous_result_ids
                .iter()
                .find(|previous| previous.uri == uri)
                .map(|previous| previous.value.as_str());
            let version = workspace.documents.get(&path).map(|document| document.version);
            let mut item = report(found, known);
            item["uri"] = json!(uri);
            item["version"] = json!(version);
            items.push(item);
        }
    }
    json!({"items": items})
}
