//! Requests about one text alone.

use crate::positions::{Encoding, Text};
use crate::workspace::Workspace;
use dax_ide::{FoldKind, Symbol};
use gen_lsp_types::{
    DocumentFormattingParams, DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, FoldingRange, FoldingRangeKind,
    FoldingRangeParams, SelectionRange, SelectionRangeParams, SymbolKind, TextEdit,
};

pub(crate) fn formatting(workspace: &mut Workspace, params: &DocumentFormattingParams) -> Option<Vec<TextEdit>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let edit = |edit: dax_ide::Rewrite| TextEdit { range: text.range(&edit.range, encoding), new_text: edit.text };
    Some(dax_ide::formatted(&text.text).into_iter().map(edit).collect())
}

pub(crate) fn symbols(workspace: &mut Workspace, params: &DocumentSymbolParams) -> Option<DocumentSymbolResponse> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let all = dax_ide::outline(&text.text).into_iter().map(|symbol| document_symbol(symbol, &text, encoding)).collect();
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
    let children: Vec<DocumentSymbol> = symbol.children.into_iter().map(|child| document_symbol(child, text, encoding)).collect();
    let (range, name) = (text.range(&symbol.range, encoding), text.range(&symbol.name_range, encoding));
    let mut shown = DocumentSymbol::new(symbol.name, None, kind, None, None, range, name, None);
    shown.detail = Some(symbol.word).filter(|word| !word.is_empty());
    shown.children = Some(children).filter(|children| !children.is_empty());
    shown
}

pub(crate) fn folding(workspace: &mut Workspace, params: &FoldingRangeParams) -> Option<Vec<FoldingRange>> {
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

pub(crate) fn selection(workspace: &mut Workspace, params: &SelectionRangeParams) -> Option<Vec<SelectionRange>> {
    let (text, encoding) = (workspace.text(&params.text_document.uri)?, workspace.encoding);
    let one = |position: &gen_lsp_types::Position| {
        let parts = dax_ide::enclosing(&text.text, text.offset(*position, encoding));
        let outwards = parts.iter().rev().map(|part| text.range(part, encoding));
        outwards.fold(None, |parent, range| Some(Box::new(SelectionRange { range, parent }))).map(|selection| *selection)
    };
    params.positions.iter().map(one).collect()
}
