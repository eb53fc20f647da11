//! An HTTP/1.1 client that sends exactly the bytes it is given and keeps exactly what comes back.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, SockRef, Socket, Type};

use crate::recorded::find_header;
use crate::response::{Chunk, Ending, Response};
use crate::sse::{SseEvent, take_event};
use crate::wait::DEADLINE;

/// A connection to a loopback port. Reads block until there is something, and fail the test at the deadline.
#[derive(Debug)]
pub struct RawClient {
    stream: TcpStream,
    buffer: Vec<u8>,
    connected: Instant,
    framing: Framing,
    events: Vec<u8>,
}

/// What of the body is still to come.
#[derive(Clone, Copy, Debug)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
    Ended,
}

/// Where the ports of [`free_port`] begin, and how many there are: all lie below the range that systems give to
/// outgoing connections and to listeners that ask for any port, so nobody takes one before its owner binds it.
const FREE_PORTS: (u32, u32) = (10_240, 22_000);

/// A port nobody listens on, which this process hands out once. Processes begin at places of their own, so tests
/// that run beside each other do not meet.
///
/// # Panics
/// When no port can be bound.
#[must_use]
pub fn free_port() -> u16 {
    static HANDED_OUT: AtomicU32 = AtomicU32::new(0);
    let (first, count) = FREE_PORTS;
    let start = std::process::id().wrapping_mul(37);
    (0..count)
        .filter_map(|_| {
            let offset = start.wrapping_add(HANDED_OUT.fetch_add(1, Ordering::Relaxed)) % count;
            u16::try_from(first + offset).ok()
        })
        .find(|port| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
        .expect("a loopback port can be bound")
}

// === impl RawClient ===

impl RawClient {
    /// Connects to a loopback port.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect(port: u16) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let stream = TcpStream::connect(address)
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::new(stream)
    }

    /// Connects with a receive buffer of about this many bytes: a client that can be slow.
    ///
    /// # Panics
    /// When nobody listens there.
    #[must_use]
    pub fn connect_small(port: u16, receive_buffer_bytes: usize) -> Self {
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket can be created");
        socket.set_recv_buffer_size(receive_buffer_bytes).expect("the receive buffer can be set");
        socket
            .connect(&address.into())
            .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
        Self::new(socket.into())
    }

    fn new(stream: TcpStream) -> Self {
        stream.set_nodelay(true).expect("a connected socket takes options");
        stream.set_read_timeout(Some(DEADLINE)).expect("a connected socket takes options");
        stream.set_write_timeout(Some(DEADLINE)).expect("a connected socket takes options");
        Self {
            stream,
            buffer: Vec::new(),
            connected: Instant::now(),
            framing: Framing::Ended,
            events: Vec::new(),
        }
    }

    /// `GET` on a connection of its own.
    #[must_use]
    pub fn get(port: u16, path: &str) -> Response {
        Self::request(port, "GET", path, &[], b"")
    }

    /// `POST` with a JSON body on a connection of its own.
    #[must_use]
    pub fn post_json(port: u16, path: &str, body: impl AsRef<[u8]>) -> Response {
        Self::request(port, "POST", path, &[("content-type", "application/json")], body.as_ref())
    }

    /// Any request on a connection of its own, read to the end of its response.
    #[must_use]
    pub fn request(port: u16, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Response {
        let mut client = Self::connect(port);
        client.send_request(method, path, headers, body);
        client.read_response()
    }

    /// Sends these bytes and nothing else.
    ///
    /// # Panics
    /// When the connection does not take them.
    pub fn send(&mut self, bytes: &[u8]) {
        self.try_send(bytes).expect("the connection takes the bytes");
    }

    /// Sends these bytes, for tests where the other side may refuse them midway.
    ///
    /// # Errors
    /// When the connection does not take them.
    pub fn try_send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends a request with `host` and, for a body, `content-length`.
    ///
    /// # Panics
    /// When the connection does not take it.
    pub fn send_request(&mut self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) {
        let mut message = format!("{method} {path} HTTP/1.1\r\nhost: 127.0.0.1\r\n");
        for (name, value) in headers {
            message.push_str(&format!("{name}: {value}\r\n"));
        }
        if !body.is_empty() || method == "POST" {
            message.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        message.push_str("\r\n");
        let mut message = message.into_bytes();
        message.extend_from_slice(body);
        self.send(&message);
    }

    /// Reads a response to its end.
    ///
    /// # Panics
    /// When no response head comes.
    pub fn read_response(&mut self) -> Response {
        let mut response = self.read_head();
        loop {
            match self.read_chunk() {
                Ok(Some(chunk)) => response.chunks.push(chunk),
                Ok(None) => break,
                Err(ending) => {
                    response.ending = ending;
                    return response;
                }
            }
        }
        response.ending = Ending::Clean;
        response
    }

    /// Reads a response head; the body is then read by [`RawClient::read_chunk`] or [`RawClient::read_event`].
    ///
    /// # Panics
    /// When the connection ends before a head.
    pub fn read_head(&mut self) -> Response {
        self.try_read_head().unwrap_or_else(|error| {
            panic!("no response head: {error}; received {:?}", String::from_utf8_lossy(&self.buffer))
        })
    }

    /// Reads a response head where the other side may close instead of answering. Interim responses are skipped.
    ///
    /// # Errors
    /// When the connection ends or breaks before a head.
    pub fn try_read_head(&mut self) -> io::Result<Response> {
        loop {
            let head = loop {
                if let Some(head) = parse_head(&self.buffer)? {
                    break head;
                }
                if self.fill()? == 0 {
                    return Err(ErrorKind::UnexpectedEof.into());
                }
            };
            let (response, length) = head;
            self.buffer.drain(..length);
            if !(100..200).contains(&response.status) {
                self.framing = framing_of(&response)?;
                self.events.clear();
                return Ok(response);
            }
        }
    }

    /// Reads the next piece of the body; `None` at its end.
    ///
    /// # Errors
    /// How the body ended, when it did not end as its framing says.
    ///
    /// # Panics
    /// When nothing comes before the deadline.
    pub fn read_chunk(&mut self) -> Result<Option<Chunk>, Ending> {
        let data = match self.framing {
            Framing::Ended | Framing::Length(0) => None,
            Framing::Length(left) => {
                if self.buffer.is_empty() && self.fill_body()? == 0 {
                    return Err(Ending::Truncated);
                }
                let data: Vec<u8> = self.buffer.drain(..left.min(self.buffer.len())).collect();
                self.framing = Framing::Length(left - data.len());
                Some(data)
            }
            Framing::Chunked => self.read_framed()?,
            Framing::UntilClose => {
                if self.buffer.is_empty() && self.fill_body()? == 0 {
                    None
                } else {
                    Some(std::mem::take(&mut self.buffer))
                }
            }
        };
        if data.is_none() {
            self.framing = Framing::Ended;
        }
        Ok(data.map(|data| Chunk { data, at: self.connected.elapsed() }))
    }

    /// Reads the next server-sent event; `None` at the end of the body.
    ///
    /// # Errors
    /// How the body ended, when it did not end as its framing says.
    pub fn read_event(&mut self) -> Result<Option<SseEvent>, Ending> {
        loop {
            if let Some(event) = take_event(&mut self.events) {
                return Ok(Some(event));
            }
            match self.read_chunk()? {
                Some(chunk) => self.events.extend_from_slice(&chunk.data),
                None => return Ok(None),
            }
        }
    }

    /// Closes the sending half.
    pub fn finish_sending(&self) {
        // It may have been closed by the other side already, which is as good.
        let _closed = self.stream.shutdown(Shutdown::Write);
    }

    /// Closes the connection with a TCP reset.
    pub fn reset(self) {
        let _reset = SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
    }

    /// Blocks until the other side closes the connection, and returns what it sent before.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn read_to_close(&mut self) -> Vec<u8> {
        loop {
            match self.fill() {
                Ok(0) => return std::mem::take(&mut self.buffer),
                Ok(_) => {}
                Err(error) if is_timeout(&error) => panic!("the connection stayed open for {DEADLINE:?}"),
                Err(_) => return std::mem::take(&mut self.buffer),
            }
        }
    }

    fn read_framed(&mut self) -> Result<Option<Vec<u8>>, Ending> {
        let line = self.take_line()?;
        let digits = line.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(digits, 16)
            .unwrap_or_else(|_| panic!("chunk size {line:?} is not hexadecimal"));
        if size == 0 {
            while !self.take_line()?.is_empty() {}
            return Ok(None);
        }
        while self.buffer.len() < size + 2 {
            if self.fill_body()? == 0 {
                return Err(Ending::Truncated);
            }
        }
        let data: Vec<u8> = self.buffer.drain(..size).collect();
        let end: Vec<u8> = self.buffer.drain(..2).collect();
        assert_eq!(end, b"\r\n", "a chunk ends with CRLF");
        Ok(Some(data))
    }

    fn take_line(&mut self) -> Result<String, Ending> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Ok(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if self.fill_body()? == 0 {
                return Err(Ending::Truncated);
            }
        }
    }

    fn fill_body(&mut self) -> Result<usize, Ending> {
        self.fill().map_err(|error| {
            assert!(!is_timeout(&error), "no byte of the body within {DEADLINE:?}");
            Ending::Broken(error.kind())
        })
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut piece = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut piece) {
                // As after the process was stopped and goes on.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                read => {
                    let read = read?;
                    self.buffer.extend_from_slice(&piece[..read]);
                    return Ok(read);
                }
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

fn parse_head(buffer: &[u8]) -> io::Result<Option<(Response, usize)>> {
    let mut storage = vec![httparse::EMPTY_HEADER; 512];
    let mut head = httparse::Response::new(&mut storage);
    let parsed = head.parse(buffer).map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
    let httparse::Status::Complete(length) = parsed else { return Ok(None) };
    let headers = head
        .headers
        .iter()
        .map(|header| (header.name.to_owned(), String::from_utf8_lossy(header.value).into_owned()))
        .collect();
    let status = head.code.unwrap_or_default();
    Ok(Some((Response { status, headers, chunks: Vec::new(), ending: Ending::Open }, length)))
}

fn framing_of(response: &Response) -> io::Result<Framing> {
    if matches!(response.status, 204 | 304) {
        return Ok(Framing::Ended);
    }
    if find_header(&response.headers, "transfer-encoding").is_some_and(|coding| coding.contains("chunked")) {
        return Ok(Framing::Chunked);
    }
    match response.header("content-length") {
        Some(length) => {
            let length =
                length.trim().parse().map_err(|error| io::Error::new(ErrorKind::InvalidData, error))?;
            Ok(Framing::Length(length))
        }
        None => Ok(Framing::UntilClose),
    }
}
