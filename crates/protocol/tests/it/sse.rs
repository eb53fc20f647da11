//! The SSE decoder.

use bytes::Bytes;
use proptest::prelude::*;
use vsr_protocol::sse::{Decoder, EventTooLong, Frame};

/// Every frame of a stream that comes in these chunks, and what is left at its end.
fn decode(chunks: &[Bytes], max_event_bytes: usize) -> Result<(Vec<Frame>, Option<Frame>), EventTooLong> {
    let mut decoder = Decoder::new(max_event_bytes);
    let mut frames = Vec::new();
    for chunk in chunks {
        decoder.push(chunk.clone());
        while let Some(frame) = decoder.next_frame()? {
            frames.push(frame);
        }
    }
    Ok((frames, decoder.finish()))
}

fn decode_whole(stream: &str) -> (Vec<Frame>, Option<Frame>) {
    decode(&[Bytes::copy_from_slice(stream.as_bytes())], 1 << 20).unwrap()
}

/// The data of every frame that has some.
fn data(stream: &str) -> Vec<String> {
    let (frames, _) = decode_whole(stream);
    let data = frames.iter().filter_map(|frame| frame.event().data.map(|data| data.into_owned()));
    data.map(|data| String::from_utf8(data).unwrap()).collect()
}

/// Cuts a stream at the given places.
pub(crate) fn cut(stream: &[u8], cuts: &[prop::sample::Index]) -> Vec<Bytes> {
    let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    cuts.extend([0, stream.len()]);
    cuts.sort_unstable();
    cuts.windows(2).map(|pair| Bytes::copy_from_slice(&stream[pair[0]..pair[1]])).collect()
}

/// Streams of events, comments and oddities with every kind of line end.
pub(crate) fn stream() -> impl Strategy<Value = String> {
    let line = prop_oneof![
        4 => "data: ?[a-zé😀:{} ]{0,12}",
        1 => prop::sample::select(vec!["data", "data:", ": ping", ":", "event: x", "id: 7", "retry: 5", "odd", "data: [DONE]"])
            .prop_map(str::to_owned),
        3 => Just(String::new()),
    ];
    let end = prop::sample::select(vec!["\n", "\n", "\r\n", "\r"]);
    let bom = prop::option::of(Just("\u{feff}".to_owned()));
    (bom, prop::collection::vec((line, end), 0..24)).prop_map(|(bom, lines)| {
        let lines: String = lines.into_iter().map(|(line, end)| line + end).collect();
        bom.unwrap_or_default() + &lines
    })
}

#[test]
fn events_are_separated_by_blank_lines() {
    assert_eq!(data("data: a\n\ndata:b\n\n"), ["a", "b"]);
    assert_eq!(data("data: a\r\n\r\ndata: b\r\n\r\n"), ["a", "b"]);
    assert_eq!(data("data: a\r\rdata: b\r\r "), ["a", "b"]);
    assert_eq!(data("\n\n\ndata: a\n\n\n"), ["a"]);
}

#[test]
fn data_lines_are_joined_and_fields_are_read() {
    let (frames, rest) =
        decode_whole("event: e\nid: 1\ndata: a\ndata:  b\ndata\nother: x\n\n: comment\n\nleft");
    let event = frames[0].event();
    assert_eq!(event.name, Some(&b"e"[..]));
    assert_eq!(event.id, Some(&b"1"[..]));
    assert_eq!(event.data.as_deref(), Some(&b"a\n b\n"[..]));
    assert_eq!(frames[1].event().data, None);
    assert_eq!(&rest.unwrap().raw[..], b"left");
}

#[test]
fn a_byte_order_mark_at_the_start_is_skipped() {
    assert_eq!(data("\u{feff}data: a\n\ndata: b\n\n"), ["a", "b"]);
    assert_eq!(data("data: a\n\n\u{feff}data: b\n\n"), ["a"]);
}

#[test]
fn whole_frames_are_slices_of_their_chunk() {
    let chunk = Bytes::from("data: a\n\ndata: b\n\n".to_owned());
    let (frames, _) = decode(std::slice::from_ref(&chunk), 100).unwrap();
    assert_eq!(frames[1].raw.as_ptr(), chunk[9..].as_ptr());
    assert_eq!(frames[1].offset, 9);
}

#[test]
fn long_events_are_refused_however_they_come() {
    let stream = format!("data: a\n\ndata: {}\n\n", "x".repeat(100));
    let whole = Bytes::from(stream.clone());
    let bytes: Vec<Bytes> = stream.bytes().map(|byte| Bytes::copy_from_slice(&[byte])).collect();
    assert!(decode(std::slice::from_ref(&whole), 108).is_ok());
    assert!(decode(&bytes, 108).is_ok());
    let refused = Err(EventTooLong { max_bytes: 107 });
    assert_eq!(decode(&[whole], 107), refused);
    assert_eq!(decode(&bytes, 107), refused);
}

proptest! {
    #[test]
    fn frames_do_not_depend_on_chunks(
        stream in stream(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12),
    ) {
        let (frames, rest) = decode_whole(&stream);
        let split = decode(&cut(stream.as_bytes(), &cuts), 1 << 20).unwrap();
        prop_assert_eq!(&split, &(frames.clone(), rest.clone()));
        let single: Vec<Bytes> = stream.bytes().map(|byte| Bytes::copy_from_slice(&[byte])).collect();
        prop_assert_eq!(decode(&single, 1 << 20).unwrap(), (frames.clone(), rest.clone()));
        let forwarded: Vec<u8> = frames.iter().chain(&rest).flat_map(|frame| frame.raw.to_vec()).collect();
        prop_assert_eq!(forwarded, stream.as_bytes());
    }

    #[test]
    fn events_are_those_of_the_standard(stream in stream()) {
        let (frames, rest) = decode_whole(&stream);
        let mut found: Vec<Vec<u8>> =
            frames.iter().filter_map(|frame| Some(frame.event().data?.into_owned())).collect();
        let rest = rest.filter(|rest| rest.is_terminated);
        found.extend(rest.and_then(|rest| Some(rest.event().data?.into_owned())));
        prop_assert_eq!(found, naive_events(&stream));
    }
}

/// The data of the events of a stream, by the letter of the standard.
fn naive_events(stream: &str) -> Vec<Vec<u8>> {
    let stream = stream.strip_prefix('\u{feff}').unwrap_or(stream);
    let unified = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines: Vec<&str> = unified.split('\n').collect();
    lines.pop();
    let (mut events, mut data) = (Vec::new(), None::<String>);
    for line in lines {
        if line.is_empty() {
            events.extend(data.take().map(String::into_bytes));
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        if field == "data" {
            let value = value.strip_prefix(' ').unwrap_or(value);
            data = Some(match data {
                Some(data) => data + "\n" + value,
                None => value.to_owned(),
            });
        }
    }
    events
}
