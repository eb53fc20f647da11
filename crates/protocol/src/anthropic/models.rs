//! The bodies of `GET /v1/models` and of `POST /v1/messages/count_tokens` for clients of Anthropic.

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
        out.string_field("created_at", &rfc3339(model.created_seconds));
    });
}

/// Seconds since the epoch as a date and time in UTC, by Howard Hinnant's `civil_from_days`.
fn rfc3339(seconds: u64) -> String {
    let (days, second) = (seconds / 86_400, seconds % 86_400);
    let shifted = days + 719_468;
    let (era, day_of_era) = (shifted / 146_097, shifted % 146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let (hour, minute) = (second / 3600, second / 60 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{:02}Z", second % 60)
}
