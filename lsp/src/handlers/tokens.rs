//! Colours: the pieces of a text as the protocol packs them, five numbers each.

use crate::positions::{Encoding, Text};
use crate::workspace::Workspace;
use dax_ide::tokens::{Token, tokens};
use gen_lsp_types::{
    Range, SemanticTokensDeltaParams, SemanticTokensParams, SemanticTokensRangeParams,
};
use serde_json::{Value as Json, json};
use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) fn full(workspace: &mut Workspace, params: &SemanticTokensParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let data = packed(&text, workspace.encoding, None);
    let id = name(&data);
    workspace.colours.insert(params.text_document.uri.to_string(), data.clone());
    Some(json!({"resultId": id, "data": data}))
}

/// What changed since the pieces that a client has; all of them where it has others than the server.
pub(crate) fn delta(workspace: &mut Workspace, params: &SemanticTokensDeltaParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    let data = packed(&text, workspace.encoding, None);
    let id = name(&data);
    let before = workspace.colours.insert(params.text_document.uri.to_string(), data.clone());
    let Some(before) = before.filter(|before| name(before) == params.previous_result_id) else {
        return Some(json!({"resultId": id, "data": data}));
    };
    let start = before.iter().zip(&data).take_while(|(a, b)| a == b).count();
    let most = before.len().min(data.len()) - start;
    let end =
        before.iter().rev().zip(data.iter().rev()).take(most).take_while(|(a, b)| a == b).count();
    let (gone, new) = (before.len() - end - start, &data[start..data.len() - end]);
    let edits = if gone == 0 && new.is_empty() {
        json!([])
    } else {
        json!([{"start": start, "deleteCount": gone, "data": new}])
    };
    Some(json!({"resultId": id, "edits": edits}))
}

pub(crate) fn range(workspace: &mut Workspace, params: &SemanticTokensRangeParams) -> Option<Json> {
    let text = workspace.text(&params.text_document.uri)?;
    Some(json!({"data": packed(&text, workspace.encoding, Some(params.range))}))
}

fn name(data: &[u32]) -> String {
    let mut hasher = DefaultHasher::new();
    data.hash(&mut hasher);
    format!("{:016x}", hasher.finish())
}

/// Line and column from the piece before, length, kind, modifiers. A piece over several lines is one for each.
fn packed(text: &Text, encoding: Encoding, only: Option<Range>) -> Vec<u32> {
    let mut data = Vec::new();
    let (mut line, mut column) = (0, 0);
    for token in tokens(&text.text) {
        for part in lines(text, token) {
            let place = text.range(&part.range, encoding);
            if place.start == place.end
                || only.is_some_and(|only| place.end < only.start || only.end < place.start)
            {
                continue;
            }
            let down = place.start.line - line;
            let right =
                if down == 0 { place.start.character - column } else { place.start.character };
            let kind = u32::try_from(part.kind).unwrap_or(0);
            data.extend([
                down,
                right,
                place.end.character - place.start.character,
                kind,
                part.modifiers,
            ]);
            (line, column) = (place.start.line, place.start.character);
        }
    }
    data
}

fn lines(text: &Text, token: Token) -> Vec<Token> {
    let said = &text.text[token.range.clone()];
    let mut start = token.range.start;
    let mut all = Vec::new();
    for line in said.split_inclusive('\n') {
        let range = start..start + line.trim_end_matches(['\n', '\r']).len();
        start += line.len();
        all.push(Token { range, ..token.clone() });
    }
    all
}
