//! Answers that are stored before the client has them.

use bytes::Bytes;
use http::{StatusCode, header};
use vsr_protocol::json::{Document, Value};

use super::{Recorder, Turn, recorder::Source, turn};
use crate::answer::{Answer, AnswerBody, Kind};

/// Stores the response that `answer` brings, or sees to it that it is stored as it is streamed.
pub(crate) async fn keep(answer: Answer, turn: Box<Turn>) -> Answer {
    if answer.status() != StatusCode::OK {
        return answer;
    }
    let (head, body) = answer.into_parts();
    let is_stream = head
        .headers
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"text/event-stream"));
    let kind = match body.into_kind() {
        Kind::Whole(bytes) if is_stream => {
            Kind::Recorded(Box::new(Recorder::new(Source::Whole(Some(bytes)), turn)))
        }
        Kind::Whole(bytes) => Kind::Whole(whole(bytes, &turn).await),
        Kind::Events(stream) => Kind::Recorded(Box::new(Recorder::new(Source::Stream(stream), turn))),
        unread => {
            tracing::warn!(id = turn.id.id(), "a response that its backend encoded unasked is not stored");
            unread
        }
    };
    Answer::from_parts(head, AnswerBody::of(kind))
}

/// A whole response, stored, as the client gets it. What is no response passes as it is.
async fn whole(bytes: Bytes, turn: &Turn) -> Bytes {
    let Some(document) = Document::parse_tolerant(bytes.clone()) else { return bytes };
    let root = document.root();
    if root.get("object").and_then(Value::as_str).as_deref() != Some("response") {
        return bytes;
    }
    let told = |is_stored| turn.edits(&[], is_stored).apply_to_document(&document);
    if !turn.keeps() {
        return told(false);
    }
    if !turn.can_go_on_from(root.get("output")) {
        tracing::warn!(id = turn.id.id(), "a response whose output cannot be read was not stored");
        return told(false);
    }
    let body = told(turn.stores);
    let kept = turn.kept(String::from_utf8_lossy(&body).into_owned(), turn::upstream_id(root), None);
    match turn.responses.keep(kept).await {
        Ok(()) => body,
        Err(error) => {
            tracing::warn!(id = turn.id.id(), %error, "a response was not stored; its client is told so");
            told(false)
        }
    }
}
