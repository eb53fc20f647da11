//! The server side of a mock backend: connections, and the answers with their faults.

use std::io;
use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use socket2::SockRef;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::oneshot;

use crate::backend::Shared;
use crate::behaviour::{Behaviour, Fault, error_body};
use crate::completion::{Completion, model_list};
use crate::control;
use crate::recorded::Recorded;
use crate::stream::send_stream;
use crate::wire::read_request;

/// What becomes of the connection after an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum After {
    KeepAlive,
    Close,
    Reset,
}

/// The sending half of a connection, which keeps count of what it sent.
pub(crate) struct Sender<'a> {
    socket: WriteHalf<'a>,
    shared: &'a Arc<Shared>,
    connection: usize,
    extra_headers: Vec<(String, String)>,
}

/// Bytes a client may send ahead of its turn before the backend stops reading them.
const MAX_AHEAD_BYTES: usize = 1 << 20;

const JSON: &str = "application/json";

/// Serves connections until `stopped` resolves; open connections are cut then.
pub(crate) fn run(listener: TcpListener, shared: Arc<Shared>, stopped: oneshot::Receiver<()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    runtime.block_on(async move {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener can be registered");
        tokio::select! {
            () = accept(&listener, &shared) => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

async fn accept(listener: &tokio::net::TcpListener, shared: &Arc<Shared>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else { continue };
        let shared = Arc::clone(shared);
        tokio::spawn(async move { serve_connection(stream, &shared).await });
    }
}

async fn serve_connection(mut stream: TcpStream, shared: &Arc<Shared>) {
    let connection = shared.state.update(|state| {
        state.connections += 1;
        state.open_connections += 1;
        state.connections
    });
    let _nodelay = stream.set_nodelay(true);
    let mut ahead = Vec::new();
    while let Ok(Some(request)) = read_request(&mut stream, &mut ahead, connection).await {
        match serve_request(&mut stream, &mut ahead, shared, request).await {
            After::KeepAlive => {}
            After::Close => break,
            After::Reset => {
                // Closing with a zero linger time is what sends a reset instead of a FIN.
                let _reset = SockRef::from(&stream).set_linger(Some(Duration::ZERO));
                break;
            }
        }
    }
    drop(stream);
    shared.state.update(|state| {
        state.open_connections -= 1;
        state.blocked.retain(|entry| entry.0 != connection);
    });
}

/// Answers one request while watching whether the client leaves.
async fn serve_request(
    stream: &mut TcpStream,
    ahead: &mut Vec<u8>,
    shared: &Arc<Shared>,
    request: Recorded,
) -> After {
    let is_last = request.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let (mut reader, socket) = stream.split();
    let mut sender = Sender { socket, shared, connection: request.connection, extra_headers: Vec::new() };
    tokio::select! {
        biased;
        () = client_left(&mut reader, ahead) => {
            shared.state.update(|state| state.cancelled += 1);
            After::Close
        }
        answered = answer(&mut sender, request) => match answered {
            Ok(After::KeepAlive) if is_last => After::Close,
            Ok(after) => after,
            Err(_) => {
                shared.state.update(|state| state.cancelled += 1);
                After::Close
            }
        },
    }
}

/// Resolves when the client closes or resets; what it sends early is kept for the next request.
async fn client_left(reader: &mut ReadHalf<'_>, ahead: &mut Vec<u8>) {
    while ahead.len() < MAX_AHEAD_BYTES {
        match reader.read_buf(ahead).await {
            Ok(0) | Err(_) => return,
            Ok(_) => {}
        }
    }
    std::future::pending::<()>().await;
}

async fn answer(sender: &mut Sender<'_>, request: Recorded) -> io::Result<After> {
    let shared = sender.shared;
    let path = request.path.split('?').next().unwrap_or_default();
    if let Some(gate) = shared.control.as_ref().filter(|_| path.starts_with(control::PREFIX)) {
        let (code, body) = control::handle(shared, gate, &request.path).await;
        return sender.whole(code, JSON, body.as_bytes()).await;
    }
    let route = (request.method.clone(), path.to_owned());
    let body = request.body.clone();
    let (behaviour, number) = shared.state.update(|state| {
        state.requests.push(request);
        if route.1 == "/v1/chat/completions" {
            state.chat_requests += 1;
        }
        let behaviour = state.behaviour.clone();
        state.behaviour.note_reply(&route.1);
        (behaviour, state.chat_requests)
    });
    sender.extra_headers.clone_from(&behaviour.headers);
    let takes_replies = route.0 == "POST" || route.1 == "/health";
    if let Some(reply) = behaviour.replies.iter().find(|reply| takes_replies && reply.path == route.1) {
        return sender.whole(reply.code, &reply.content_type, reply.body.as_bytes()).await;
    }
    match (route.0.as_str(), route.1.as_str()) {
        ("POST", "/v1/chat/completions") => chat(sender, &behaviour, number, &body).await,
        ("GET", "/v1/models") => sender.whole(200, JSON, model_list(&behaviour.models).as_bytes()).await,
        ("GET", "/health") => sender.whole(200, JSON, b"{\"status\":\"ok\"}").await,
        (method, path) => {
            let message = format!("no such endpoint: {method} {path}");
            let body = error_body(&message, "invalid_request_error", "not_found");
            sender.whole(404, JSON, body.as_bytes()).await
        }
    }
}

async fn chat(
    sender: &mut Sender<'_>,
    behaviour: &Behaviour,
    number: usize,
    body: &[u8],
) -> io::Result<After> {
    let completion = match Completion::read(body, number, &behaviour.text) {
        Ok(completion) => completion,
        Err(message) => {
            let body = error_body(&message, "invalid_request_error", "invalid_body");
            return sender.whole(400, JSON, body.as_bytes()).await;
        }
    };
    let fault = behaviour.fault(number.saturating_sub(1));
    match &fault {
        Fault::HoldFirstByte(gate) => gate.pass().await,
        Fault::CloseBeforeHead => return Ok(After::Close),
        Fault::Status { code, headers, body } => {
            sender.extra_headers.extend(headers.iter().cloned());
            return sender.whole(*code, "", body.as_bytes()).await;
        }
        Fault::HugeHeaders { bytes } => sender.extra_headers.extend(filler_headers(*bytes)),
        _ => {}
    }
    if completion.wants_stream() {
        send_stream(sender, &completion, &fault).await
    } else {
        send_whole(sender, completion.whole(), &fault).await
    }
}

async fn send_whole(sender: &mut Sender<'_>, body: Vec<u8>, fault: &Fault) -> io::Result<After> {
    let half = body.len() / 2;
    match fault {
        Fault::Split(split) => {
            sender.head(200, JSON, None).await?;
            sender.chunks(&split.pieces(&body)).await
        }
        Fault::Stall { after_events, gate } => {
            let cut = half.min(after_events * half);
            sender.head(200, JSON, Some(body.len())).await?;
            sender.write(&body[..cut]).await?;
            gate.pass().await;
            sender.write(&body[cut..]).await?;
            Ok(After::KeepAlive)
        }
        Fault::Reset { after_events, gate } => {
            sender.head(200, JSON, Some(body.len())).await?;
            sender.write(&body[..half.min(after_events * half)]).await?;
            if let Some(gate) = gate {
                gate.pass().await;
            }
            Ok(After::Reset)
        }
        Fault::Truncated => {
            sender.head(200, JSON, Some(body.len() + 100)).await?;
            sender.write(&body).await?;
            Ok(After::Close)
        }
        Fault::Gzip => {
            sender.extra_headers.push(("content-encoding".to_owned(), "gzip".to_owned()));
            sender.whole(200, JSON, &gzip(&body)).await
        }
        Fault::Endless => {
            sender.head(200, JSON, None).await?;
            sender.chunk(b"{\"id\":\"").await?;
            loop {
                sender.chunk(&[b'x'; 8192]).await?;
            }
        }
        Fault::Drip(interval) => {
            sender.head(200, JSON, Some(body.len())).await?;
            for piece in body.chunks(64) {
                sender.write(piece).await?;
                tokio::time::sleep(*interval).await;
            }
            Ok(After::KeepAlive)
        }
        Fault::ErrorEvent { .. } => {
            let body = error_body("generation failed", "server_error", "internal_error");
            sender.whole(500, JSON, body.as_bytes()).await
        }
        Fault::BrokenEvent => sender.whole(200, JSON, &body[..half]).await,
        _ => sender.whole(200, JSON, &body).await,
    }
}

fn filler_headers(bytes: usize) -> impl Iterator<Item = (String, String)> {
    const LINE_BYTES: usize = 8 * 1024;
    (0..bytes.div_ceil(LINE_BYTES)).map(|number| (format!("x-filler-{number}"), "f".repeat(LINE_BYTES)))
}

pub(crate) fn gzip(body: &[u8]) -> Vec<u8> {
    use std::io::Write;
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("writing to memory cannot fail");
    encoder.finish().expect("writing to memory cannot fail")
}

// === impl Sender ===

impl Sender<'_> {
    /// Sends a whole response with a `content-length`.
    pub(crate) async fn whole(&mut self, code: u16, content_type: &str, body: &[u8]) -> io::Result<After> {
        let mut message = self.head_bytes(code, content_type, Some(body.len()));
        message.extend_from_slice(body);
        self.write(&message).await?;
        Ok(After::KeepAlive)
    }

    /// Sends a response head; without a length the body is chunked.
    pub(crate) async fn head(
        &mut self,
        code: u16,
        content_type: &str,
        length: Option<usize>,
    ) -> io::Result<()> {
        let head = self.head_bytes(code, content_type, length);
        self.write(&head).await
    }

    /// Sends a chunked body to its end, one write for each piece.
    pub(crate) async fn chunks(&mut self, pieces: &[impl AsRef<[u8]>]) -> io::Result<After> {
        let Some((last, before)) = pieces.split_last() else {
            self.write(b"0\r\n\r\n").await?;
            return Ok(After::KeepAlive);
        };
        for piece in before {
            self.chunk(piece.as_ref()).await?;
        }
        // The end goes out with the last piece: a client that stops at `[DONE]` has then read all of it.
        let mut end = framed(last.as_ref());
        end.extend_from_slice(b"0\r\n\r\n");
        self.write(&end).await?;
        Ok(After::KeepAlive)
    }

    pub(crate) async fn chunk(&mut self, data: &[u8]) -> io::Result<()> {
        self.write(&framed(data)).await
    }

    pub(crate) fn add_header(&mut self, name: &str, value: &str) {
        self.extra_headers.push((name.to_owned(), value.to_owned()));
    }

    pub(crate) async fn write(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        while !bytes.is_empty() {
            match self.socket.try_write(bytes) {
                Ok(written) => {
                    bytes = &bytes[written..];
                    self.shared.state.update(|state| state.bytes_sent += written as u64);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.wait_writable().await?,
                Err(error) => return Err(error),
            }
        }
        // A client that closes must be noticed even while its socket takes everything.
        tokio::task::consume_budget().await;
        Ok(())
    }

    async fn wait_writable(&mut self) -> io::Result<()> {
        let entry = (self.connection, Instant::now());
        self.shared.state.update(|state| state.blocked.push(entry));
        self.socket.writable().await?;
        self.shared.state.update(|state| state.blocked.retain(|other| *other != entry));
        Ok(())
    }

    fn head_bytes(&self, code: u16, content_type: &str, length: Option<usize>) -> Vec<u8> {
        let mut head = format!("HTTP/1.1 {code} {}\r\n", reason(code));
        if !content_type.is_empty() {
            head.push_str(&format!("content-type: {content_type}\r\n"));
        }
        match length {
            Some(length) => head.push_str(&format!("content-length: {length}\r\n")),
            None => head.push_str("transfer-encoding: chunked\r\n"),
        }
        for (name, value) in &self.extra_headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        head.into_bytes()
    }
}

fn framed(data: &[u8]) -> Vec<u8> {
    let mut chunk = format!("{:x}\r\n", data.len()).into_bytes();
    chunk.extend_from_slice(data);
    chunk.extend_from_slice(b"\r\n");
    chunk
}

fn reason(code: u16) -> &'static str {
    match code {
        200 => "OK",
        400 => "Bad Request",
        404 => "Not Found",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        503 => "Service Unavailable",
        _ => "Status",
    }
}
