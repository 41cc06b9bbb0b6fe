//! Editors and clients that others wrote, in front of the server.

use super::session::PROGRAM;
use crate::project::Project;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

fn editors() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../editors").canonicalize().expect("the editors")
}

/// What Neovim is to do: look at what is wrong, ask, mend it, rename, and have the text formatted.
const SCRIPT: &str = r#"
local said = function(text) io.stdout:write(text .. "\n") end
local wait = function(fits) return vim.wait(20000, fits, 20) end
vim.opt.runtimepath:append(vim.env.RUNTIME)
vim.opt.runtimepath:append(vim.env.PARSERS)
vim.cmd("runtime! ftdetect/*.lua")
vim.g.do_filetype_lua = 1
require("dax").setup({ cmd = { vim.env.DAX, "lsp" } })
vim.cmd("edit main.dax")
if vim.bo.filetype == "" then vim.bo.filetype = "dax" end
said("filetype " .. vim.bo.filetype)
wait(function() return #vim.diagnostic.get(0) > 0 end)
for _, found in ipairs(vim.diagnostic.get(0)) do said(found.lnum .. ":" .. found.col .. " " .. found.code) end
local ask = function(method, line, column, more)
  local params = { textDocument = { uri = vim.uri_from_bufnr(0) }, position = { line = line, character = column } }
  for _, answer in pairs(vim.lsp.buf_request_sync(0, method, vim.tbl_extend("force", params, more or {}), 20000) or {}) do
    return answer.result
  end
end
said("hover " .. ask("textDocument/hover", 5, 9).contents.value:match("service web"))
said("definition " .. ask("textDocument/definition", 11, 8)[1].range.start.line)
local labels = {}
for _, item in ipairs(ask("textDocument/completion", 7, 3).items) do labels[item.label] = true end
said("completion " .. tostring(labels.replicas and labels.health))
vim.api.nvim_buf_set_lines(0, 7, 8, false, { "  replicas=2" })
said("mended " .. tostring(wait(function() return #vim.diagnostic.get(0) == 0 end)))
if vim.lsp.buf.format then vim.lsp.buf.format({ timeout_ms = 20000 }) else vim.lsp.buf.formatting_sync(nil, 20000) end
said(vim.api.nvim_buf_get_lines(0, 7, 8, false)[1])
local edit = ask("textDocument/rename", 5, 9, { newName = "store" })
vim.lsp.util.apply_workspace_edit(edit, "utf-8")
for _, line in ipairs(vim.api.nvim_buf_get_lines(0, 0, -1, false)) do
  if line:match("store") then said(line) end
end
local parser = vim.treesitter.get_parser(0, "dax")
local root = parser:parse()[1]:root()
said("errors " .. tostring(root:has_error()))
local query = (vim.treesitter.query.get or vim.treesitter.get_query)("dax", "highlights")
local colours = {}
for id, node in query:iter_captures(root, 0, 0, -1) do colours[query.captures[id]] = (colours[query.captures[id]] or 0) + 1 end
said("keywords " .. tostring((colours.keyword or 0) > 4) .. " texts " .. tostring((colours.string or 0) > 2))
vim.cmd("qall!")
"#;

#[test]
fn neovim_shows_asks_mends_renames_and_colours() {
    let Some(nvim) = dax_tests::peers::neovim() else { return };
    let project = Project::new(PROGRAM);
    std::fs::write(project.path("look.lua"), SCRIPT).expect("a script");
    let parsers = project.path("parsers/parser");
    std::fs::create_dir_all(&parsers).expect("a folder");
    let source = editors().join("tree-sitter-dax/src");
    let mut compile = Command::new("cc");
    compile
        .args(["-O1", "-fPIC", "-shared", "-I"])
        .arg(&source)
        .arg(source.join("parser.c"))
        .arg("-o")
        .arg(parsers.join("dax.so"));
    assert!(compile.status().expect("a compiler").success());
    let mut command = Command::new(nvim);
    command
        .args(["--headless", "--clean", "-n", "-c", "luafile look.lua"])
        .current_dir(project.path(""));
    command.env("RUNTIME", editors().join("neovim")).env("PARSERS", project.path("parsers"));
    let said = command
        .env("DAX", env!("CARGO_BIN_EXE_dax"))
        .stdin(Stdio::null())
        .output()
        .expect("Neovim runs");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&said.stdout),
        String::from_utf8_lossy(&said.stderr)
    );
    let lines: Vec<&str> =
        said.lines().map(str::trim_end).filter(|line| !line.is_empty()).collect();
    let wanted = [
        "filetype dax",
        "7:13 DAX2002",
        "hover service web",
        "definition 5",
        "completion true",
        "mended true",
        "  replicas = 2",
        "service store {",
        "moved web to store",
        "  bind store to local.machine",
        "errors false",
        "keywords true texts true",
    ];
    assert_eq!(lines, wanted, "{said}");
}

/// The files of a folder, as they are kept in the repository.
fn copied(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder") {
        let path = entry.expect("an entry").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        match name.as_str() {
            "node_modules" | "out" => {}
            _ if path.is_dir() => copied(&path, &to.join(&name)),
            _ => {
                std::fs::copy(&path, to.join(&name)).expect("a copy");
            }
        }
    }
}

/// Builds the extension for Visual Studio Code, runs its tests with the real language client, and packs it.
#[test]
fn the_extension_is_built_tested_and_packed() {
    let Some(node) = dax_tests::peers::node() else { return };
    let path = std::env::join_paths(
        std::iter::once(node.clone())
            .chain(std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default())),
    );
    let path = path.expect("a search path");
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("vscode");
    copied(&editors().join("vscode"), &folder);
    let npm = |args: &[&str]| {
        let mut command = Command::new(node.join("npm"));
        command
            .args(args)
            .env("PATH", &path)
            .current_dir(&folder)
            .stdin(Stdio::null())
            .env("DAX", env!("CARGO_BIN_EXE_dax"));
        let said = command.env("DAX_ROOT", editors().join("..")).output().expect("npm runs");
        assert!(
            said.status.success(),
            "npm {args:?}\n{}{}",
            String::from_utf8_lossy(&said.stdout),
            String::from_utf8_lossy(&said.stderr)
        );
        String::from_utf8_lossy(&said.stdout).into_owned()
    };
    npm(&["ci", "--no-audit", "--no-fund", "--prefer-offline"]);
    let said = npm(&["test"]);
    assert!(said.contains("# fail 0") && said.contains("# pass 8"), "{said}");
    npm(&["run", "package"]);
    assert!(std::fs::metadata(folder.join("dax.vsix")).expect("a package").len() > 50_000);
}
