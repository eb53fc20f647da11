//! The rules of HTTP/2, broken one at a time by hand (RFC 9113; after each is the section), and floods.

use vsr_testkit::{Backend, Behaviour, Fault, Gate};

use crate::{
    frames::{
        CONTINUATION, DATA, END_HEADERS, END_STREAM, Frame, Frames, GOAWAY, HEADERS, RST_STREAM, SETTINGS,
        block, frame,
    },
    scene::{CHAT, CHAT_PATH, Scene},
};

const PRIORITY: u8 = 2;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;

const ACK: u8 = 1;
const PADDED: u8 = 8;
const WITH_PRIORITY: u8 = 32;

const PROTOCOL: u32 = 1;
const FLOW_CONTROL: u32 = 3;
const STREAM_CLOSED: u32 = 5;
const FRAME_SIZE: u32 = 6;
const COMPRESSION: u32 = 9;
const CALM: u32 = 11;

const GET: [(&str, &str); 4] =
    [(":method", "GET"), (":scheme", "http"), (":path", "/v1/models"), (":authority", "x")];
const POST: [(&str, &str); 4] =
    [(":method", "POST"), (":scheme", "http"), (":path", CHAT_PATH), (":authority", "x")];

/// What has to become of a connection, or of its first stream.
#[derive(Debug, Clone, Copy)]
enum Fate {
    /// It ends, and where a reason comes it is one of these.
    Connection(&'static [u32]),
    /// The stream is reset for this reason, or the connection ends.
    Stream(u32),
    /// Nothing: it goes on.
    Fine,
}

use Fate::{Connection, Fine, Stream};

fn begin(headers: &[(&str, &str)], flags: u8) -> Vec<u8> {
    frame(HEADERS, END_HEADERS | flags, 1, &block(headers))
}

fn setting(id: u16, value: u32) -> Vec<u8> {
    [&id.to_be_bytes()[..], &value.to_be_bytes()].concat()
}

fn number(value: u32) -> [u8; 4] {
    value.to_be_bytes()
}

fn ping(data: &[u8; 8]) -> Vec<u8> {
    frame(PING, 0, 0, data)
}

/// Sends `bytes` on a connection of its own, and asserts what comes of it.
fn assert_fate(scene: &Scene, rule: &str, bytes: &[u8], fate: Fate) {
    let mut client = Frames::connect(scene.port());
    let _taken = client.send_bytes(bytes);
    if let Fine = fate {
        assert!(client.send_bytes(&ping(b"is there")), "{rule}: closed");
    }
    let echo = |frame: &Frame| frame.kind == PING && frame.flags == ACK && frame.payload == *b"is there";
    let ends = |frame: &Frame| frame.kind == GOAWAY || (frame.kind == RST_STREAM && frame.stream == 1);
    let told = std::iter::from_fn(|| client.next()).find(|frame| match fate {
        Fine => echo(frame) || ends(frame),
        Connection(_) => frame.kind == GOAWAY,
        Stream(_) => ends(frame),
    });
    match (fate, told) {
        (Fine, Some(frame)) => assert!(echo(&frame), "{rule}: {frame:?}"),
        (Fine, None) => panic!("{rule}: closed"),
        // Words may be lost where the connection is closed on bytes that nobody read.
        (Connection(_) | Stream(_), None) => {}
        (Connection(codes), Some(frame)) => assert!(codes.contains(&frame.code()), "{rule}: {frame:?}"),
        (Stream(code), Some(frame)) => {
            let is_general = frame.kind == GOAWAY && frame.code() == PROTOCOL;
            assert!(frame.code() == code || is_general, "{rule}: {frame:?}");
        }
    }
    if let Connection(_) = fate {
        client.drain();
    }
}

#[test]
fn frames_that_nobody_may_send_end_the_connection() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let get = begin(&GET, END_STREAM);
    let open = begin(&POST, 0);
    let after = |first: &[u8], then: Vec<u8>| [first, &then].concat();
    for (rule, bytes, codes) in [
        ("a frame above the limit (4.2)", after(&open, frame(DATA, 0, 1, &[0; 16_385])), FRAME_SIZE),
        ("a header block above the limit (4.2)", frame(HEADERS, END_HEADERS, 1, &[0; 16_385]), FRAME_SIZE),
        ("an index of the table that is none (4.3)", frame(HEADERS, END_HEADERS, 1, &[0x80]), COMPRESSION),
        ("an entry beyond the table (4.3)", frame(HEADERS, END_HEADERS, 1, &[0xff, 0x80, 0x01]), COMPRESSION),
        ("a table above the limit (4.3)", frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xe2, 0x1f]), COMPRESSION),
        ("a string without its end (4.3)", frame(HEADERS, END_HEADERS, 1, &[0, 9, b'x']), COMPRESSION),
        (
            "another frame within a header block (4.3)",
            [frame(HEADERS, END_STREAM, 1, &block(&GET)), ping(b"too soon")].concat(),
            PROTOCOL,
        ),
        (
            "a block that goes on in another stream (4.3)",
            [frame(HEADERS, END_STREAM, 1, &block(&GET)), frame(CONTINUATION, END_HEADERS, 3, b"")].concat(),
            PROTOCOL,
        ),
        ("data of an idle stream (5.1)", frame(DATA, END_STREAM, 1, b"x"), PROTOCOL),
        ("the reset of an idle stream (5.1)", frame(RST_STREAM, 0, 1, &number(8)), PROTOCOL),
        ("the window of an idle stream (5.1)", frame(WINDOW_UPDATE, 0, 1, &number(100)), PROTOCOL),
        ("the rest of no block (5.1)", frame(CONTINUATION, END_HEADERS, 1, &block(&GET)), PROTOCOL),
        ("a stream of the server's (5.1.1)", frame(HEADERS, 5, 2, &block(&GET)), PROTOCOL),
        ("data of the connection (6.1)", frame(DATA, 0, 0, b"x"), PROTOCOL),
        ("padding longer than the data (6.1)", after(&open, frame(DATA, PADDED, 1, &[5, b'x'])), PROTOCOL),
        ("headers of the connection (6.2)", frame(HEADERS, 5, 0, &block(&GET)), PROTOCOL),
        ("padding longer than the block (6.2)", frame(HEADERS, 5 | PADDED, 1, &[200, 0x82]), PROTOCOL),
        ("a priority of the connection (6.3)", frame(PRIORITY, 0, 0, &[0, 0, 0, 1, 0]), PROTOCOL),
        ("the reset of the connection (6.4)", frame(RST_STREAM, 0, 0, &number(8)), PROTOCOL),
        ("a reset of another length (6.4)", after(&open, frame(RST_STREAM, 0, 1, &[0; 3])), FRAME_SIZE),
        ("an answer to settings with some (6.5)", frame(SETTINGS, ACK, 0, &setting(3, 1)), FRAME_SIZE),
        ("settings of a stream (6.5)", frame(SETTINGS, 0, 1, &setting(3, 1)), PROTOCOL),
        ("settings of another length (6.5)", frame(SETTINGS, 0, 0, &[0; 5]), FRAME_SIZE),
        ("a push that is 2 (6.5.2)", frame(SETTINGS, 0, 0, &setting(2, 2)), PROTOCOL),
        ("a window above the limit (6.5.2)", frame(SETTINGS, 0, 0, &setting(4, 1 << 31)), FLOW_CONTROL),
        ("frames below the limit (6.5.2)", frame(SETTINGS, 0, 0, &setting(5, 16_383)), PROTOCOL),
        ("frames above the limit (6.5.2)", frame(SETTINGS, 0, 0, &setting(5, 1 << 24)), PROTOCOL),
        ("a promise of a client (6.6)", frame(PUSH_PROMISE, 4, 1, &[0, 0, 0, 2, 0x82]), PROTOCOL),
        ("a ping of a stream (6.7)", frame(PING, 0, 1, &[0; 8]), PROTOCOL),
        ("a ping of another length (6.7)", frame(PING, 0, 0, &[0; 6]), FRAME_SIZE),
        ("a farewell of a stream (6.8)", frame(GOAWAY, 0, 1, &[0; 8]), PROTOCOL),
        ("a window that grows by nothing (6.9)", frame(WINDOW_UPDATE, 0, 0, &number(0)), PROTOCOL),
        ("a window of another length (6.9)", frame(WINDOW_UPDATE, 0, 0, &[0; 3]), FRAME_SIZE),
        (
            "a window that overflows (6.9.1)",
            frame(WINDOW_UPDATE, 0, 0, &number(0x7fff_ffff)).repeat(2),
            FLOW_CONTROL,
        ),
        (
            "a window that settings overflow (6.9.2)",
            [
                open.clone(),
                frame(WINDOW_UPDATE, 0, 1, &number(0x7fff_0000)),
                frame(SETTINGS, 0, 0, &setting(4, 0x7fff_ffff)),
            ]
            .concat(),
            FLOW_CONTROL,
        ),
        ("the rest of a whole block (6.10)", after(&open, frame(CONTINUATION, 4, 1, b"")), PROTOCOL),
        ("the rest of the connection's block (6.10)", frame(CONTINUATION, 4, 0, &block(&GET)), PROTOCOL),
    ] {
        // Some readers say so in their own, more general words.
        let codes: &'static [u32] = match codes {
            FRAME_SIZE => &[FRAME_SIZE, PROTOCOL],
            FLOW_CONTROL => &[FLOW_CONTROL, PROTOCOL],
            COMPRESSION => &[COMPRESSION, PROTOCOL],
            _ => &[PROTOCOL, STREAM_CLOSED],
        };
        assert_fate(&scene, rule, &bytes, Connection(codes));
    }
    let older = [frame(HEADERS, 5, 3, &block(&GET)), get].concat();
    assert_fate(
        &scene,
        "a stream before the last one (5.1.1)",
        &older,
        Connection(&[PROTOCOL, STREAM_CLOSED]),
    );
    assert_eq!(scene.chat(CHAT).status(), 200, "others are served");
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn what_breaks_a_rule_of_one_stream_ends_it() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::before(&backend);
    let whole = [begin(&POST, 0), frame(DATA, END_STREAM, 1, CHAT.as_bytes())].concat();
    let open = begin(&POST, 0);
    let trailers =
        |flags: u8, headers: &[(&str, &str)]| frame(HEADERS, END_HEADERS | flags, 1, &block(headers));
    for (rule, bytes, code) in [
        ("data after the end (5.1)", [whole.clone(), frame(DATA, 0, 1, b"x")].concat(), STREAM_CLOSED),
        ("headers after the end (5.1)", [whole, trailers(END_STREAM, &[("x", "y")])].concat(), STREAM_CLOSED),
        (
            "a window that grows by nothing (6.9)",
            [open.clone(), frame(WINDOW_UPDATE, 0, 1, &number(0))].concat(),
            PROTOCOL,
        ),
        (
            "a window that overflows (6.9.1)",
            [open.clone(), frame(WINDOW_UPDATE, 0, 1, &number(0x7fff_ffff)).repeat(2)].concat(),
            FLOW_CONTROL,
        ),
        ("trailers that end nothing (8.1)", [open, trailers(0, &[("x", "y")])].concat(), PROTOCOL),
        (
            "less than announced (8.1.1)",
            [
                begin(&[&POST[..], &[("content-length", "500")]].concat(), 0),
                frame(DATA, END_STREAM, 1, b"{}"),
            ]
            .concat(),
            PROTOCOL,
        ),
        (
            "nothing of what was announced (8.1.1)",
            begin(&[&POST[..], &[("content-length", "500")]].concat(), END_STREAM),
            PROTOCOL,
        ),
        (
            "more than announced (8.1.1)",
            [begin(&[&POST[..], &[("content-length", "1")]].concat(), 0), frame(DATA, 0, 1, b"{}")].concat(),
            PROTOCOL,
        ),
    ] {
        assert_fate(&scene, rule, &bytes, Stream(code));
    }
    gate.open();
}

#[test]
fn what_is_odd_and_allowed_is_taken() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let padded = [&[3][..], &block(&GET), &[0; 3]].concat();
    let urgent = [&[0, 0, 0, 0, 15][..], &block(&GET)].concat();
    for (rule, bytes) in [
        ("frames of no known kind (4.1)", frame(0xbb, 0xff, 0, b"whatever")),
        ("flags of no known kind (4.1)", frame(PING, 0xfe, 0, b"flagged!")),
        ("settings of no known kind (6.5.2)", frame(SETTINGS, 0, 0, &setting(0xff, 1))),
        ("priorities of idle streams (5.3)", frame(PRIORITY, 0, 7, &[0, 0, 0, 0, 1])),
        ("a padded block (6.2)", frame(HEADERS, 5 | PADDED, 1, &padded)),
        ("a block with a priority (6.2)", frame(HEADERS, 5 | WITH_PRIORITY, 1, &urgent)),
        (
            "resets of closed streams (5.1)",
            [begin(&POST, 0), frame(RST_STREAM, 0, 1, &number(8)).repeat(2)].concat(),
        ),
    ] {
        assert_fate(&scene, rule, &bytes, Fine);
    }
    // In pieces, each with padding that counts against the window.
    let mut client = Frames::connect(scene.port());
    client.send_bytes(&begin(&POST, 0));
    for piece in CHAT.as_bytes().chunks(7) {
        client.send(DATA, PADDED, 1, &[&[40][..], piece, &[0; 40]].concat());
    }
    client.send(HEADERS, END_HEADERS | END_STREAM, 1, &block(&[("x-checksum", "1")]));
    assert_eq!(client.end_of(1).unwrap().kind, DATA);
    assert_eq!(backend.requests().len(), 1);
}

#[test]
fn what_cannot_be_a_beginning_is_closed() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    for hello in [
        "PRI * HTTP/2.0\r\n\r\nXX\r\n\r\n",
        "PRI * HTTP/2.1\r\n\r\nSM\r\n\r\n",
        "PRIVATE / HTTP/2.0\r\n\r\n\r\n\r\n\r\n",
    ] {
        let mut client = scene.connect();
        client.send(hello.as_bytes());
        client.read_to_close();
    }
    let mut client = scene.connect();
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");
    client.send(&ping(b"settings"));
    client.read_to_close();
}

#[test]
fn floods_of_what_costs_the_sender_little_end_or_harm_nobody() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    let open = begin(&POST, 0);
    for flood in [
        ping(b"flooding"),
        frame(SETTINGS, 0, 0, &setting(4, 70_000)),
        frame(PRIORITY, 0, 7, &[0, 0, 0, 0, 1]),
        frame(WINDOW_UPDATE, 0, 0, &number(1)),
        frame(0xbb, 0, 0, b""),
    ] {
        // As many as the router takes, and nothing that it answers is read.
        let flood = Frames::connect(scene.port()).flood(flood.repeat(500));
        for _ in 0..4 {
            assert_eq!(scene.chat(CHAT).status(), 200, "others are served");
        }
        drop(flood);
    }
    for (rule, bytes) in [
        ("data without any", [open.clone(), frame(DATA, 0, 1, b"").repeat(2000)].concat()),
        ("data of nothing but padding", [open, frame(DATA, PADDED, 1, &[0]).repeat(2000)].concat()),
    ] {
        assert_fate(&scene, rule, &bytes, Connection(&[CALM]));
    }
}

#[test]
fn a_header_that_is_named_a_thousand_times_takes_no_room() {
    let backend = Backend::start(Behaviour::default());
    let scene = Scene::before(&backend);
    // An entry of the dynamic table, 62, and then its number over and over.
    let value = [b'v'; 3000];
    let bomb = [&block(&GET)[..], &[0x40, 1, b'x', 0x7f, 0xb9, 0x16], &value, &[0xbe; 8000]].concat();
    assert_fate(&scene, "24 MB in 11 KB", &frame(HEADERS, 5, 1, &bomb), Connection(&[CALM]));
    assert_eq!(scene.chat(CHAT).status(), 200);
}

#[test]
fn a_client_that_has_its_streams_reset_over_and_over_is_cut_off() {
    let gate = Gate::new();
    let backend = Backend::start(Fault::HoldFirstByte(gate.clone()));
    let scene = Scene::before(&backend);
    let mut client = Frames::connect(scene.port());
    let mut sent = 0_u32;
    loop {
        let stream = sent * 2 + 1;
        let bad = [
            frame(HEADERS, END_HEADERS, stream, &block(&POST)),
            frame(DATA, END_STREAM, stream, CHAT.as_bytes()),
            frame(WINDOW_UPDATE, 0, stream, &number(0)),
            ping(&[0, 0, 0, 0, 0, 0, 0, 1]),
        ]
        .concat();
        if !client.send_bytes(&bad) || !std::iter::from_fn(|| client.next()).any(|frame| frame.kind == PING) {
            break;
        }
        sent += 1;
        assert!(sent < 1000, "the router goes on resetting");
    }
    assert_eq!(scene.chat("{}").status(), 400, "others are served");
    gate.open();
}
