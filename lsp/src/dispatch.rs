//! Which function answers which request.

use crate::capabilities::Abilities;
use crate::handlers::{complete, hover, navigate, text, tokens};
use crate::workspace::Workspace;
use lsp_server::{ErrorCode, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The answer to a request.
pub(crate) fn answer(request: Request, workspace: &mut Workspace, abilities: &Abilities) -> Response {
    match request.method.as_str() {
        "textDocument/formatting" => plain(request, workspace, text::formatting),
        "textDocument/documentSymbol" => plain(request, workspace, text::symbols),
        "textDocument/foldingRange" => plain(request, workspace, text::folding),
        "textDocument/selectionRange" => plain(request, workspace, text::selection),
        "textDocument/semanticTokens/full" => plain(request, workspace, tokens::full),
        "textDocument/semanticTokens/full/delta" => plain(request, workspace, tokens::delta),
        "textDocument/semanticTokens/range" => plain(request, workspace, tokens::range),
        "textDocument/completion" => {
            let abilities = *abilities;
            with(request, |params| complete::completion(workspace, params, &abilities))
        }
        "completionItem/resolve" => plain(request, workspace, complete::resolve),
        "textDocument/hover" => plain(request, workspace, hover::hover),
        "textDocument/definition" => plain(request, workspace, navigate::definition),
        "textDocument/typeDefinition" => plain(request, workspace, navigate::type_definition),
        "textDocument/references" => plain(request, workspace, navigate::references),
        "textDocument/documentHighlight" => plain(request, workspace, navigate::highlight),
        other => Response::new_err(request.id, ErrorCode::MethodNotFound as i32, format!("`{other}` is nothing that this server does")),
    }
}

/// The answer to a request, or that its parameters make no sense.
fn plain<P: DeserializeOwned, R: Serialize>(request: Request, workspace: &mut Workspace, answer: fn(&mut Workspace, &P) -> R) -> Response {
    with(request, |params| answer(workspace, params))
}

fn with<P: DeserializeOwned, R: Serialize>(request: Request, answer: impl FnOnce(&P) -> R) -> Response {
    match serde_json::from_value(request.params) {
        Ok(params) => Response::new_ok(request.id, answer(&params)),
        Err(error) => Response::new_err(request.id, ErrorCode::InvalidParams as i32, error.to_string()),
    }
}
