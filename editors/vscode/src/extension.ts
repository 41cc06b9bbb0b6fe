// The extension: it starts `dax lsp`, and offers as commands and tasks what dax does beside it.

import * as vscode from 'vscode';
import { LanguageClient, TransportKind } from 'vscode-languageclient/node';

let client: LanguageClient | undefined;

export async function activate(context: vscode.ExtensionContext): Promise<LanguageClient> {
  const output = vscode.window.createOutputChannel('dax', { log: true });
  context.subscriptions.push(
    output,
    vscode.commands.registerCommand('dax.restart', () => client?.restart()),
    vscode.commands.registerCommand('dax.planEnvironment', planEnvironment),
    vscode.commands.registerCommand('dax.checkProject', () => run({ type: 'dax', command: 'check' })),
    vscode.commands.registerCommand('dax.showReferences', showReferences),
    vscode.tasks.registerTaskProvider('dax', { provideTasks, resolveTask }),
  );
  const started = start(output);
  client = started;
  await started.start();
  return started;
}

export async function deactivate(): Promise<void> {
  await client?.stop();
}

function settings(): vscode.WorkspaceConfiguration {
  return vscode.workspace.getConfiguration('dax');
}

function program(): string {
  return settings().get<string>('path') || 'dax';
}

function start(output: vscode.LogOutputChannel): LanguageClient {
  const more = settings().get<string[]>('arguments') ?? [];
  const server = { command: program(), args: ['lsp', ...more], transport: TransportKind.stdio };
  return new LanguageClient('dax', 'dax', server, {
    documentSelector: [{ language: 'dax' }, { scheme: 'file', pattern: '**/*.dax' }],
    outputChannel: output,
    // A program that is not there is said once, with what to do.
    initializationFailedHandler: (error) => {
      void vscode.window.showErrorMessage(`dax could not be started (${error.message}). Is \`${program()}\` the path of dax? See the setting dax.path.`);
      return false;
    },
  });
}

// The server gives places as plain numbers; the editor wants objects of its own.
async function showReferences(uri: string, position: { line: number; character: number }): Promise<void> {
  const at = vscode.Uri.parse(uri);
  const place = new vscode.Position(position.line, position.character);
  const found = await vscode.commands.executeCommand<vscode.Location[]>('vscode.executeReferenceProvider', at, place);
  await vscode.commands.executeCommand('editor.action.showReferences', at, place, found ?? []);
}

async function planEnvironment(): Promise<void> {
  const editor = vscode.window.activeTextEditor;
  const symbols = await vscode.commands.executeCommand<vscode.SymbolInformation[]>('vscode.executeWorkspaceSymbolProvider', '');
  const names = (symbols ?? []).filter((symbol) => symbol.kind === vscode.SymbolKind.Namespace).map((symbol) => symbol.name);
  const environment = await vscode.window.showQuickPick(names, { placeHolder: 'Which environment?' });
  if (environment && editor) {
    await vscode.commands.executeCommand('dax.plan', editor.document.uri.toString(), environment);
  }
}

interface DaxTask extends vscode.TaskDefinition {
  command: string;
  environment?: string;
}

function task(definition: DaxTask, scope: vscode.WorkspaceFolder | vscode.TaskScope): vscode.Task {
  const short = definition.command === 'check' || definition.command === 'lint' ? ['--format', 'short'] : [];
  const of = definition.environment ? ['-e', definition.environment] : [];
  const process = new vscode.ProcessExecution(program(), [definition.command, ...of, ...short]);
  const name = [definition.command, definition.environment].filter(Boolean).join(' ');
  const made = new vscode.Task(definition, scope, name, 'dax', process, '$dax');
  made.group = definition.command === 'check' ? vscode.TaskGroup.Build : definition.command === 'test' ? vscode.TaskGroup.Test : undefined;
  return made;
}

function provideTasks(): vscode.Task[] {
  const folders = vscode.workspace.workspaceFolders ?? [];
  return folders.flatMap((folder) => ['check', 'lint', 'test'].map((command) => task({ type: 'dax', command }, folder)));
}

function resolveTask(unresolved: vscode.Task): vscode.Task | undefined {
  const definition = unresolved.definition as DaxTask;
  return definition.command ? task(definition, unresolved.scope ?? vscode.TaskScope.Workspace) : undefined;
}

async function run(definition: DaxTask): Promise<void> {
  const folder = vscode.workspace.workspaceFolders?.[0];
  await vscode.tasks.executeTask(task(definition, folder ?? vscode.TaskScope.Workspace));
}
