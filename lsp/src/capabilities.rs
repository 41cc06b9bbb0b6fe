//! What the server can do, as it tells a client, and what a client can do.

use crate::positions::Encoding;
use dax_ide::tokens::{MODIFIERS, TYPES};
use gen_lsp_types::InitializeParams;
use serde_json::{Value as Json, json};

/// What columns count for a client.
pub(crate) fn encoding(params: &InitializeParams) -> Encoding {
    let general = params.capabilities.general.as_ref();
    Encoding::agreed(general.and_then(|general| general.position_encodings.as_deref()))
}

/// What a client can do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// It looks for changes on disk when it is asked to.
    pub(crate) watches: bool,
    /// It shows that something is worked on.
    pub(crate) progress: bool,
    /// It asks for findings itself, and can be told when to ask again.
    pub(crate) pulls: bool,
    /// It opens a file when it is asked to.
    pub(crate) shows: bool,
    /// It fills gaps of what is inserted.
    pub(crate) snippets: bool,
}

impl Abilities {
    pub(crate) fn of(params: &InitializeParams) -> Self {
        // A client's abilities are deep and mostly absent: their text says it shortest.
        let all = serde_json::to_value(&params.capabilities).unwrap_or_default();
        let can = |path: &str| all.pointer(path).and_then(Json::as_bool).unwrap_or(false);
        Self {
            watches: can("/workspace/didChangeWatchedFiles/dynamicRegistration"),
            progress: can("/window/workDoneProgress"),
            pulls: can("/workspace/diagnostics/refreshSupport")
                && all.pointer("/textDocument/diagnostic").is_some(),
            shows: can("/window/showDocument/support"),
            snippets: can("/textDocument/completion/completionItem/snippetSupport"),
        }
    }
}

/// Commands that a client may have carried out.
pub(crate) const COMMANDS: [&str; 3] = ["dax.plan", "dax.why", "dax.check"];

/// The answer to `initialize`.
pub(crate) fn answer(encoding: Encoding) -> Json {
    json!({
        "serverInfo": {"name": "dax", "version": env!("CARGO_PKG_VERSION")},
        "capabilities": {
            "positionEncoding": encoding.name(),
            "textDocumentSync": {"openClose": true, "change": 2, "save": {"includeText": false}},
            "completionProvider": {"triggerCharacters": [".", "\"", ":", "=", " ", "/", "$"], "resolveProvider": true},
            "hoverProvider": true,
            "signatureHelpProvider": {"triggerCharacters": ["(", ","], "retriggerCharacters": [","]},
            "definitionProvider": true,
            "typeDefinitionProvider": true,
            "referencesProvider": true,
            "documentHighlightProvider": true,
            "documentSymbolProvider": true,
            "workspaceSymbolProvider": true,
            "codeActionProvider": {"codeActionKinds": ["quickfix", "refactor.extract", "refactor.inline", "refactor.rewrite", "source.organizeImports"]},
            "codeLensProvider": {"resolveProvider": false},
            "documentLinkProvider": {"resolveProvider": false},
            "documentFormattingProvider": true,
            "documentRangeFormattingProvider": true,
            "documentOnTypeFormattingProvider": {"firstTriggerCharacter": "}", "moreTriggerCharacter": ["\n"]},
            "renameProvider": {"prepareProvider": true},
            "foldingRangeProvider": true,
            "selectionRangeProvider": true,
            "callHierarchyProvider": true,
            "linkedEditingRangeProvider": true,
            "inlayHintProvider": true,
            "semanticTokensProvider": {
                "legend": {"tokenTypes": TYPES, "tokenModifiers": MODIFIERS},
                "full": {"delta": true},
                "range": true,
            },
            "diagnosticProvider": {"identifier": "dax", "interFileDependencies": true, "workspaceDiagnostics": true},
            "executeCommandProvider": {"commands": COMMANDS},
            "workspace": {"workspaceFolders": {"supported": true, "changeNotifications": true}},
        },
    })
}
