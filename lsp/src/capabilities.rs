//! What the server can do, as it tells a client.

use crate::positions::Encoding;
use gen_lsp_types::{
    DocumentFormattingProvider, DocumentSymbolProvider, FoldingRangeProvider, InitializeParams, InitializeResult, SelectionRangeProvider,
    ServerCapabilities, ServerInfo, TextDocumentSync, TextDocumentSyncKind, TextDocumentSyncOptions,
};

/// What columns count for a client.
pub(crate) fn encoding(params: &InitializeParams) -> Encoding {
    let general = params.capabilities.general.as_ref();
    Encoding::agreed(general.and_then(|general| general.position_encodings.as_deref()))
}

/// Whether a client looks for changes on disk when it is asked to.
pub(crate) fn watches(params: &InitializeParams) -> bool {
    let workspace = params.capabilities.workspace.as_ref();
    workspace.and_then(|workspace| workspace.did_change_watched_files.as_ref()?.dynamic_registration).unwrap_or(false)
}

/// The answer to `initialize`.
pub(crate) fn answer(encoding: Encoding) -> InitializeResult {
    let sync = TextDocumentSyncOptions {
        open_close: Some(true),
        change: Some(TextDocumentSyncKind::Incremental),
        ..TextDocumentSyncOptions::default()
    };
    let capabilities = ServerCapabilities {
        position_encoding: Some(encoding.name()),
        text_document_sync: Some(TextDocumentSync::Options(sync)),
        document_formatting_provider: Some(DocumentFormattingProvider::Bool(true)),
        document_symbol_provider: Some(DocumentSymbolProvider::Bool(true)),
        folding_range_provider: Some(FoldingRangeProvider::Bool(true)),
        selection_range_provider: Some(SelectionRangeProvider::Bool(true)),
        ..ServerCapabilities::default()
    };
    let info = ServerInfo { name: "dax".to_owned(), version: Some(env!("CARGO_PKG_VERSION").to_owned()) };
    InitializeResult { capabilities, server_info: Some(info) }
}
