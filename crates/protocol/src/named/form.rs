//! Forms (`multipart/form-data`): where the field `model` is, by the letter of RFC 7578 and RFC 2046, §5.1.1.

use std::ops::Range;

use memchr::memmem::find;

use crate::error::RequestError;

const LINE_END: &[u8] = b"\r\n";
const HEAD_END: &[u8] = b"\r\n\r\n";

/// The longest boundary, by the standard.
const MAX_BOUNDARY_BYTES: usize = 70;

/// The boundary between the parts of a form; none if the body is none.
pub(super) fn boundary(content_type: &[u8]) -> Result<Option<String>, RequestError> {
    let text = String::from_utf8_lossy(content_type);
    let (kind, parameters) = text.split_once(';').unwrap_or((&text, ""));
    if !kind.trim().eq_ignore_ascii_case("multipart/form-data") {
        return Ok(None);
    }
    let written = parameters.split(';').filter_map(|parameter| parameter.split_once('='));
    let mut written = written.filter(|(name, _)| name.trim().eq_ignore_ascii_case("boundary"));
    let (found, others) = (written.next(), written.next());
    let boundary = found.map(|(_, value)| value.trim()).unwrap_or_default();
    let boundary = match boundary.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"').unwrap_or_default(),
        None => boundary,
    };
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"'()+_,-./:=? ".contains(&byte);
    if others.is_some()
        || boundary.is_empty()
        || boundary.len() > MAX_BOUNDARY_BYTES
        || boundary.ends_with(' ')
        || !boundary.bytes().all(is_plain)
    {
        return Err(RequestError::unnamed("the `content-type` of the form does not state its boundary"));
    }
    Ok(Some(boundary.to_owned()))
}

/// The value of the field `model`, of which there must be one.
pub(super) fn place(body: &[u8], boundary: &str) -> Result<Range<usize>, RequestError> {
    let refuse = |message: &str| Err(RequestError::unnamed(message));
    let delimiter = format!("--{boundary}");
    let next_delimiter = format!("\r\n{delimiter}");
    let mut at = if body.starts_with(LINE_END) { LINE_END.len() } else { 0 };
    if !body[at..].starts_with(delimiter.as_bytes()) {
        return refuse("the form must begin with its boundary");
    }
    let mut found = None;
    loop {
        let after = at + delimiter.len();
        let rest = &body[after..];
        if let Some(epilogue) = rest.strip_prefix(b"--") {
            if !epilogue.iter().all(u8::is_ascii_whitespace) {
                return refuse("something follows the end of the form");
            }
            return found.ok_or_else(|| RequestError::unnamed("the form has no field `model`"));
        }
        if !rest.starts_with(LINE_END) {
            return refuse("a boundary of the form is not a line of its own");
        }
        let Some(head_end) = find(rest, HEAD_END).map(|length| after + length) else {
            return refuse("a part of the form has no end");
        };
        let start = head_end + HEAD_END.len();
        let Some(end) = find(&body[start..], next_delimiter.as_bytes()).map(|length| start + length) else {
            return refuse("a part of the form has no end");
        };
        // The line end before it would be both the head's and the boundary's.
        if find(&body[after..start], next_delimiter.as_bytes()).is_some()
            || body[start..].starts_with(delimiter.as_bytes())
        {
            return refuse("a boundary stands in the head of a part of the form");
        }
        let head = &body[(after + LINE_END.len()).min(head_end)..head_end];
        if is_model(head)? && found.replace(start..end).is_some() {
            return refuse("the form names more than one `model`");
        }
        at = end + LINE_END.len();
    }
}

/// Whether the head of a part is that of the field `model`.
fn is_model(head: &[u8]) -> Result<bool, RequestError> {
    let unclear = || RequestError::unnamed("the head of a part of the form can be read in more than one way");
    let text = String::from_utf8_lossy(head);
    let mut disposition = None;
    let mut is_encoded = false;
    for line in text.split("\r\n").filter(|_| !text.is_empty()) {
        if line.contains(['\r', '\n', '\0']) {
            return Err(unclear());
        }
        let (name, value) = line.split_once(':').ok_or_else(unclear)?;
        // Lines that go on, and names that some readers trim.
        if name.is_empty() || name.contains([' ', '\t']) {
            return Err(unclear());
        }
        if name.eq_ignore_ascii_case("content-disposition") && disposition.replace(value).is_some() {
            return Err(unclear());
        }
        is_encoded |= name.eq_ignore_ascii_case("content-transfer-encoding")
            && !["binary", "8bit", "7bit"].iter().any(|plain| value.trim().eq_ignore_ascii_case(plain));
    }
    let Some(disposition) = disposition else { return Ok(false) };
    let field = Field::read(disposition).ok_or_else(unclear)?;
    let is_model = field.name == Some("model");
    // Some readers do not tell it from the name.
    if !is_model && field.name.is_some_and(|name| name.eq_ignore_ascii_case("model")) {
        return Err(unclear());
    }
    if is_model && (field.is_file || is_encoded) {
        return Err(RequestError::unnamed("the field `model` of the form must be plain text"));
    }
    Ok(is_model)
}

/// What the disposition of a part says.
#[derive(Default)]
struct Field<'d> {
    name: Option<&'d str>,
    is_file: bool,
}

// === impl Field

impl<'d> Field<'d> {
    /// None if readers could disagree.
    fn read(disposition: &'d str) -> Option<Self> {
        // Some readers end the quotes here, others do not.
        if disposition.contains("\\\"") {
            return None;
        }
        let mut field = Self::default();
        let (kind, mut rest) = disposition.split_once(';').unwrap_or((disposition, ""));
        if !kind.trim().eq_ignore_ascii_case("form-data") {
            return None;
        }
        while !rest.trim().is_empty() {
            let (key, value) = rest.split_once('=')?;
            let key = key.trim_start();
            let (value, after) = match value.strip_prefix('"') {
                Some(quoted) => quoted.split_once('"')?,
                None => value.split_at(value.find([';', '"', ' ', '\t']).unwrap_or(value.len())),
            };
            if key.is_empty() || key.contains(['"', ';', ' ', '\t']) {
                return None;
            }
            let key = key.to_ascii_lowercase();
            // Some readers look for the next parameter without an eye to quotes.
            let hides_name = key == "name" || value.to_ascii_lowercase().contains("name");
            if value.contains(';') && hides_name {
                return None;
            }
            match key.as_str() {
                "name" if field.name.is_some() || value.contains('\\') => return None,
                "name" => field.name = Some(value),
                "name*" => return None,
                "filename" | "filename*" => field.is_file = true,
                _ => {}
            }
            rest = match after.trim_start() {
                "" => "",
                more => more.strip_prefix(';')?,
            };
        }
        Some(field)
    }
}
