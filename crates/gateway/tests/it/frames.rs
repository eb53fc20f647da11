//! HTTP/2 spoken by hand: exactly the frames that a test wants, also those that no client sends.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpStream},
    thread::JoinHandle,
};

/// A connection that has said hello.
pub(crate) struct Frames(TcpStream);

/// A connection on which a thread sends the same again and again; it ends when dropped.
pub(crate) struct Flood {
    stream: TcpStream,
    thread: Option<JoinHandle<()>>,
}

/// A frame that came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) kind: u8,
    pub(crate) flags: u8,
    pub(crate) stream: u32,
    pub(crate) payload: Vec<u8>,
}

pub(crate) const DATA: u8 = 0;
pub(crate) const HEADERS: u8 = 1;
pub(crate) const RST_STREAM: u8 = 3;
pub(crate) const SETTINGS: u8 = 4;
pub(crate) const GOAWAY: u8 = 7;
pub(crate) const CONTINUATION: u8 = 9;

pub(crate) const END_STREAM: u8 = 1;
pub(crate) const END_HEADERS: u8 = 4;

impl Frames {
    pub(crate) fn connect(port: u16) -> Self {
        let stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(vsr_testkit::DEADLINE)).unwrap();
        stream.set_write_timeout(Some(vsr_testkit::DEADLINE)).unwrap();
        let mut frames = Self(stream);
        assert!(frames.send_bytes(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
        assert!(frames.send(SETTINGS, 0, 0, b""));
        frames
    }

    /// Whether the connection took the frame.
    pub(crate) fn send(&mut self, kind: u8, flags: u8, stream: u32, payload: &[u8]) -> bool {
        self.send_bytes(&frame(kind, flags, stream, payload))
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) -> bool {
        self.0.write_all(bytes).is_ok()
    }

    /// Sends `bytes` again and again, and reads nothing.
    pub(crate) fn flood(self, bytes: Vec<u8>) -> Flood {
        let stream = self.0.try_clone().unwrap();
        let thread = std::thread::spawn(move || {
            let mut stream = self.0;
            while stream.write_all(&bytes).is_ok() {}
        });
        Flood { stream, thread: Some(thread) }
    }

    /// The next frame; none once the connection is closed.
    pub(crate) fn next(&mut self) -> Option<Frame> {
        let mut head = [0; 9];
        self.read(&mut head)?;
        let [a, b, c, kind, flags, stream @ ..] = head;
        let mut payload = vec![0; u32::from_be_bytes([0, a, b, c]) as usize];
        self.read(&mut payload)?;
        Some(Frame { kind, flags, stream: u32::from_be_bytes(stream) & 0x7fff_ffff, payload })
    }

    fn read(&mut self, space: &mut [u8]) -> Option<()> {
        match self.0.read_exact(space) {
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                panic!("the connection stays open")
            }
            read => read.ok(),
        }
    }

    /// The frame that ends `stream` or all streams: with END_STREAM, RST_STREAM, GOAWAY; none if the connection closes.
    pub(crate) fn end_of(&mut self, stream: u32) -> Option<Frame> {
        while let Some(frame) = self.next() {
            let ends = frame.kind == RST_STREAM
                || (matches!(frame.kind, DATA | HEADERS) && frame.flags & END_STREAM != 0);
            if frame.kind == GOAWAY || (frame.stream == stream && ends) {
                return Some(frame);
            }
        }
        None
    }

    /// Reads to the end of the connection.
    pub(crate) fn drain(&mut self) -> Vec<Frame> {
        std::iter::from_fn(|| self.next()).collect()
    }
}

impl Drop for Flood {
    fn drop(&mut self) {
        // It may have been closed by the other side already, which is as good.
        let _closed = self.stream.shutdown(Shutdown::Both);
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Frame {
    /// The error code of RST_STREAM and GOAWAY.
    pub(crate) fn code(&self) -> u32 {
        let at = if self.kind == GOAWAY { 4 } else { 0 };
        u32::from_be_bytes(self.payload[at..at + 4].try_into().unwrap())
    }
}

pub(crate) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// A header block without compression.
pub(crate) fn block(headers: &[(&str, &str)]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, value) in headers {
        bytes.push(0);
        for text in [name, value] {
            assert!(text.len() < 127);
            bytes.push(u8::try_from(text.len()).unwrap());
            bytes.extend(text.as_bytes());
        }
    }
    bytes
}
