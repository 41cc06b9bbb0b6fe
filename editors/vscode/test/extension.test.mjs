// The built extension with the real language client of the npm registry, in front of the real server. The editor around them
// is a stand-in; where the editor itself can be had, `dax.vsix` is what is tried there.

import assert from 'node:assert/strict';
import { mkdtempSync, realpathSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import Module from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath } from 'node:url';

const require = createRequire(import.meta.url);
const here = fileURLToPath(new URL('.', import.meta.url));
const resolve = Module._resolveFilename;
Module._resolveFilename = function (name, ...rest) {
  return name === 'vscode' ? join(here, 'vscode.cjs') : resolve.call(this, name, ...rest);
};
const vscode = require('vscode');
const extension = require('../out/extension.js');

const program = process.env.DAX ?? join(here, '../../../target/debug/dax');
const text = `import local from "std/local"

provider local.machine {
}

## Sells things.
service web {
  command = ["web"]
  replicas = wrong
}

environment dev {
  bind web to local.machine
}
`;

let client;
let document;

/** A document as the editor has it. */
function open(path, content) {
  const lines = () => document.content.split('\n');
  return {
    content,
    uri: vscode.Uri.file(path),
    fileName: path,
    languageId: 'dax',
    version: 1,
    isClosed: false,
    isDirty: false,
    eol: 1,
    getText() {
      return this.content;
    },
    get lineCount() {
      return lines().length;
    },
    lineAt: (line) => ({ text: lines()[line], lineNumber: line }),
    offsetAt: (at) => lines().slice(0, at.line).join('\n').length + (at.line > 0 ? 1 : 0) + at.character,
  };
}

async function until(what, holds) {
  for (let tries = 0; tries < 400; tries += 1) {
    const found = await holds();
    if (found) return found;
    await new Promise((done) => setTimeout(done, 50));
  }
  throw new Error(`in vain: ${what}\n${vscode.test.told.join('\n')}`);
}

const provider = (name) => vscode.test.provided.get(name).provider;
const token = () => new vscode.CancellationTokenSource().token;
const at = (line, character) => new vscode.Position(line, character);

before(async () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), 'dax-vscode-')));
  writeFileSync(join(folder, 'dax.mod'), 'project = "test"\n');
  writeFileSync(join(folder, 'main.dax'), text);
  vscode.test.settings.set('path', program);
  vscode.workspace.workspaceFolders.push({ uri: vscode.Uri.file(folder), name: 'test', index: 0 });
  document = open(join(folder, 'main.dax'), text);
  vscode.workspace.textDocuments.push(document);
  client = await extension.activate({ subscriptions: [] });
});

after(async () => {
  await extension.deactivate();
});

test('what is wrong is asked for and shown', async () => {
  const found = await until('findings', async () => {
    const all = [...vscode.test.collections.values()].flatMap((one) => one.get(document.uri));
    return all.length > 0 && all;
  });
  assert.equal(found.length, 1);
  assert.match(found[0].message, /there is no `wrong`/);
  assert.equal(String(found[0].code?.value ?? found[0].code), 'DAX2002');
  assert.equal(found[0].range.start.line, 8);
});

test('hover, completion, definition and references come through the client', async () => {
  const hover = await provider('registerHoverProvider').provideHover(document, at(6, 9), token());
  assert.match([hover.contents].flat().map((part) => part.value ?? part).join('\n'), /Sells things/);
  const proposals = await provider('registerCompletionItemProvider').provideCompletionItems(document, at(8, 3), token(), { triggerKind: 0 });
  const labels = (proposals.items ?? proposals).map((item) => item.label);
  assert.ok(labels.includes('replicas') && labels.includes('health'), labels.join());
  const defined = await provider('registerDefinitionProvider').provideDefinition(document, at(12, 8), token());
  assert.equal(defined[0].range.start.line, 6);
  const named = await provider('registerReferenceProvider').provideReferences(document, at(6, 9), { includeDeclaration: true }, token());
  assert.equal(named.length, 2);
});

test('rename edits every place and declares what the service was called', async () => {
  const edit = await provider('registerRenameProvider').provideRenameEdits(document, at(6, 9), 'store', token());
  const texts = edit.changes.flatMap((change) => change.edits.map((one) => one.newText));
  assert.deepEqual(texts.map((one) => one.trim()).sort(), ['moved web to store', 'store', 'store']);
});

test('colours, folds, hints, lenses, links and actions have their providers', async () => {
  const tokens = await provider('registerDocumentSemanticTokensProvider').provideDocumentSemanticTokens(document, token());
  assert.ok(tokens.data.length > 20 && tokens.data.length % 5 === 0);
  const lenses = await provider('registerCodeLensProvider').provideCodeLenses(document, token());
  assert.ok(lenses.some((lens) => lens.command.command === 'dax.plan'));
  const links = await provider('registerDocumentLinkProvider').provideDocumentLinks(document, token());
  assert.equal(links.length, 1);
  for (const name of ['FoldingRange', 'SelectionRange', 'InlayHints', 'CodeActions', 'Rename', 'CallHierarchy', 'LinkedEditingRange']) {
    assert.ok(vscode.test.provided.has(`register${name}Provider`), name);
  }
});

test('what is typed is sent as it is typed, and mends what was wrong', async () => {
  const start = at(8, 13);
  const end = at(8, 18);
  document.content = text.replace('= wrong', '= 2');
  document.version += 1;
  const change = { range: new vscode.Range(start, end), rangeOffset: text.indexOf('wrong'), rangeLength: 5, text: '2' };
  vscode.test.events.get('onDidChangeTextDocument').fire({ document, contentChanges: [change], reason: undefined });
  await until('no finding', async () => {
    const all = [...vscode.test.collections.values()].flatMap((one) => one.get(document.uri));
    return all.length === 0;
  });
});

test('the commands of the server and of the extension are all there, each once', async () => {
  const known = await vscode.commands.getCommands();
  for (const name of ['dax.plan', 'dax.why', 'dax.check', 'dax.restart', 'dax.planEnvironment', 'dax.checkProject', 'dax.showReferences']) {
    assert.ok(known.includes(name), name);
  }
  const tasks = vscode.test.tasks.get('dax').provideTasks();
  assert.deepEqual(tasks.map((task) => task.execution.args), [['check', '--format', 'short'], ['lint', '--format', 'short'], ['test']]);
});

test('the problem matcher reads what dax says', async () => {
  const manifest = require('../package.json');
  const [matcher] = manifest.contributes.problemMatchers;
  const { spawnSync } = await import('node:child_process');
  const folder = mkdtempSync(join(tmpdir(), 'dax-matcher-'));
  writeFileSync(join(folder, 'dax.mod'), 'project = "test"\n');
  writeFileSync(join(folder, 'main.dax'), 'let a = wrong\n');
  const said = spawnSync(program, ['check', '--format', 'short'], { cwd: folder, encoding: 'utf8' });
  const line = `${said.stdout}${said.stderr}`.split('\n').find((one) => one.includes('DAX2002'));
  const found = new RegExp(matcher.pattern.regexp).exec(line);
  assert.deepEqual(found?.slice(1, 6), ['main.dax', '1', '9', 'error', 'DAX2002'], line);
});
