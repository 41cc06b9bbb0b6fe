// As much of the editor's interface as the language client wants: enough to hand it documents and to ask what it registered.
// What nobody here looks at is made up when it is named.

'use strict';

class Position {
  constructor(line, character) {
    this.line = line;
    this.character = character;
  }
  isBefore(other) {
    return this.line < other.line || (this.line === other.line && this.character < other.character);
  }
  isEqual(other) {
    return this.line === other.line && this.character === other.character;
  }
}

class Range {
  constructor(a, b, c, d) {
    [this.start, this.end] = typeof a === 'number' ? [new Position(a, b), new Position(c, d)] : [a, b];
  }
  get isEmpty() {
    return this.start.isEqual(this.end);
  }
}

class Uri {
  constructor(path) {
    this.scheme = 'file';
    this.authority = '';
    this.path = path;
    this.query = '';
    this.fragment = '';
  }
  get fsPath() {
    return this.path;
  }
  toString() {
    return `file://${encodeURI(this.path)}`;
  }
  static parse(text) {
    return new Uri(decodeURI(text.replace(/^file:\/\//, '')));
  }
  static file(path) {
    return new Uri(path);
  }
}

class EventEmitter {
  constructor() {
    this.listeners = new Set();
    this.event = (listener, self) => {
      const bound = self ? listener.bind(self) : listener;
      this.listeners.add(bound);
      return { dispose: () => this.listeners.delete(bound) };
    };
  }
  fire(value) {
    for (const listener of [...this.listeners]) listener(value);
  }
  dispose() {
    this.listeners.clear();
  }
}

class CancellationTokenSource {
  constructor() {
    this.token = { isCancellationRequested: false, onCancellationRequested: new EventEmitter().event };
  }
  cancel() {
    this.token.isCancellationRequested = true;
  }
  dispose() {}
}

class Plain {
  constructor(...parts) {
    this.parts = parts;
  }
}

class Diagnostic {
  constructor(range, message, severity) {
    Object.assign(this, { range, message, severity });
  }
}

class MarkdownString {
  constructor(value) {
    this.value = value ?? '';
  }
  appendCodeblock(text) {
    this.value += text;
    return this;
  }
}

class CompletionItem {
  constructor(label, kind) {
    Object.assign(this, { label, kind });
  }
}

class SnippetString {
  constructor(value) {
    this.value = value;
  }
}

class Hover {
  constructor(contents, range) {
    Object.assign(this, { contents, range });
  }
}

class Location {
  constructor(uri, range) {
    Object.assign(this, { uri, range });
  }
}

class TextEdit {
  constructor(range, newText) {
    Object.assign(this, { range, newText });
  }
  static replace(range, text) {
    return new TextEdit(range, text);
  }
}

class WorkspaceEdit {
  constructor() {
    this.changes = [];
  }
  set(uri, edits) {
    this.changes.push({ uri, edits: edits.map((edit) => (Array.isArray(edit) ? edit[0] : edit)) });
  }
  createFile(uri) {
    this.changes.push({ uri, created: true });
  }
}

class SemanticTokens {
  constructor(data, resultId) {
    Object.assign(this, { data, resultId });
  }
}

class CodeAction {
  constructor(title, kind) {
    Object.assign(this, { title, kind });
  }
}

class Kind {
  constructor(value) {
    this.value = value;
  }
  append(part) {
    return new Kind(this.value ? `${this.value}.${part}` : part);
  }
}

const provided = new Map();
const commands = new Map();
const collections = new Map();
const tasks = new Map();
const events = new Map();
const told = [];

/** An event that a test can fire by its name. */
function event(name) {
  if (!events.has(name)) events.set(name, new EventEmitter());
  return events.get(name).event;
}

function lenient(target, rest) {
  return new Proxy(target, { get: (self, name) => (name in self ? self[name] : rest(name)) });
}

const nothing = { dispose() {} };

const languages = lenient(
  {
    match: () => 10,
    createDiagnosticCollection(name) {
      const found = new Map();
      const collection = {
        name,
        found,
        set: (uri, all) => found.set(String(uri), all ?? []),
        get: (uri) => found.get(String(uri)) ?? [],
        delete: (uri) => found.delete(String(uri)),
        clear: () => found.clear(),
        has: (uri) => found.has(String(uri)),
        forEach: (callback) => found.forEach((all, uri) => callback(Uri.parse(uri), all)),
        dispose() {},
      };
      collections.set(name, collection);
      return collection;
    },
  },
  (name) => (selector, provider, ...more) => {
    if (String(name).startsWith('register')) provided.set(String(name), { selector, provider, more });
    return nothing;
  },
);

const settings = new Map();
const workspace = lenient(
  {
    textDocuments: [],
    notebookDocuments: [],
    workspaceFolders: [],
    isTrusted: true,
    getConfiguration: () => ({ get: (key, usual) => settings.get(key) ?? usual, inspect: () => undefined, has: (key) => settings.has(key) }),
    getWorkspaceFolder: () => workspace.workspaceFolders[0],
    createFileSystemWatcher: () => ({
      onDidCreate: event('created'),
      onDidChange: event('changed on disk'),
      onDidDelete: event('deleted'),
      dispose() {},
    }),
    registerTextDocumentContentProvider: () => nothing,
    applyEdit: async () => true,
    asRelativePath: (uri) => String(uri),
  },
  (name) => (String(name).startsWith('on') ? event(String(name)) : undefined),
);

const channel = lenient({ name: 'dax', logLevel: 0, dispose() {} }, (name) =>
  String(name).startsWith('on') ? event(String(name)) : (...parts) => told.push(parts.join(' ')),
);

const window = lenient(
  {
    createOutputChannel: () => channel,
    visibleTextEditors: [],
    activeTextEditor: undefined,
    tabGroups: { all: [], onDidChangeTabs: event('tabs'), onDidChangeTabGroups: event('tab groups'), close() {} },
    showErrorMessage: async (...parts) => void told.push(parts.join(' ')),
    showInformationMessage: async (...parts) => void told.push(parts.join(' ')),
    showWarningMessage: async (...parts) => void told.push(parts.join(' ')),
    withProgress: (_options, run) => run({ report() {} }, new CancellationTokenSource().token),
    terminals: [],
  },
  (name) => (String(name).startsWith('on') ? event(String(name)) : undefined),
);

const vscode = {
  version: '1.91.0',
  Position,
  Range,
  Selection: Range,
  Uri,
  EventEmitter,
  CancellationTokenSource,
  CancellationError: class extends Error {},
  Diagnostic,
  DiagnosticRelatedInformation: Plain,
  MarkdownString,
  CompletionItem,
  CompletionList: class {
    constructor(items, isIncomplete) {
      Object.assign(this, { items, isIncomplete });
    }
  },
  SnippetString,
  Hover,
  Location,
  TextEdit,
  SnippetTextEdit: Plain,
  WorkspaceEdit,
  SemanticTokens,
  SemanticTokensEdits: Plain,
  SemanticTokensLegend: class {
    constructor(types, modifiers) {
      Object.assign(this, { tokenTypes: types, tokenModifiers: modifiers });
    }
  },
  CodeAction,
  CodeActionKind: lenient({ Empty: new Kind('') }, (name) => new Kind(String(name).toLowerCase())),
  CodeLens: class {
    constructor(range, command) {
      Object.assign(this, { range, command });
    }
  },
  RelativePattern: Plain,
  Disposable: class {
    constructor(call) {
      this.dispose = call ?? (() => {});
    }
    static from(...all) {
      return { dispose: () => all.forEach((one) => one.dispose()) };
    }
  },
  ProcessExecution: class {
    constructor(process, args) {
      Object.assign(this, { process, args });
    }
  },
  Task: class {
    constructor(definition, scope, name, source, execution, problemMatchers) {
      Object.assign(this, { definition, scope, name, source, execution, problemMatchers });
    }
  },
  TaskGroup: { Build: 'build', Test: 'test' },
  TaskScope: { Workspace: 2 },
  DiagnosticSeverity: { Error: 0, Warning: 1, Information: 2, Hint: 3 },
  DiagnosticTag: { Unnecessary: 1, Deprecated: 2 },
  CompletionItemKind: {},
  CompletionItemTag: { Deprecated: 1 },
  CompletionTriggerKind: { Invoke: 0, TriggerCharacter: 1, TriggerForIncompleteCompletions: 2 },
  SymbolKind: { Namespace: 2 },
  LogLevel: { Off: 0, Trace: 1, Debug: 2, Info: 3, Warning: 4, Error: 5 },
  EndOfLine: { LF: 1, CRLF: 2 },
  ViewColumn: { Active: -1 },
  languages,
  workspace,
  window,
  commands: {
    registerCommand(name, run) {
      if (commands.has(name)) throw new Error(`the command ${name} is registered twice`);
      commands.set(name, run);
      return { dispose: () => commands.delete(name) };
    },
    executeCommand: async (name, ...parts) => commands.get(name)?.(...parts),
    getCommands: async () => [...commands.keys()],
  },
  tasks: {
    registerTaskProvider(name, provider) {
      tasks.set(name, provider);
      return nothing;
    },
    executeTask: async () => undefined,
  },
  env: { language: 'en', appName: 'test', machineId: 'test', uriScheme: 'vscode' },
  extensions: { getExtension: () => undefined, all: [] },
  l10n: { t: (text) => text },
  // For the tests alone.
  test: { provided, commands, collections, tasks, events, settings, told },
};

/** Classes and enumerations that the client extends or names and that nobody here looks into. */
const others =
  'DocumentLink DocumentHighlightKind SymbolTag TextDocumentSaveReason SignatureHelpTriggerKind FoldingRangeKind FileType SymbolInformation ' +
  'NotebookCellKind InlineCompletionTriggerKind CodeActionTriggerKind TypeHierarchyItem TabInputTextDiff TabInputText TabInputNotebook ' +
  'TabInputCustom SignatureInformation SignatureHelp SemanticTokensEdit SelectionRange ProgressLocation ParameterInformation ' +
  'LinkedEditingRanges InlineValueVariableLookup InlineValueText InlineValueEvaluatableExpression InlineCompletionList ' +
  'InlineCompletionItem InlayHintLabelPart InlayHint FoldingRange DocumentSymbol DocumentHighlight ColorPresentation ColorInformation ' +
  'Color CallHierarchyOutgoingCall CallHierarchyItem CallHierarchyIncomingCall';
for (const name of others.split(' ')) {
  vscode[name] = lenient(class extends Plain {}, (member) => (typeof member === 'symbol' ? undefined : 0));
}
module.exports = vscode;
