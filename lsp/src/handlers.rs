//! Requests about one text; each is a short way from the protocol to `dax-ide` and back.

use crate::positions::{Encoding, Text};
use dax_ide::{FoldKind, Symbol};
use gen_lsp_types::{
    DocumentFormattingParams, DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse, FoldingRange, FoldingRangeKind,
    FoldingRangeParams, SelectionRange, SelectionRangeParams, SymbolKind, TextEdit, Uri,
};

/// Finds a text by its address.
pub(crate) type Find<'f> = &'f dyn Fn(&Uri) -> Option<Text>;

pub(crate) fn formatting(params: &DocumentFormattingParams, find: Find<'_>, encoding: Encoding) -> Option<Vec<TextEdit>> {
    let text = find(&params.text_document.uri)?;
    let edit = |edit: dax_ide::Rewrite| TextEdit { range: text.range(&edit.range, encoding), new_text: edit.text };
    Some(dax_ide::formatted(&text.text).into_iter().map(edit).collect())
}

pub(crate) fn symbols(params: &DocumentSymbolParams, find: Find<'_>, encoding: Encoding) -> Option<DocumentSymbolResponse> {
    let text = find(&params.text_document.uri)?;
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

pub(crate) fn folding(params: &FoldingRangeParams, find: Find<'_>) -> Option<Vec<FoldingRange>> {
    let text = find(&params.text_document.uri)?;
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

pub(crate) fn selection(params: &SelectionRangeParams, find: Find<'_>, encoding: Encoding) -> Option<Vec<SelectionRange>> {
    let text = find(&params.text_document.uri)?;
    let one = |position: &gen_lsp_types::Position| {
        let parts = dax_ide::enclosing(&text.text, text.offset(*position, encoding));
        let outwards = parts.iter().rev().map(|part| text.range(part, encoding));
        outwards.fold(None, |parent, range| Some(Box::new(SelectionRange { range, parent }))).map(|selection| *selection)
    };
    params.positions.iter().map(one).collect()
}
