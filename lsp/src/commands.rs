//! Commands that a client has carried out: dax itself runs beside the server, and its answer is shown.

use crate::documents::root_of;
use crate::workspace::Workspace;
use gen_lsp_types::Uri;
use lsp_server::{Connection, ErrorCode, Message, Request, RequestId, Response};
use serde_json::{Value as Json, json};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Carries out a command; the answer is sent when it is there.
pub(crate) fn execute(
    request: Request,
    workspace: &mut Workspace,
    connection: &Connection,
    shows: bool,
) {
    let wrong = |detail: String| {
        Response::new_err(request.id.clone(), ErrorCode::InvalidParams as i32, detail)
    };
    let arguments: Vec<String> = request.params["arguments"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|argument| argument.as_str().map_or_else(|| argument.to_string(), str::to_owned))
        .collect();
    let command = request.params["command"].as_str().unwrap_or_default().to_owned();
    let root = arguments.first().and_then(|uri| root(uri));
    let answer = match (command.as_str(), root, arguments.get(1..).unwrap_or_default()) {
        ("dax.check", Some(root), _) => {
            if let Some(open) = workspace.projects.get_mut(&root) {
                open.reload = true;
            }
            Response::new_ok(request.id, Json::Null)
        }
        ("dax.plan", Some(root), [environment]) => {
            let args = ["plan", "-e", environment, "--format", "markdown"];
            return run(request.id, root, args.map(str::to_owned).to_vec(), format!("plan-{environment}.md"), connection, shows);
        }
        ("dax.why", Some(root), [address]) => {
            let args = ["why", address];
            return run(request.id, root, args.map(str::to_owned).to_vec(), format!("why-{address}.txt"), connection, shows);
        }
        ("dax.plan" | "dax.why" | "dax.check", None, _) => wrong("the first argument is the address of a file of a project".to_owned()),
        ("dax.plan", ..) => wrong("`dax.plan` takes the address of a file and an environment".to_owned()),
        ("dax.why", ..) => wrong("`dax.why` takes the address of a file and what is asked about, `environment.service.field`".to_owned()),
        _ => wrong(format!("there is no command `{command}`")),
    };
    let _ = connection.sender.send(answer.into());
}

fn root(uri: &str) -> Option<PathBuf> {
    let path = uri.parse::<Uri>().ok()?.to_file_path().ok()?;
    if path.join("dax.mod").is_file() { Some(path) } else { root_of(&path) }
}

/// Runs dax in a thread of its own; what it says is the answer, and shown where a client can.
fn run(
    id: RequestId,
    root: PathBuf,
    args: Vec<String>,
    name: String,
    connection: &Connection,
    shows: bool,
) {
    let sender = connection.sender.clone();
    std::thread::spawn(move || {
        let program = std::env::current_exe().unwrap_or_else(|_| PathBuf::from("dax"));
        let said = Command::new(program)
            .args(&args)
            .current_dir(&root)
            .stdin(Stdio::null())
            .env("NO_COLOR", "1")
            .output();
        let answer = match said {
            Err(error) => Response::new_err(
                id,
                ErrorCode::InternalError as i32,
                format!("dax cannot be run: {error}"),
            ),
            Ok(said) => {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                let (out, err) = (text(&said.stdout), text(&said.stderr));
                if shows
                    && let Some(path) =
                        crate::library::written(&name, if out.is_empty() { &err } else { &out })
                {
                    let show = json!({"uri": Uri::from_file_path(path).ok(), "takeFocus": true});
                    let request = Request {
                        id: format!("show {name}").into(),
                        method: "window/showDocument".to_owned(),
                        params: show,
                    };
                    let _ = sender.send(Message::Request(request));
                }
                Response::new_ok(id, json!({"code": said.status.code(), "out": out, "err": err}))
            }
        };
        let _ = sender.send(answer.into());
    });
}
