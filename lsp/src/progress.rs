//! What a client shows while a project is worked on for the first time.

use lsp_server::{Connection, Notification, Request};
use serde_json::json;
use std::path::Path;

fn token(root: &Path) -> String {
    format!("dax {}", root.display())
}

pub(crate) fn begin(connection: &Connection, root: &Path) {
    let token = token(root);
    let create = json!({"token": token});
    let request = Request {
        id: token.clone().into(),
        method: "window/workDoneProgress/create".to_owned(),
        params: create,
    };
    let _ = connection.sender.send(request.into());
    let name =
        root.file_name().map_or_else(String::new, |name| name.to_string_lossy().into_owned());
    tell(
        connection,
        &token,
        &json!({"kind": "begin", "title": "dax", "message": format!("checking {name}"), "cancellable": false}),
    );
}

pub(crate) fn end(connection: &Connection, root: &Path) {
    tell(connection, &token(root), &json!({"kind": "end"}));
}

fn tell(connection: &Connection, token: &str, value: &serde_json::Value) {
    let params = json!({"token": token, "value": value});
    let _ = connection.sender.send(Notification::new("$/progress".to_owned(), params).into());
}
