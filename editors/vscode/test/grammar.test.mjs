// The TextMate grammar and the server: both call the pieces of every program of the project the same.

import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { after, before, test } from 'node:test';
import { fileURLToPath, pathToFileURL } from 'node:url';

const require = createRequire(import.meta.url);
const { createMessageConnection, StreamMessageReader, StreamMessageWriter } = require('vscode-jsonrpc/node');
const textmate = require('vscode-textmate');
const oniguruma = require('vscode-oniguruma');

const here = dirname(fileURLToPath(import.meta.url));
const root = process.env.DAX_ROOT ?? join(here, '../../..');
const program = process.env.DAX ?? join(root, 'target/debug/dax');

function files(folder) {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return files(path);
    return entry.name.endsWith('.dax') ? [path] : [];
  });
}

let server;
let connection;
let legend;
let grammar;

before(async () => {
  server = spawn(program, ['lsp'], { stdio: ['pipe', 'pipe', 'inherit'] });
  connection = createMessageConnection(new StreamMessageReader(server.stdout), new StreamMessageWriter(server.stdin));
  connection.listen();
  const answer = await connection.sendRequest('initialize', { processId: null, rootUri: null, capabilities: {} });
  legend = answer.capabilities.semanticTokensProvider.legend.tokenTypes;
  await connection.sendNotification('initialized', {});
  const wasm = readFileSync(require.resolve('vscode-oniguruma/release/onig.wasm'));
  await oniguruma.loadWASM(wasm.buffer.slice(wasm.byteOffset, wasm.byteOffset + wasm.byteLength));
  const onigLib = Promise.resolve({
    createOnigScanner: (patterns) => new oniguruma.OnigScanner(patterns),
    createOnigString: (text) => new oniguruma.OnigString(text),
  });
  const path = join(here, '../syntaxes/dax.tmLanguage.json');
  const loadGrammar = async (name) => (name === 'source.dax' ? textmate.parseRawGrammar(readFileSync(path, 'utf8'), path) : null);
  grammar = await new textmate.Registry({ onigLib, loadGrammar }).loadGrammar('source.dax');
});

after(async () => {
  await connection.sendRequest('shutdown');
  await connection.sendNotification('exit');
});

/** What the server calls each piece: line, column, kind. */
async function pieces(uri) {
  const { data } = await connection.sendRequest('textDocument/semanticTokens/full', { textDocument: { uri } });
  const all = [];
  let [line, column] = [0, 0];
  for (let at = 0; at < data.length; at += 5) {
    column = data[at] === 0 ? column + data[at + 1] : data[at + 1];
    line += data[at];
    all.push({ line, column, length: data[at + 2], kind: legend[data[at + 3]] });
  }
  return all;
}

/** The innermost scope at each column of each line. */
function scopes(text) {
  let state = textmate.INITIAL;
  return text.split('\n').map((line) => {
    const { tokens, ruleStack } = grammar.tokenizeLine(line.replace(/\r$/, ''), state);
    state = ruleStack;
    return (column) => tokens.find((token) => token.startIndex <= column && column < token.endIndex)?.scopes ?? [];
  });
}

// A grammar of lines cannot tell a type from a name; what it must tell is comments, texts, numbers and the words of the language.
const expected = {
  comment: (scope) => scope.some((one) => one.startsWith('comment')),
  string: (scope) => scope.some((one) => one.startsWith('string')) || scope.at(-1)?.startsWith('punctuation.section.interpolation'),
  number: (scope) => scope.at(-1) === 'constant.numeric.dax',
  modifier: (scope) => scope.at(-1) === 'storage.modifier.dax',
  macro: (scope) => scope.at(-1) === 'entity.name.tag.dax',
  function: (scope) => scope.at(-1) === 'entity.name.function.dax',
  operator: (scope) => /^keyword\.operator|^punctuation/.test(scope.at(-1) ?? ''),
};

test('comments, texts, numbers and words have the same place in both', async () => {
  const wrong = new Map();
  let compared = 0;
  for (const path of ['stdlib', 'examples', 'tests/fixtures/format', 'tests/fixtures/types', 'tests/fixtures/plan'].flatMap((one) => files(join(root, one)))) {
    const text = readFileSync(path, 'utf8');
    const uri = pathToFileURL(path).href;
    await connection.sendNotification('textDocument/didOpen', { textDocument: { uri, languageId: 'dax', version: 1, text } });
    const known = scopes(text);
    for (const { line, column, length, kind } of await pieces(uri)) {
      const scope = known[line](column);
      const fits = expected[kind] ?? ((one) => !one.some((name) => /^(comment|string)/.test(name) && !one.includes('meta.interpolation.dax')));
      compared += 1;
      if (!fits(scope)) {
        const said = text.split('\n')[line].slice(column, column + length);
        const what = `${kind} is ${scope.at(-1)}`;
        if (!wrong.has(what)) wrong.set(what, `${path}:${line + 1} ${JSON.stringify(said)}`);
      }
    }
    await connection.sendNotification('textDocument/didClose', { textDocument: { uri } });
  }
  assert.ok(compared > 3000, String(compared));
  assert.deepEqual([...wrong].map(([what, place]) => `${what}: ${place}`), []);
});
