//! What the editor is answered about a document.

use lsp_types::{
    CompletionItem, CompletionItemKind, CompletionParams, CompletionResponse, CompletionTextEdit,
    DocumentFormattingParams, DocumentSymbol, DocumentSymbolParams, DocumentSymbolResponse,
    Documentation, GotoDefinitionParams, GotoDefinitionResponse, Hover, HoverContents, HoverParams,
    Location, MarkupContent, MarkupKind, SymbolKind as LspSymbolKind, TextEdit, Uri,
};
use wiretalk_talk::assist::{self, Role, Symbol, SymbolKind};

use super::document::Document;

/// A question about a document.
pub(super) trait About {
    /// Which.
    fn uri(&self) -> &Uri;
}

macro_rules! about {
    ($($params:ty: $($path:ident).+;)+) => {
        $(impl About for $params {
            fn uri(&self) -> &Uri {
                &self.$($path).+.uri
            }
        })+
    };
}

about! {
    CompletionParams: text_document_position.text_document;
    HoverParams: text_document_position_params.text_document;
    GotoDefinitionParams: text_document_position_params.text_document;
    DocumentSymbolParams: text_document;
    DocumentFormattingParams: text_document;
}

pub(super) fn completion(
    document: &Document,
    params: &CompletionParams,
) -> Option<CompletionResponse> {
    let offset = document.offset(params.text_document_position.position);
    let (span, found) = assist::complete(document.source(), offset);
    let range = document.range(span);
    let items = found.into_iter().map(|found| CompletionItem {
        kind: Some(match found.role {
            Role::Directive | Role::Trigger | Role::Who => CompletionItemKind::KEYWORD,
            Role::Kind | Role::Predicate => CompletionItemKind::OPERATOR,
            Role::FrameOption | Role::TalkOption => CompletionItemKind::PROPERTY,
            Role::Type => CompletionItemKind::TYPE_PARAMETER,
            Role::Query => CompletionItemKind::FIELD,
            Role::Name => CompletionItemKind::VARIABLE,
        }),
        detail: Some(found.form),
        documentation: (!found.meaning.is_empty()).then(|| {
            Documentation::MarkupContent(MarkupContent {
                kind: MarkupKind::Markdown,
                value: found.meaning.to_owned(),
            })
        }),
        text_edit: Some(CompletionTextEdit::Edit(TextEdit::new(
            range,
            found.text.clone(),
        ))),
        label: found.text,
        ..CompletionItem::default()
    });
    Some(CompletionResponse::Array(items.collect()))
}

pub(super) fn hover(document: &Document, params: &HoverParams) -> Option<Hover> {
    let offset = document.offset(params.text_document_position_params.position);
    let (span, word) = assist::hover(document.source(), offset)?;
    Some(Hover {
        contents: HoverContents::Markup(MarkupContent {
            kind: MarkupKind::Markdown,
            value: format!("```talk\n{}\n```\n{}", word.form, word.meaning),
        }),
        range: Some(document.range(span)),
    })
}

pub(super) fn definition(
    document: &Document,
    params: &GotoDefinitionParams,
) -> Option<GotoDefinitionResponse> {
    let offset = document.offset(params.text_document_position_params.position);
    let found = assist::definitions(document.source(), offset);
    let places = found
        .into_iter()
        .map(|span| Location::new(document.uri().clone(), document.range(span)));
    Some(GotoDefinitionResponse::Array(places.collect()))
}

pub(super) fn outline(
    document: &Document,
    _: &DocumentSymbolParams,
) -> Option<DocumentSymbolResponse> {
    let found = assist::outline(document.source());
    let symbols = found.into_iter().map(|found| symbol(document, found));
    Some(DocumentSymbolResponse::Nested(symbols.collect()))
}

fn symbol(document: &Document, found: Symbol) -> DocumentSymbol {
    let range = document.range(found.span);
    #[allow(
        deprecated,
        reason = "the type has a field that is, and no other way to be made"
    )]
    DocumentSymbol {
        name: found.name,
        detail: None,
        kind: match found.kind {
            SymbolKind::Test => LspSymbolKind::METHOD,
            SymbolKind::Rule | SymbolKind::Clock => LspSymbolKind::EVENT,
            SymbolKind::Client => LspSymbolKind::OBJECT,
            SymbolKind::Variable => LspSymbolKind::VARIABLE,
        },
        tags: None,
        deprecated: None,
        range,
        selection_range: range,
        children: None,
    }
}

/// The whole text laid out anew; nothing while there are mistakes in it.
pub(super) fn formatting(
    document: &Document,
    _: &DocumentFormattingParams,
) -> Option<Vec<TextEdit>> {
    let source = document.source();
    let text = wiretalk_talk::format(source.name(), source.text()).ok()?;
    if text == source.text() {
        return Some(Vec::new());
    }
    Some(vec![TextEdit::new(document.whole(), text)])
}
