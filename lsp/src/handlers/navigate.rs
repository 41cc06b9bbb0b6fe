//! Where what a name means is declared, and where else it is named.

use crate::show;
use crate::workspace::{At, Workspace, location};
use dax_core::Span;
use gen_lsp_types::{
    DocumentHighlight, DocumentHighlightKind, Location, ReferenceParams, TextDocumentPositionParams,
};

/// What `find` gives for a place, as locations.
fn places(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
    find: impl Fn(&At<'_>) -> Vec<Span>,
) -> Option<Vec<Location>> {
    let at = workspace.at(params)?;
    let (spans, root) = (find(&at), at.root);
    let project = workspace.loaded(&root)?;
    Some(spans.into_iter().filter_map(|span| location(project, &root, span, workspace)).collect())
}

pub(crate) fn definition(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Vec<Location>> {
    places(workspace, params, |at| at.project.declaration(at.file, at.offset).into_iter().collect())
}

pub(crate) fn type_definition(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Vec<Location>> {
    places(workspace, params, |at| {
        at.project.type_declaration(at.file, at.offset).into_iter().collect()
    })
}

pub(crate) fn references(
    workspace: &mut Workspace,
    params: &ReferenceParams,
) -> Option<Vec<Location>> {
    let declaration = params.context.include_declaration;
    places(workspace, &params.text_document_position_params, |at| {
        at.project.references(at.file, at.offset, declaration)
    })
}

pub(crate) fn highlight(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Vec<DocumentHighlight>> {
    let encoding = workspace.encoding;
    let At { project, file, offset, text, .. } = workspace.at(params)?;
    let shown =
        project.highlights(file, offset).into_iter().map(|(span, declares)| DocumentHighlight {
            range: text.range(&show::bytes(span), encoding),
            kind: Some(if declares {
                DocumentHighlightKind::Write
            } else {
                DocumentHighlightKind::Read
            }),
        });
    Some(shown.collect())
}
