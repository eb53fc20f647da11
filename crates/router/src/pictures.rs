//! The images that examples name as files.

use std::{fs::File, io::Read as _, path::Path, sync::Arc};

use base64::{Engine as _, engine::general_purpose::STANDARD};

/// The largest image that is read.
const MAX_BYTES: u64 = 20 * 1024 * 1024;

/// The image `file`, whose path is relative to `directory`, as a `data:` URI; `None` if there is no such file.
pub(crate) fn picture(file: &str, directory: &Path) -> Option<Result<Arc<str>, String>> {
    let path = directory.join(file);
    if file.is_empty() || !path.is_file() {
        return None;
    }
    let mut bytes = Vec::new();
    let read = File::open(&path).and_then(|file| file.take(MAX_BYTES + 1).read_to_end(&mut bytes));
    let kind = match bytes.as_slice() {
        [0x89, b'P', b'N', b'G', ..] => Some("png"),
        [0xff, 0xd8, ..] => Some("jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("webp"),
        _ => None,
    };
    let path = path.display();
    Some(match (read, kind) {
        (Err(error), _) => Err(format!("{path} cannot be read: {error}")),
        (Ok(_), _) if bytes.len() as u64 > MAX_BYTES => {
            Err(format!("{path} is larger than {MAX_BYTES} bytes"))
        }
        (Ok(_), None) => Err(format!("{path} is no PNG, JPEG or WebP file")),
        (Ok(_), Some(kind)) => Ok(format!("data:image/{kind};base64,{}", STANDARD.encode(&bytes)).into()),
    })
}
