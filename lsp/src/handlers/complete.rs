//! What may be written at the cursor.

use crate::capabilities::Abilities;
use crate::workspace::{At, Workspace};
use dax_core::{FileId, Span};
use dax_ide::{Proposal, ProposalKind};
use gen_lsp_types::{CompletionParams, InsertTextFormat};
use serde_json::{Value as Json, json};
use std::path::Path;

pub(crate) fn completion(
    workspace: &mut Workspace,
    params: &CompletionParams,
    abilities: &Abilities,
) -> Option<Json> {
    let encoding = workspace.encoding;
    let At { project, root, file, offset, text } =
        workspace.at(&params.text_document_position_params)?;
    let completion = project.complete(file, offset as usize);
    let range = text.range(&completion.range, encoding);
    let items = completion
        .proposals
        .iter()
        .enumerate()
        .map(|(at, proposal)| item(proposal, at, &root, range, *abilities));
    Some(json!({"isIncomplete": false, "items": items.collect::<Vec<_>>()}))
}

fn item(
    proposal: &Proposal,
    at: usize,
    root: &Path,
    range: gen_lsp_types::Range,
    abilities: Abilities,
) -> Json {
    // Numbers of the protocol: CompletionItemKind.
    let kind = match proposal.kind {
        ProposalKind::Snippet => 15,
        ProposalKind::Keyword => 14,
        ProposalKind::Field => 5,
        ProposalKind::Value => 6,
        ProposalKind::Function => 3,
        ProposalKind::Module => 9,
        ProposalKind::Type => 22,
        ProposalKind::Item => 7,
        ProposalKind::Constant => 21,
        ProposalKind::Unit => 11,
        ProposalKind::File => 17,
        ProposalKind::Metric => 23,
    };
    let gaps = proposal.insert.contains('$')
        && !matches!(
            proposal.kind,
            ProposalKind::Value | ProposalKind::Constant | ProposalKind::Metric
        );
    let gaps = gaps || proposal.insert.contains("$0");
    let (new, format) = match (gaps, abilities.snippets) {
        (true, true) => (proposal.insert.clone(), InsertTextFormat::Snippet),
        (true, false) => (dax_ide::without_gaps(&proposal.insert), InsertTextFormat::PlainText),
        (false, _) => (proposal.insert.clone(), InsertTextFormat::PlainText),
    };
    let mut item = json!({
        "label": proposal.label,
        "kind": kind,
        "sortText": format!("{}{at:04}", proposal.rank),
        "insertTextFormat": format,
        "textEdit": {"range": range, "newText": new},
    });
    if !proposal.detail.is_empty() {
        item["detail"] = json!(proposal.detail);
    }
    if !proposal.about.is_empty() {
        item["documentation"] = json!({"kind": "markdown", "value": proposal.about});
    }
    if let Some(span) = proposal.declared {
        item["data"] =
            json!({"root": root, "file": span.file.0, "start": span.start, "end": span.end});
    }
    item
}

/// Adds what is known of a proposal where it is declared.
pub(crate) fn resolve(workspace: &mut Workspace, item: &Json) -> Json {
    let mut item = item.clone();
    let number =
        |key: &str| item["data"][key].as_u64().and_then(|number| u32::try_from(number).ok());
    let about = || {
        let span =
            Span { file: FileId(number("file")?), start: number("start")?, end: number("end")? };
        let project = workspace.loaded(Path::new(item["data"]["root"].as_str()?))?;
        project.about(span)
    };
    if let Some(about) = about() {
        item["documentation"] = json!({"kind": "markdown", "value": about});
    }
    item
}
