//! Which function answers which request.

use crate::capabilities::Abilities;
use crate::handlers::edits::{self, Refused};
use crate::handlers::{complete, hover, look, navigate, pull, text, tokens};
use crate::workspace::Workspace;
use lsp_server::{ErrorCode, Request, Response};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The answer to a request.
pub(crate) fn answer(
    request: Request,
    workspace: &mut Workspace,
    abilities: &Abilities,
) -> Response {
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
        "textDocument/prepareRename" => refusable(request, workspace, edits::prepare),
        "textDocument/rename" => refusable(request, workspace, edits::rename),
        "textDocument/codeAction" => plain(request, workspace, edits::actions),
        "textDocument/inlayHint" => plain(request, workspace, look::hints),
        "textDocument/signatureHelp" => plain(request, workspace, look::signature),
        "textDocument/linkedEditingRange" => plain(request, workspace, look::linked),
        "textDocument/documentLink" => plain(request, workspace, look::links),
        "textDocument/codeLens" => plain(request, workspace, look::lenses),
        "textDocument/prepareCallHierarchy" => plain(request, workspace, look::callable),
        "callHierarchy/incomingCalls" => plain(request, workspace, look::incoming),
        "callHierarchy/outgoingCalls" => plain(request, workspace, look::outgoing),
        "workspace/symbol" => plain(request, workspace, look::search),
        "textDocument/diagnostic" => plain(request, workspace, pull::document),
        "workspace/diagnostic" => plain(request, workspace, pull::workspace),
        "textDocument/rangeFormatting" => plain(request, workspace, text::range_formatting),
        "textDocument/onTypeFormatting" => plain(request, workspace, text::typed_formatting),
        #[cfg(test)]
        "test/panic" => panic!("as the test wants it"),
        other => Response::new_err(
            request.id,
            ErrorCode::MethodNotFound as i32,
            format!("`{other}` is nothing that this server does"),
        ),
    }
}

/// The answer to a request, or that its parameters make no sense.
fn plain<P: DeserializeOwned, R: Serialize>(
    request: Request,
    workspace: &mut Workspace,
    answer: fn(&mut Workspace, &P) -> R,
) -> Response {
    with(request, |params| answer(workspace, params))
}

/// The same for what may be refused in words.
fn refusable<P: DeserializeOwned>(
    request: Request,
    workspace: &mut Workspace,
    answer: fn(&mut Workspace, &P) -> Result<serde_json::Value, Refused>,
) -> Response {
    match serde_json::from_value(request.params) {
        Ok(params) => match answer(workspace, &params) {
            Ok(found) => Response::new_ok(request.id, found),
            Err(Refused(why)) => {
                Response::new_err(request.id, ErrorCode::RequestFailed as i32, why)
            }
        },
        Err(error) => {
            Response::new_err(request.id, ErrorCode::InvalidParams as i32, error.to_string())
        }
    }
}

fn with<P: DeserializeOwned, R: Serialize>(
    request: Request,
    answer: impl FnOnce(&P) -> R,
) -> Response {
    match serde_json::from_value(request.params) {
        Ok(params) => Response::new_ok(request.id, answer(&params)),
        Err(error) => {
            Response::new_err(request.id, ErrorCode::InvalidParams as i32, error.to_string())
        }
    }
}
