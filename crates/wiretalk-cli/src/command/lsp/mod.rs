//! `wiretalk lsp`: the language server that editors start.

mod answer;
mod document;

use std::collections::HashMap;

use clap::Args;
use lsp_server::{Connection, ErrorCode, Message, Notification, Request, Response};
use lsp_types::notification::{
    DidChangeTextDocument, DidCloseTextDocument, DidOpenTextDocument, Notification as _,
    PublishDiagnostics,
};
use lsp_types::request::{
    Completion, DocumentSymbolRequest, Formatting, GotoDefinition, HoverRequest, Request as _,
};
use lsp_types::{
    CompletionOptions, DidChangeTextDocumentParams, DidCloseTextDocumentParams,
    DidOpenTextDocumentParams, HoverProviderCapability, InitializeParams, InitializeResult, OneOf,
    PositionEncodingKind, PublishDiagnosticsParams, ServerCapabilities, ServerInfo,
    TextDocumentSyncCapability, TextDocumentSyncKind, Uri,
};
use serde_json::Value as Json;

use crate::exit::Exit;
use crate::terminal;
use document::{Document, Encoding};

#[derive(Debug, Args)]
#[command(after_help = "\
An editor starts it and speaks the Language Server Protocol over its standard input and output. It gives diagnostics,
completion, hover, definitions, an outline and formatting. How editors are told is in `editors/README.md`.")]
pub(crate) struct Lsp {
    /// Taken for the sake of editors that always say it: there is nothing else
    #[arg(long, hide = true)]
    stdio: bool,
}

impl Lsp {
    pub(crate) fn run(self) -> Exit {
        let (connection, threads) = Connection::stdio();
        let served = serve(&connection);
        // The writing thread ends when nobody can send any more.
        drop(connection);
        let ended = threads.join().map_err(|error| error.to_string());
        match served.and(ended) {
            Ok(()) => Exit::SUCCESS,
            Err(why) => {
                terminal::error(&why);
                Exit::FAILED
            }
        }
    }
}

/// The documents that are open, and how positions in them are counted.
struct Server {
    documents: HashMap<Uri, Document>,
    encoding: Encoding,
}

fn serve(connection: &Connection) -> Result<(), String> {
    let said = |error: lsp_server::ProtocolError| error.to_string();
    let (id, params) = connection.initialize_start().map_err(said)?;
    let params: InitializeParams = serde_json::from_value(params)
        .map_err(|error| format!("the editor's first message is not understood: {error}"))?;
    let encoding = Encoding::agreed(&params);
    let result = InitializeResult {
        capabilities: capabilities(encoding),
        server_info: Some(ServerInfo {
            name: "wiretalk".to_owned(),
            version: Some(env!("CARGO_PKG_VERSION").to_owned()),
        }),
    };
    connection
        .initialize_finish(id, json(&result))
        .map_err(said)?;
    let mut server = Server {
        documents: HashMap::new(),
        encoding,
    };
    for message in &connection.receiver {
        let sent = match message {
            Message::Request(request) => {
                if connection.handle_shutdown(&request).map_err(said)? {
                    return Ok(());
                }
                connection.sender.send(server.answer(request).into())
            }
            Message::Notification(notification) => match server.note(notification) {
                Some(found) => connection.sender.send(found.into()),
                None => continue,
            },
            // Nothing is asked of the editor.
            Message::Response(_) => continue,
        };
        if sent.is_err() {
            return Err("the editor does not listen any more".to_owned());
        }
    }
    Ok(())
}

fn capabilities(encoding: Encoding) -> ServerCapabilities {
    ServerCapabilities {
        position_encoding: Some(match encoding {
            Encoding::Utf8 => PositionEncodingKind::UTF8,
            Encoding::Utf16 => PositionEncodingKind::UTF16,
        }),
        text_document_sync: Some(TextDocumentSyncCapability::Kind(
            TextDocumentSyncKind::INCREMENTAL,
        )),
        completion_provider: Some(CompletionOptions {
            trigger_characters: Some([">", "<", "(", "{", ":", "|", "?"].map(String::from).into()),
            ..CompletionOptions::default()
        }),
        hover_provider: Some(HoverProviderCapability::Simple(true)),
        definition_provider: Some(OneOf::Left(true)),
        document_symbol_provider: Some(OneOf::Left(true)),
        document_formatting_provider: Some(OneOf::Left(true)),
        ..ServerCapabilities::default()
    }
}

impl Server {
    /// What the editor asked for.
    fn answer(&self, request: Request) -> Response {
        let Request { id, method, params } = request;
        let answer = match method.as_str() {
            Completion::METHOD => self.ask(params, answer::completion),
            HoverRequest::METHOD => self.ask(params, answer::hover),
            GotoDefinition::METHOD => self.ask(params, answer::definition),
            DocumentSymbolRequest::METHOD => self.ask(params, answer::outline),
            Formatting::METHOD => self.ask(params, answer::formatting),
            _ => {
                let what = format!("`{method}` is not among what this server can do");
                return Response::new_err(id, ErrorCode::MethodNotFound as i32, what);
            }
        };
        match answer {
            Ok(answer) => Response::new_ok(id, answer),
            Err(why) => Response::new_err(id, ErrorCode::InvalidParams as i32, why),
        }
    }

    fn ask<P: serde::de::DeserializeOwned + answer::About, A: serde::Serialize>(
        &self,
        params: Json,
        answer: fn(&Document, &P) -> Option<A>,
    ) -> Result<Json, String> {
        let params: P = serde_json::from_value(params).map_err(|error| error.to_string())?;
        let document = self.documents.get(params.uri());
        let document = document.ok_or("the document is not open")?;
        Ok(json(&answer(document, &params)))
    }

    /// What the editor told; then perhaps what was found about a document.
    fn note(&mut self, notification: Notification) -> Option<Notification> {
        let Notification { method, params } = notification;
        match method.as_str() {
            DidOpenTextDocument::METHOD => {
                let params: DidOpenTextDocumentParams = serde_json::from_value(params).ok()?;
                let item = params.text_document;
                let document = Document::new(&item.uri, &item.text, self.encoding);
                let found = document.findings();
                self.documents.insert(item.uri.clone(), document);
                Some(publish(item.uri, Some(item.version), found))
            }
            DidChangeTextDocument::METHOD => {
                let params: DidChangeTextDocumentParams = serde_json::from_value(params).ok()?;
                let id = params.text_document;
                let document = self.documents.get_mut(&id.uri)?;
                for change in params.content_changes {
                    document.change(change);
                }
                let found = document.findings();
                Some(publish(id.uri, Some(id.version), found))
            }
            DidCloseTextDocument::METHOD => {
                let params: DidCloseTextDocumentParams = serde_json::from_value(params).ok()?;
                let uri = params.text_document.uri;
                self.documents.remove(&uri);
                Some(publish(uri, None, Vec::new()))
            }
            _ => None,
        }
    }
}

fn publish(
    uri: Uri,
    version: Option<i32>,
    diagnostics: Vec<lsp_types::Diagnostic>,
) -> Notification {
    let params = PublishDiagnosticsParams::new(uri, diagnostics, version);
    Notification::new(PublishDiagnostics::METHOD.to_owned(), params)
}

fn json(value: &impl serde::Serialize) -> Json {
    serde_json::to_value(value).expect("the protocol's types are maps with text keys")
}
