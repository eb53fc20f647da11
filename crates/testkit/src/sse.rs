//! Server-sent events as a client reads them.

/// One dispatched event. Comment lines are dropped; an event without data is not dispatched.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SseEvent {
    /// The `event` field.
    pub event: Option<String>,
    /// The `id` field.
    pub id: Option<String>,
    /// The `data` lines, joined by line feeds.
    pub data: String,
}

impl SseEvent {
    /// The data as JSON; `None` for `[DONE]` and whatever else is not JSON.
    #[must_use]
    pub fn json(&self) -> Option<serde_json::Value> {
        serde_json::from_str(&self.data).ok()
    }
}

/// The complete events of a stream; an unfinished one at the end is not dispatched, as the standard says.
#[must_use]
pub fn parse_events(stream: &[u8]) -> Vec<SseEvent> {
    let mut rest = stream.to_vec();
    let mut events = Vec::new();
    while let Some(block) = take_block(&mut rest) {
        events.extend(parse_block(&block));
    }
    events
}

/// Removes the next event that is complete from the front of `buffer`; blocks without data are skipped.
pub(crate) fn take_event(buffer: &mut Vec<u8>) -> Option<SseEvent> {
    loop {
        let block = take_block(buffer)?;
        if let Some(event) = parse_block(&block) {
            return Some(event);
        }
    }
}

/// Removes everything up to and including the next blank line.
fn take_block(buffer: &mut Vec<u8>) -> Option<Vec<u8>> {
    let mut line_start = 0;
    while let Some((line_end, next)) = find_line_end(buffer, line_start) {
        if line_end == line_start {
            let block = buffer[..line_end].to_vec();
            buffer.drain(..next);
            return Some(block);
        }
        line_start = next;
    }
    None
}

/// End of the line that starts at `from`, and the start of the next one.
fn find_line_end(buffer: &[u8], from: usize) -> Option<(usize, usize)> {
    let end = from + buffer[from..].iter().position(|byte| matches!(byte, b'\r' | b'\n'))?;
    let is_pair = buffer[end..].starts_with(b"\r\n");
    Some((end, end + if is_pair { 2 } else { 1 }))
}

fn parse_block(block: &[u8]) -> Option<SseEvent> {
    let text = String::from_utf8_lossy(block).replace("\r\n", "\n").replace('\r', "\n");
    let mut event = SseEvent::default();
    let mut data: Vec<&str> = Vec::new();
    for line in text.lines() {
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "data" => data.push(value),
            "event" => event.event = Some(value.to_owned()),
            "id" => event.id = Some(value.to_owned()),
            _ => {}
        }
    }
    if data.is_empty() {
        return None;
    }
    event.data = data.join("\n");
    Some(event)
}
