//! What is told of a place.

use crate::show;
use crate::workspace::{At, Workspace};
use dax_core::printable::Text;
use gen_lsp_types::TextDocumentPositionParams;
use serde_json::{Value as Json, json};

pub(crate) fn hover(
    workspace: &mut Workspace,
    params: &TextDocumentPositionParams,
) -> Option<Json> {
    let encoding = workspace.encoding;
    let At { project, file, offset, text, .. } = workspace.at(params)?;
    let hover = project.hover(file, offset)?;
    Some(json!({
        "contents": {"kind": "markdown", "value": Text::new(&hover.text).to_string()},
        "range": text.range(&show::bytes(hover.span), encoding),
    }))
}
