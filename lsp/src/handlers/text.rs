//! Requests about one text alone.

use crate::positions::{Encoding, Text};
use crate::workspace::Workspace;
use dax_ide::{FoldKind, Symbol};
use gen_lsp_types::{
    DocumentFormattingParams, DocumentOnTypeFormattingParams, DocumentRangeFormattingParams,
    DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, FoldingRange, FoldingRangeKind,
    FoldingRangeParams, SelectionRange, SelectionRangeParams, SymbolKind, TextEdit,
};

pub(crate) fn formatting(
    workspace: &mut Workspace,
    params: &DocumentFormattingParams,
) -> Option<Vec<TextEdit>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let edit = |edit: dax_ide::Rewrite| TextEdit {
        range: text.range(&edit.range, encoding),
        new_text: edit.text,
    };
    Some(dax_ide::formatted(&text.text).into_iter().map(edit).collect())
}

/// What formatting changes in some lines.
pub(crate) fn range_formatting(
    workspace: &mut Workspace,
    params: &DocumentRangeFormattingParams,
) -> Option<Vec<TextEdit>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    Some(within(&text, encoding, params.range.start.line, params.range.end.line))
}

/// What formatting changes in what was just finished: the line above, or the brackets that were closed.
pub(crate) fn typed_formatting(
    workspace: &mut Workspace,
    params: &DocumentOnTypeFormattingParams,
) -> Option<Vec<TextEdit>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let line = params.position.line;
    if params.ch == "\n" {
        return Some(within(&text, encoding, line.checked_sub(1)?, line.checked_sub(1)?));
    }
    let open = dax_ide::folds(&text.text)
        .into_iter()
        .rfind(|fold| fold.start < line && line <= fold.end + 1)
        .map_or(line, |fold| fold.start);
    Some(within(&text, encoding, open, line))
}

/// The edits of the formatter that lie in some lines.
fn within(text: &Text, encoding: Encoding, from: u32, to: u32) -> Vec<TextEdit> {
    let edits = dax_ide::formatted(&text.text).into_iter();
    let edits = edits
        .map(|edit| TextEdit { range: text.range(&edit.range, encoding), new_text: edit.text });
    let ends = |range: gen_lsp_types::Range| {
        if range.end.character == 0 && range.end.line > range.start.line {
            range.end.line - 1
        } else {
            range.end.line
        }
    };
    edits.filter(|edit| from <= edit.range.start.line && ends(edit.range) <= to).collect()
}

pub(crate) fn symbols(
    workspace: &mut Workspace,
    params: &DocumentSymbolParams,
) -> Option<DocumentSymbolResponse> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let all = dax_ide::outline(&text.text)
        .into_iter()
        .map(|symbol| document_symbol(symbol, &text, encoding))
        .collect();
    Some(DocumentSymbolResponse::DocumentSymbolList(all))
}

fn document_symbol(symbol: Symbol, text: &Text, encoding: Encoding) -> DocumentSymbol {
    let kind = match symbol.word.as_str() {
        "service" | "resource" => SymbolKind::Class,
        "environment" => SymbolKind::Namespace,
        "strategy" => SymbolKind::Interface,
        "provider" => SymbolKind::Package,
        "import" => SymbolKind::Module,
        "type" => SymbolKind::Struct,
        "fn" => SymbolKind::Function,
        "let" => SymbolKind::Constant,
        "param" | "secret" => SymbolKind::Variable,
        "policy" | "test" => SymbolKind::Event,
        _ => SymbolKind::Field,
    };
    let children: Vec<DocumentSymbol> =
        symbol.children.into_iter().map(|child| document_symbol(child, text, encoding)).collect();
    let (range, name) =
        (text.range(&symbol.range, encoding), text.range(&symbol.name_range, encoding));
    let mut shown = DocumentSymbol::new(symbol.name, None, kind, None, None, range, name, None);
    shown.detail = Some(symbol.word).filter(|word| !word.is_empty());
    shown.children = Some(children).filter(|children| !children.is_empty());
    shown
}

pub(crate) fn folding(
    workspace: &mut Workspace,
    params: &FoldingRangeParams,
) -> Option<Vec<FoldingRange>> {
    let text = workspace.text(&params.text_document.uri)?;
    let fold = |fold: dax_ide::Fold| FoldingRange {
        start_line: fold.start,
        end_line: fold.end,
        kind: match fold.kind {
            FoldKind::Region => None,
            FoldKind::Comment => Some(FoldingRangeKind::Comment),
            FoldKind::Imports => Some(FoldingRangeKind::Imports),
        },
        ..FoldingRange::default()
    };
    Some(dax_ide::folds(&text.text).into_iter().map(fold).collect())
}

pub(crate) fn selection(
    workspace: &mut Workspace,
    params: &SelectionRangeParams,
) -> Option<Vec<SelectionRange>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let one = |position: &gen_lsp_types::Position| {
        let parts = dax_ide::enclosing(&text.text, text.offset(*position, encoding));
        let outwards = parts.iter().rev().map(|part| text.range(part, encoding));
        outwards
            .fold(None, |parent, range| Some(Box::new(SelectionRange { range, parent })))
            .map(|selection| *selection)
    };
    params.positions.iter().map(one).collect()
}
