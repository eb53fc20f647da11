//! The bodies of `GET /v1/models` and of `POST /v1/messages/count_tokens` for clients of Anthropic.

use vsr_types::Timestamp;

use bytes::Bytes;

use crate::json::Writer;
use crate::models::ModelEntry;

/// The list of `models`, in their order, on one page.
pub fn model_list(models: &[ModelEntry]) -> Bytes {
    let mut out = Writer::default();
    out.object(|out| {
        out.array_field("data", |list| models.iter().for_each(|model| write_model(model, list)));
        out.nullable_field("first_id", models.first().map(|model| &*model.id));
        out.bool_field("has_more", false);
        out.nullable_field("last_id", models.last().map(|model| &*model.id));
    });
    out.finish()
}

/// The body that describes one model.
pub fn model_body(model: &ModelEntry) -> Bytes {
    let mut out = Writer::default();
    write_model(model, &mut out);
    out.finish()
}

/// The answer to a request for a count of tokens.
pub fn token_count(input_tokens: u64) -> Bytes {
    let mut out = Writer::default();
    out.object(|out| out.number_field("input_tokens", input_tokens));
    out.finish()
}

fn write_model(model: &ModelEntry, out: &mut Writer) {
    out.object(|out| {
        out.string_field("type", "model");
        out.string_field("id", &model.id);
        out.string_field("display_name", &model.id);
        out.string_field("created_at", &Timestamp::from_seconds(model.created_seconds).rfc3339());
    });
}
