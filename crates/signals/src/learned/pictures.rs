//! Examples that are images: inline, as bare base64, or in files; or sentences that say what is in one.

use std::sync::Arc;

/// Gives the image of a file as a `data:` URI, or why it cannot be used; `None` if there is no such file.
pub type PictureSource<'s> = dyn Fn(&str) -> Option<Result<Arc<str>, String>> + 's;

/// How base64 of an image begins, and the type that it then is.
const BEGINNINGS: [(&str, &str); 3] = [("iVBORw0KGgo", "png"), ("/9j/", "jpeg"), ("UklGR", "webp")];
/// How names of image files end.
const ENDINGS: [&str; 5] = [".png", ".jpg", ".jpeg", ".webp", ".gif"];

/// What an example is: the `data:` URI of an image, or a sentence, which a model of two towers compares as well.
///
/// # Errors
/// If it names a file of images that cannot be used.
pub(super) fn example(written: &str, files: &PictureSource<'_>) -> Result<Arc<str>, String> {
    let written = written.trim();
    if is_inline(written) {
        return Ok(written.into());
    }
    if let Some((_, kind)) = BEGINNINGS.iter().find(|(beginning, _)| written.starts_with(beginning)) {
        return Ok(format!("data:image/{kind};base64,{written}").into());
    }
    if let Some(read) = files(written) {
        return read;
    }
    let lower = written.to_lowercase();
    let is_file = !written.contains(char::is_whitespace) && ENDINGS.iter().any(|end| lower.ends_with(end));
    if is_file { Err("there is no such file".to_owned()) } else { Ok(written.into()) }
}

/// Whether an example is an image.
pub fn is_inline(example: &str) -> bool {
    example.strip_prefix("data:image/").is_some_and(|rest| rest.contains(";base64,"))
}
