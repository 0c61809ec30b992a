// Highlights what comes on stdin with the TextMate grammar of `editors/`, as VS Code does: prints each token as
// `LINE<TAB>TEXT<TAB>SCOPES`, the scopes from the outermost to the innermost.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.WIRETALK_NODE_PATH, "index.js"));
const { loadWASM, OnigScanner, OnigString } = require("vscode-oniguruma");
const { INITIAL, Registry, parseRawGrammar } = require("vscode-textmate");

const grammar = process.argv[2];
await loadWASM(readFileSync(require.resolve("vscode-oniguruma/release/onig.wasm")).buffer);
const registry = new Registry({
  onigLib: Promise.resolve({
    createOnigScanner: (patterns) => new OnigScanner(patterns),
    createOnigString: (text) => new OnigString(text),
  }),
  loadGrammar: async (scope) =>
    scope === "source.talk" ? parseRawGrammar(readFileSync(grammar, "utf8"), grammar) : null,
});
const talk = await registry.loadGrammar("source.talk");

let state = INITIAL;
readFileSync(0, "utf8")
  .split("\n")
  .forEach((line, index) => {
    const { tokens, ruleStack } = talk.tokenizeLine(line, state);
    state = ruleStack;
    for (const { startIndex, endIndex, scopes } of tokens) {
      console.log([index + 1, line.slice(startIndex, endIndex), scopes.join(" ")].join("\t"));
    }
  });
