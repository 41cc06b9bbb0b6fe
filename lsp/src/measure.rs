//! How fast the server answers, measured from a client over standard input and output.
//!
//! Each figure is the time from the last byte sent to the first message that says what was asked for.

use lsp_server::{Message, Notification, Request};
use serde_json::{Value as Json, json};
use std::collections::BTreeMap;
use std::io::{BufReader, Error, Result};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

/// A name that no program has: what is written in its place is not known.
const UNKNOWN: &str = "nobody_declares_this";

/// Times of one kind, the shortest first.
#[derive(Clone, Debug, Default)]
pub struct Times(Vec<Duration>);

impl Times {
    /// The time that so many hundredths of all stay within.
    pub fn percentile(&self, hundredths: usize) -> Duration {
        let at = (self.0.len() * hundredths).div_ceil(100).saturating_sub(1);
        self.0.get(at).copied().unwrap_or_default()
    }

    /// How many were measured.
    pub fn count(&self) -> usize {
        self.0.len()
    }
}

/// What was measured.
#[derive(Clone, Debug)]
pub struct Report {
    /// Files of the project and their lines.
    pub size: (usize, usize),
    /// From the start of the process to the first findings of the whole project.
    pub cold_start: Duration,
    /// Times by what was done.
    pub times: BTreeMap<&'static str, Times>,
    /// Keystrokes that were sent.
    pub keystrokes: usize,
    /// Memory of the server in the end, in bytes; nothing where the system does not tell.
    pub resident: Option<u64>,
}

/// A file of the project with places in it that can be typed at.
struct Place {
    path: PathBuf,
    text: String,
    /// The value of a field: its line, where it begins and ends.
    value: (u32, u32, u32),
    /// The name that the item declares.
    name: (u32, u32),
}

/// Measures a server on a project, with so many edits.
///
/// # Errors
/// The server cannot be started, goes away, or the project has nothing that could be typed at.
pub fn measure(program: &Path, root: &Path, edits: usize) -> Result<Report> {
    let root = root.canonicalize()?;
    let places = places(&root)?;
    if places.is_empty() {
        return Err(Error::other("no service of the project has a field on a line of its own"));
    }
    let size = size(&root)?;
    let start = Instant::now();
    let mut client = Client::start(program, &root)?;
    client.open(&places[0])?;
    // Everything is known once a text that was sent before has been looked at with the whole project.
    client.ask("workspace/diagnostic", json!({"previousResultIds": []}))?;
    let cold_start = start.elapsed();
    let mut times: BTreeMap<&'static str, Vec<Duration>> = BTreeMap::new();
    let mut dice = 0x9e37_79b9_7f4a_7c15_u64;
    let mut keystrokes = 0;
    while keystrokes < edits {
        dice ^= dice << 13;
        dice ^= dice >> 7;
        dice ^= dice << 17;
        let place = &places[usize::try_from(dice % places.len() as u64).unwrap_or(0)];
        if !client.versions.contains_key(&place.path) {
            client.open(place)?;
        }
        let (line, from, to) = place.value;
        let value =
            &place.text.lines().nth(line as usize).unwrap_or_default()[from as usize..to as usize];
        let mut note = |what, time| times.entry(what).or_default().push(time);
        // A bracket that is never closed shows in the form of the text, a name that is not known in its meaning.
        note(
            "keystroke to syntax findings",
            client.type_until(
                place,
                line,
                (from, from),
                "[",
                |code| code.starts_with("DAX1"),
                true,
            )?,
        );
        note(
            "keystroke to syntax findings",
            client.type_until(
                place,
                line,
                (from, from + 1),
                "",
                |code| code.starts_with("DAX1"),
                false,
            )?,
        );
        let length = u32::try_from(UNKNOWN.len()).unwrap_or(0);
        note(
            "keystroke to semantic findings",
            client.type_until(
                place,
                line,
                (from, to),
                UNKNOWN,
                |code| code.starts_with("DAX2"),
                true,
            )?,
        );
        let position = json!({"textDocument": {"uri": uri(&place.path)}, "position": {"line": line, "character": from + 2}});
        note("completion", client.time("textDocument/completion", position)?);
        let gone = client.type_until(
            place,
            line,
            (from, from + length),
            value,
            |code| code.starts_with("DAX2"),
            false,
        )?;
        note("keystroke to semantic findings", gone);
        let field = json!({"textDocument": {"uri": uri(&place.path)}, "position": {"line": line, "character": 3}});
        note("hover", client.time("textDocument/hover", field)?);
        keystrokes += 4;
        if keystrokes % 40 == 0 {
            let (line, column) = place.name;
            let position = json!({"line": line, "character": column});
            let params = json!({"textDocument": {"uri": uri(&place.path)}, "position": position, "newName": "quite_another"});
            note("rename", client.time("textDocument/rename", params)?);
            let params = json!({"textDocument": {"uri": uri(&place.path)}, "position": position, "context": {"includeDeclaration": true}});
            note("references", client.time("textDocument/references", params)?);
        }
    }
    let resident = client.resident();
    client.end()?;
    let sorted = |mut times: Vec<Duration>| {
        times.sort_unstable();
        Times(times)
    };
    let times = times.into_iter().map(|(what, times)| (what, sorted(times))).collect();
    Ok(Report { size, cold_start, times, keystrokes, resident })
}

fn uri(path: &Path) -> String {
    format!("file://{}", path.display())
}

/// All `.dax` files below a folder.
fn files(folder: &Path, into: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        let hidden = path.file_name().is_some_and(|name| name.to_string_lossy().starts_with('.'));
        if path.is_dir() && !hidden {
            files(&path, into)?;
        } else if path.extension().is_some_and(|ending| ending == "dax") {
            into.push(path);
        }
    }
    into.sort();
    Ok(())
}

fn size(root: &Path) -> Result<(usize, usize)> {
    let mut all = Vec::new();
    files(root, &mut all)?;
    let mut lines = 0;
    for path in &all {
        lines += std::fs::read_to_string(path)?.lines().count();
    }
    Ok((all.len(), lines))
}

/// Files in which a service has a number as a value on a line of its own.
fn places(root: &Path) -> Result<Vec<Place>> {
    let mut all = Vec::new();
    files(root, &mut all)?;
    let mut found = Vec::new();
    for path in all {
        let text = std::fs::read_to_string(&path)?;
        let number = |number: usize| u32::try_from(number).unwrap_or(0);
        let lines: Vec<&str> = text.lines().collect();
        let value = lines.iter().enumerate().find_map(|(line, said)| {
            let (field, value) = said
                .split_once("replicas = default ")
                .or_else(|| said.split_once("replicas = "))?;
            let from = said.len() - value.len();
            (field.trim().is_empty() && value.chars().all(|c| c.is_ascii_digit()))
                .then(|| (number(line), number(from), number(said.len())))
        });
        let name = lines
            .iter()
            .position(|line| line.starts_with("service "))
            .map(|line| (number(line), 8));
        if let (Some(value), Some(name)) = (value, name) {
            found.push(Place { path, text, value, name });
        }
    }
    Ok(found)
}

struct Client {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    next: i32,
    versions: BTreeMap<PathBuf, i64>,
}

impl Client {
    fn start(program: &Path, root: &Path) -> Result<Self> {
        let mut child = Command::new(program)
            .args(["lsp", "--stdio"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(Error::other("the server has no input or output"));
        };
        let mut client = Self {
            child,
            input,
            output: BufReader::new(output),
            next: 0,
            versions: BTreeMap::new(),
        };
        let folders = json!([{"uri": uri(root), "name": "project"}]);
        let capabilities = json!({"general": {"positionEncodings": ["utf-8"]}});
        client.ask(
            "initialize",
            json!({"processId": null, "rootUri": uri(root), "workspaceFolders": folders, "capabilities": capabilities}),
        )?;
        client.tell("initialized", json!({}))?;
        Ok(client)
    }

    fn tell(&mut self, method: &str, params: Json) -> Result<()> {
        Message::Notification(Notification::new(method.to_owned(), params)).write(&mut self.input)
    }

    fn read(&mut self) -> Result<Message> {
        Message::read(&mut self.output)?.ok_or_else(|| Error::other("the server went away"))
    }

    fn ask(&mut self, method: &str, params: Json) -> Result<Json> {
        self.next += 1;
        let id = lsp_server::RequestId::from(self.next);
        Message::Request(Request { id: id.clone(), method: method.to_owned(), params })
            .write(&mut self.input)?;
        loop {
            if let Message::Response(response) = self.read()?
                && response.id == id
            {
                return response
                    .response_result
                    .map_err(|error| Error::other(format!("{method}: {}", error.message)));
            }
        }
    }

    fn time(&mut self, method: &str, params: Json) -> Result<Duration> {
        let start = Instant::now();
        self.ask(method, params)?;
        Ok(start.elapsed())
    }

    fn open(&mut self, place: &Place) -> Result<()> {
        self.versions.insert(place.path.clone(), 1);
        let document =
            json!({"uri": uri(&place.path), "languageId": "dax", "version": 1, "text": place.text});
        self.tell("textDocument/didOpen", json!({"textDocument": document}))
    }

    /// Replaces a part of a line; the time until findings with a code are there, or are there no more.
    fn type_until(
        &mut self,
        place: &Place,
        line: u32,
        columns: (u32, u32),
        text: &str,
        fits: impl Fn(&str) -> bool,
        wanted: bool,
    ) -> Result<Duration> {
        let version = self.versions.entry(place.path.clone()).or_insert(1);
        *version += 1;
        let (version, uri) = (*version, uri(&place.path));
        let range = json!({"start": {"line": line, "character": columns.0}, "end": {"line": line, "character": columns.1}});
        let document = json!({"uri": uri, "version": version});
        self.tell(
            "textDocument/didChange",
            json!({"textDocument": document, "contentChanges": [{"range": range, "text": text}]}),
        )?;
        let start = Instant::now();
        loop {
            let Message::Notification(note) = self.read()? else { continue };
            if note.method != "textDocument/publishDiagnostics"
                || note.params["uri"] != *uri
                || note.params["version"] != version
            {
                continue;
            }
            let found = note.params["diagnostics"].as_array().into_iter().flatten();
            if found.into_iter().any(|one| one["code"].as_str().is_some_and(&fits)) == wanted {
                return Ok(start.elapsed());
            }
        }
    }

    fn resident(&self) -> Option<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
        Some(kilobytes * 1024)
    }

    fn end(mut self) -> Result<()> {
        self.ask("shutdown", Json::Null)?;
        self.tell("exit", Json::Null)?;
        self.child.wait()?;
        Ok(())
    }
}
