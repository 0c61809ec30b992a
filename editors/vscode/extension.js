// Starts `wiretalk lsp` for talks, and ends it with the window.
const { workspace } = require("vscode");
const { LanguageClient } = require("vscode-languageclient/node");

let client;

function activate() {
  const command = workspace.getConfiguration("wiretalk").get("path", "wiretalk");
  client = new LanguageClient(
    "wiretalk",
    "Wiretalk",
    { command, args: ["lsp"] },
    { documentSelector: [{ language: "talk" }] },
  );
  return client.start();
}

function deactivate() {
  return client?.stop();
}

module.exports = { activate, deactivate };
