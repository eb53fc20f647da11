//! Bodies in pieces, and the reading of events.

use proptest::prelude::*;
use vsr_testkit::{Backend, Behaviour, Fault, Split, parse_events};

use crate::{DEFAULT_TEXT, PLAIN, STREAMED, chat};

#[test]
fn pieces_are_cut_inside_characters() {
    let backend = Backend::start(Fault::Split(Split::InsideCharacters));
    let response = chat(&backend, STREAMED);
    assert!(response.chunks().iter().any(|chunk| std::str::from_utf8(&chunk.data).is_err()));
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
}

#[test]
fn pieces_are_cut_inside_the_data_field() {
    let backend = Backend::start(Fault::Split(Split::InsideDataField));
    let response = chat(&backend, STREAMED);
    assert!(response.chunks()[1..].iter().all(|chunk| chunk.data.starts_with(b"ta:")));
    assert_eq!(response.streamed_text(), DEFAULT_TEXT);
}

#[test]
fn every_byte_can_be_a_piece() {
    let backend = Backend::start(Fault::Split(Split::EveryByte));
    for body in [PLAIN, STREAMED] {
        let response = chat(&backend, body);
        assert!(response.chunks().iter().all(|chunk| chunk.data.len() == 1));
        assert!(response.text().contains("Testkit"));
    }
}

#[test]
fn comments_and_empty_events_are_not_dispatched_and_data_lines_are_joined() {
    let events = parse_events(b": ping\n\nevent: a\n\ndata: 1\ndata:2\rid: 9\r\r\ndata: unfinished\n");
    assert_eq!(events.len(), 1);
    assert_eq!((events[0].data.as_str(), events[0].id.as_deref()), ("1\n2", Some("9")));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn a_body_survives_any_cuts(text in ".{1,200}", cuts in proptest::collection::vec(0_usize..4000, 0..12)) {
        let mut cuts = cuts;
        cuts.sort_unstable();
        let backend = Backend::start(Behaviour::default().text(text.clone()).faults([Fault::Split(Split::At(cuts))]));
        prop_assert_eq!(chat(&backend, STREAMED).streamed_text(), text);
    }

    #[test]
    fn reading_events_never_panics(stream in proptest::collection::vec(any::<u8>(), 0..400)) {
        prop_assert!(parse_events(&stream).len() <= stream.len());
    }
}
