//! Where the bytes of images and documents are, as Anthropic is told.

use crate::conversation::{Document, Image, Place, Source};
use crate::json::Writer;
use crate::loss::{Losses, Reason};

/// Media types of images that Anthropic takes.
const IMAGE_TYPES: [&str; 4] = ["image/jpeg", "image/png", "image/gif", "image/webp"];

/// Writes an image's source; none if Anthropic does not take it.
pub(super) fn image_source<'i>(
    image: &'i Image,
    place: Place,
    losses: &mut Losses,
) -> Option<impl FnOnce(&mut Writer) + use<'i>> {
    let reason = match &image.source {
        Source::Base64 { media_type, .. } if !IMAGE_TYPES.contains(&normal_type(media_type)) => {
            Some(Reason::UnsupportedImage)
        }
        Source::Base64 { .. } | Source::Url(_) => None,
        Source::File(_) => Some(Reason::FileId),
        Source::Text(_) => Some(Reason::UnsupportedImage),
        Source::Missing { is_broken: true } => Some(Reason::IncompleteBase64),
        Source::Missing { is_broken: false } => Some(Reason::MissingSource),
    };
    if let Some(reason) = reason {
        losses.add(reason, place.to_string());
        return None;
    }
    if image.detail.as_ref().is_some_and(|detail| detail != "auto") {
        losses.add(Reason::ImageDetail, place.dot("detail"));
    }
    Some(move |block: &mut Writer| write_source(&image.source, block))
}

pub(super) fn document_source<'d>(
    document: &'d Document,
    place: Place,
    losses: &mut Losses,
) -> Option<impl FnOnce(&mut Writer) + use<'d>> {
    let reason = match &document.source {
        Source::Base64 { media_type, .. } if &**media_type != "application/pdf" => {
            Some(Reason::UnsupportedBlock)
        }
        Source::Base64 { .. } | Source::Url(_) | Source::Text(_) => None,
        Source::File(_) => Some(Reason::FileId),
        Source::Missing { is_broken: true } => Some(Reason::IncompleteBase64),
        Source::Missing { is_broken: false } => Some(Reason::MissingSource),
    };
    if let Some(reason) = reason {
        losses.add(reason, place.to_string());
        return None;
    }
    Some(move |block: &mut Writer| write_source(&document.source, block))
}

/// `image/jpg` is written by some clients, and is no media type.
fn normal_type(media_type: &str) -> &str {
    if media_type == "image/jpg" { "image/jpeg" } else { media_type }
}

fn write_source(source: &Source, block: &mut Writer) {
    block.object_field("source", |out| match source {
        Source::Base64 { media_type, data } => {
            out.string_field("type", "base64");
            out.string_field("media_type", normal_type(media_type));
            out.string_field("data", data);
        }
        Source::Url(url) => {
            out.string_field("type", "url");
            out.string_field("url", url);
        }
        Source::Text(text) => {
            out.string_field("type", "text");
            out.string_field("media_type", "text/plain");
            out.string_field("data", text);
        }
        Source::File(_) | Source::Missing { .. } => {}
    });
}
