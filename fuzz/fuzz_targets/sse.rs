//! Watches any bytes as a stream, whole and cut in pieces.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use vsr_protocol::openai_chat::{StreamObserver, StreamOptions};

fuzz_target!(|input: (bool, bool, u8, &[u8])| {
    let (drop_usage, whole_events, piece, stream) = input;
    let options = StreamOptions { drop_usage, whole_events, choices: 1, max_event_bytes: 256 };
    let observe = |piece: usize| {
        let mut observer = StreamObserver::new(options);
        let mut out = Vec::new();
        let is_broken =
            stream.chunks(piece).any(|chunk| observer.feed(Bytes::copy_from_slice(chunk), &mut out).is_err());
        let end = observer.finish(&mut out);
        // What is forwarded of an event that is too long depends on the chunk it came in.
        let forwarded = (!is_broken).then(|| out.concat());
        (is_broken, forwarded, end, observer.usage(), observer.error().cloned())
    };
    assert_eq!(observe(stream.len().max(1)), observe(usize::from(piece).max(1)));
});
