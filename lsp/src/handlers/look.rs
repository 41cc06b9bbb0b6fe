//! What is shown beside a text: hints, lenses, links, signatures, who uses what.

use crate::positions::Text;
use crate::show;
use crate::workspace::{At, Workspace, location, uri_of};
use dax_core::{FileId, Span};
use dax_ide::{Definition, Kind, Link, Project};
use gen_lsp_types::{
    CodeLensParams, DocumentLinkParams, InlayHintParams, SymbolKind, TextDocumentPositionParams,
    Uri, WorkspaceSymbolParams,
};
use serde::Deserialize;
use serde_json::{Value as Json, json};
use std::path::Path;

pub(crate) fn hints(workspace: &mut Workspace, params: &InlayHintParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let encoding = workspace.encoding;
    let range = text.offset(params.range.start, encoding)..text.offset(params.range.end, encoding);
    let (project, _, file) = workspace.project(&params.text_document.uri)?;
    let shown = project.hints(file, &range).into_iter().map(|hint| {
        let kind = if hint.is_type { json!({"kind": 1}) } else { json!({"paddingLeft": true}) };
        let mut shown =
            json!({"position": text.position(hint.at, encoding), "label": hint.label.trim_start()});
        if let (Some(all), Json::Object(more)) = (shown.as_object_mut(), kind) {
            all.extend(more);
        }
        shown
    });
    Some(Json::Array(shown.collect()))
}

pub(crate) fn signature(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Json> {
    let At { project, file, offset, .. } = workspace.at(params)?;
    let signature = project.signature(file, offset as usize)?;
    let parameters: Vec<Json> = signature
        .parameters
        .iter()
        .map(|range| json!({"label": signature.label[range.clone()]}))
        .collect();
    let mut shown = json!({"label": signature.label, "parameters": parameters});
    if !signature.about.is_empty() {
        shown["documentation"] = json!({"kind": "markdown", "value": signature.about});
    }
    Some(json!({"signatures": [shown], "activeSignature": 0, "activeParameter": signature.active}))
}

pub(crate) fn linked(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Json> {
    let encoding = workspace.encoding;
    let At { project, file, offset, text, .. } = workspace.at(params)?;
    let ranges: Vec<_> = project
        .linked(file, offset)
        .into_iter()
        .map(|span| text.range(&show::bytes(span), encoding))
        .collect();
    (ranges.len() > 1).then(|| json!({"ranges": ranges, "wordPattern": "[A-Za-z_][A-Za-z0-9_]*"}))
}

pub(crate) fn links(workspace: &mut Workspace, params: &DocumentLinkParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let (project, root, file) = workspace.project(&params.text_document.uri)?;
    let links = project.links(file);
    let project = workspace.loaded(&root)?;
    let shown = links.into_iter().filter_map(|(span, link)| {
        let target = match link {
            Link::File(file) => uri_of(project, &root, file, workspace)?,
            Link::Name(name) => Uri::from_file_path(root.join(name)).ok()?,
        };
        Some(json!({"range": text.range(&show::bytes(span), workspace.encoding), "target": target}))
    });
    Some(Json::Array(shown.collect()))
}

fn symbol_kind(kind: Kind) -> SymbolKind {
    match kind {
        Kind::Import => SymbolKind::Module,
        Kind::Param | Kind::Secret | Kind::Parameter => SymbolKind::Variable,
        Kind::Let => SymbolKind::Constant,
        Kind::Fn => SymbolKind::Function,
        Kind::Type => SymbolKind::Struct,
        Kind::Field => SymbolKind::Field,
        Kind::Provider => SymbolKind::Package,
        Kind::Service | Kind::Resource => SymbolKind::Class,
        Kind::Strategy => SymbolKind::Interface,
        Kind::Environment => SymbolKind::Namespace,
        Kind::Policy | Kind::Test => SymbolKind::Event,
    }
}

/// Everything in all projects that a query finds.
pub(crate) fn search(workspace: &mut Workspace, params: &WorkspaceSymbolParams) -> Json {
    let roots: Vec<_> = workspace.projects.keys().cloned().collect();
    let mut shown = Vec::new();
    for root in roots {
        workspace.fresh(&root, &|| false);
        let Some(project) = workspace.loaded(&root) else { continue };
        for definition in project.search(&params.query) {
            let Some(place) = location(project, &root, definition.span, workspace) else {
                continue;
            };
            let container = project.name(definition.span.file);
            shown.push(
                json!({"name": definition.name, "kind": symbol_kind(definition.kind), "location": place, "containerName": container}),
            );
        }
    }
    Json::Array(shown)
}

pub(crate) fn lenses(workspace: &mut Workspace, params: &CodeLensParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let encoding = workspace.encoding;
    let uri = &params.text_document.uri;
    let (project, _, file) = workspace.project(uri)?;
    let mut shown = Vec::new();
    for dax_ide::Lens { definition, references, bound } in project.lenses(file) {
        let range = text.range(&show::bytes(definition.span), encoding);
        let name = definition.name.as_str();
        let mut lens = |title: &str, command: &str, arguments: Json| {
            shown.push(json!({"range": range, "command": {"title": title, "command": command, "arguments": arguments}}));
        };
        if definition.kind == Kind::Environment {
            lens("plan", "dax.plan", json!([uri, name]));
        }
        if let Some(address) = bound {
            lens("why", "dax.why", json!([uri, address]));
        }
        let title = if references == 1 {
            "1 reference".to_owned()
        } else {
            format!("{references} references")
        };
        lens(&title, "dax.showReferences", json!([uri, range.start]));
    }
    Some(Json::Array(shown))
}

fn hierarchy_item(
    project: &Project,
    root: &Path,
    definition: &Definition,
    workspace: &Workspace,
) -> Option<Json> {
    let text = Text::new(project.text(definition.span.file));
    let range = |span: Span| text.range(&show::bytes(span), workspace.encoding);
    Some(json!({
        "name": definition.name,
        "kind": symbol_kind(definition.kind),
        "detail": definition.kind.word(),
        "uri": uri_of(project, root, definition.span.file, workspace)?,
        "range": range(definition.whole),
        "selectionRange": range(definition.span),
        "data": {"root": root, "file": definition.span.file.0, "at": definition.span.start},
    }))
}

pub(crate) fn callable(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Json> {
    let At { project, root, file, offset, .. } = workspace.at(params)?;
    let definition = project.callable(file, offset)?.clone();
    let project = workspace.loaded(&root)?;
    Some(json!([hierarchy_item(project, &root, &definition, workspace)?]))
}

/// What a client sends back of an item.
#[derive(Deserialize)]
pub(crate) struct Hierarchy {
    item: HierarchyItem,
}

#[derive(Deserialize)]
struct HierarchyItem {
    data: HierarchyData,
}

#[derive(Deserialize)]
struct HierarchyData {
    root: std::path::PathBuf,
    file: u32,
    at: u32,
}

pub(crate) fn incoming(workspace: &mut Workspace, params: &Hierarchy) -> Option<Json> {
    calls(workspace, params, "from")
}

pub(crate) fn outgoing(workspace: &mut Workspace, params: &Hierarchy) -> Option<Json> {
    calls(workspace, params, "to")
}

fn calls(workspace: &mut Workspace, params: &Hierarchy, end: &str) -> Option<Json> {
    let HierarchyData { root, file, at } = &params.item.data;
    workspace.fresh(root, &|| false);
    let project = workspace.loaded(root)?;
    let file = FileId(*file);
    let found =
        if end == "from" { project.incoming(file, *at) } else { project.outgoing(file, *at) };
    let shown = found.iter().filter_map(|call| {
        let text = Text::new(project.text(call.places.first()?.file));
        let ranges: Vec<_> = call.places.iter().map(|place| text.range(&show::bytes(*place), workspace.encoding)).collect();
        Some(json!({end: hierarchy_item(project, root, call.other, workspace)?, "fromRanges": ranges}))
    });
    Some(Json::Array(shown.collect()))
}
