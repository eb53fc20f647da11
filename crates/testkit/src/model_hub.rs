//! A model hub on a loopback port: repositories, revisions, large files by redirect to another host, and faults.

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, TcpListener},
    sync::Arc,
    thread::JoinHandle,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::{io::AsyncWriteExt, net::TcpStream, sync::oneshot};

use crate::{
    gate::Gate,
    recorded::Recorded,
    wait::{DEADLINE, Watched},
    wire::read_request,
};

/// A running hub, or the store that a hub sends clients to. It stops when it is dropped.
#[derive(Debug)]
pub struct ModelHub {
    port: u16,
    state: Arc<Watched<State>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// What goes wrong with a request.
#[derive(Clone, Debug)]
pub enum HubFault {
    /// This answer instead of the content.
    Status {
        /// The status code.
        code: u16,
        /// Headers beside those of every answer.
        headers: Vec<(String, String)>,
    },
    /// The connection is cut after so many bytes of the content.
    CutAfter(usize),
    /// The content's last byte is another one.
    Corrupt,
    /// This many bytes more than announced in the listing.
    TooLong(usize),
    /// The content waits behind a gate.
    Hold(Gate),
}

#[derive(Debug, Default)]
struct State {
    requests: Vec<Recorded>,
    /// By `/api/models/…` path.
    listings: BTreeMap<String, String>,
    /// By path.
    files: BTreeMap<String, Content>,
    /// What goes wrong with requests whose path contains this, how often.
    faults: Vec<(String, HubFault, usize)>,
    /// Without it, nothing is given.
    token: Option<String>,
}

#[derive(Clone, Debug)]
struct Content {
    bytes: Vec<u8>,
    /// Where clients are sent instead.
    location: Option<String>,
    is_large: bool,
}

// === impl ModelHub ===

impl ModelHub {
    /// Starts a hub that has nothing.
    ///
    /// # Panics
    /// When no port can be bound.
    #[must_use]
    pub fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a loopback port is free");
        listener.set_nonblocking(true).expect("a listener can be made non-blocking");
        let port = listener.local_addr().expect("a listener has an address").port();
        let state = Arc::new(Watched::new(State::default()));
        let (stop, stopped) = oneshot::channel();
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || run(listener, &shared, stopped));
        Self { port, state, stop: Some(stop), thread: Some(thread) }
    }

    /// Its base URL.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Adds a repository at `commit`, which `revision` stands for too; safetensors are large files, given with their
    /// SHA-256.
    pub fn add(&self, repository: &str, revision: &str, commit: &str, files: &[(&str, &[u8])]) {
        self.add_behind(repository, (revision, commit), files, None);
    }

    /// The same with large files given by `store`, another host.
    pub fn add_with_store(
        &self,
        repository: &str,
        revision: &str,
        commit: &str,
        files: &[(&str, &[u8])],
        store: &Self,
    ) {
        self.add_behind(repository, (revision, commit), files, Some(store));
    }

    fn add_behind(
        &self,
        repository: &str,
        (revision, commit): (&str, &str),
        files: &[(&str, &[u8])],
        store: Option<&Self>,
    ) {
        let mut siblings = Vec::new();
        for (name, bytes) in files {
            let is_large = name.ends_with(".safetensors") || name.ends_with(".bin");
            let sha256 = sha256_of(bytes);
            let mut sibling = json!({ "rfilename": name, "size": bytes.len() });
            if is_large {
                sibling["lfs"] = json!({ "sha256": sha256, "size": bytes.len(), "pointerSize": 134 });
            }
            siblings.push(sibling);
            let location = store.filter(|_| is_large).map(|store| {
                let path = format!("/store/{sha256}");
                let content = Content { bytes: bytes.to_vec(), location: None, is_large: true };
                store.state.update(|state| state.files.insert(path.clone(), content));
                format!("{}{path}?signature=secret", store.url())
            });
            let content = Content { bytes: bytes.to_vec(), location, is_large };
            let path = format!("/{repository}/resolve/{commit}/{name}");
            self.state.update(|state| state.files.insert(path, content));
        }
        let listing = json!({ "id": repository, "sha": commit, "private": false, "siblings": siblings });
        for revision in [revision, commit] {
            self.list(repository, revision, &listing);
        }
    }

    /// Says this of a repository at a revision, whatever it has.
    pub fn list(&self, repository: &str, revision: &str, listing: &Value) {
        let path = format!("/api/models/{repository}/revision/{}", revision.replace('/', "%2F"));
        self.state.update(|state| state.listings.insert(path, listing.to_string()));
    }

    /// Lets the next `times` requests whose path contains `part` go wrong.
    pub fn fail(&self, part: &str, fault: HubFault, times: usize) {
        self.state.update(|state| state.faults.push((part.to_owned(), fault, times)));
    }

    /// Gives nothing without this bearer token.
    pub fn demand_token(&self, token: &str) {
        self.state.update(|state| state.token = Some(token.to_owned()));
    }

    /// All requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Recorded> {
        self.state.read(|state| state.requests.clone())
    }

    /// Blocks until `count` requests have arrived whose path contains `part`.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_for_requests(&self, part: &str, count: usize) {
        let has = |state: &State| {
            let seen = state.requests.iter().filter(|request| request.path.contains(part)).count();
            (seen >= count).then_some(())
        };
        if self.state.wait_for(DEADLINE, has).is_none() {
            panic!("less than {count} requests with {part:?} within {DEADLINE:?}");
        }
    }
}

impl Drop for ModelHub {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic over there was printed there.
            let _ended = thread.join();
        }
    }
}

/// In hexadecimal.
fn sha256_of(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn run(listener: TcpListener, state: &Arc<Watched<State>>, stopped: oneshot::Receiver<()>) {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime can be built");
    runtime.block_on(async {
        let listener = tokio::net::TcpListener::from_std(listener).expect("a listener can be registered");
        let accept = async {
            loop {
                let Ok((stream, _)) = listener.accept().await else { continue };
                let state = Arc::clone(state);
                tokio::spawn(async move {
                    // A client that leaves is none of our business.
                    let _ended = serve(stream, &state).await;
                });
            }
        };
        tokio::select! {
            () = accept => {}
            _ = stopped => {}
        }
    });
    runtime.shutdown_background();
}

/// One request, one answer, and the connection ends.
async fn serve(mut stream: TcpStream, state: &Watched<State>) -> io::Result<()> {
    let mut ahead = Vec::new();
    let Some(request) = read_request(&mut stream, &mut ahead, 0).await? else { return Ok(()) };
    let path = request.path.split('?').next().unwrap_or_default().to_owned();
    let start = request
        .header("range")
        .and_then(|range| range.strip_prefix("bytes=")?.strip_suffix('-')?.parse().ok());
    let authorization = request.header("authorization").map(str::to_owned);
    let (listing, content, fault, token) = state.update(|state| {
        state.requests.push(request);
        let matching =
            state.faults.iter_mut().find(|(part, _, times)| path.contains(part.as_str()) && *times > 0);
        let fault = matching.map(|(_, fault, times)| {
            *times -= 1;
            fault.clone()
        });
        (state.listings.get(&path).cloned(), state.files.get(&path).cloned(), fault, state.token.clone())
    });
    if let Some(HubFault::Status { code, headers }) = &fault {
        return answer(&mut stream, *code, headers, b"").await;
    }
    if token.is_some_and(|token| authorization != Some(format!("Bearer {token}"))) {
        let gated = [("x-error-code".to_owned(), "GatedRepo".to_owned())];
        return answer(&mut stream, 401, &gated, b"").await;
    }
    if let Some(HubFault::Hold(gate)) = &fault {
        gate.pass().await;
    }
    match (listing, content) {
        (Some(listing), _) => answer(&mut stream, 200, &[], listing.as_bytes()).await,
        (None, Some(content)) => give(&mut stream, content, start, fault.as_ref()).await,
        (None, None) => answer(&mut stream, 404, &[], b"").await,
    }
}

async fn give(
    stream: &mut TcpStream,
    content: Content,
    start: Option<usize>,
    fault: Option<&HubFault>,
) -> io::Result<()> {
    let Content { mut bytes, location, is_large } = content;
    let mut headers = Vec::new();
    if is_large {
        headers.push(("x-linked-etag".to_owned(), format!("\"{}\"", sha256_of(&bytes))));
    }
    if let Some(location) = location {
        headers.push(("location".to_owned(), location));
        return answer(stream, 302, &headers, b"").await;
    }
    match fault {
        Some(HubFault::Corrupt) => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 1;
            }
        }
        Some(HubFault::TooLong(more)) => bytes.extend(vec![0; *more]),
        _ => {}
    }
    let total = bytes.len();
    let (code, rest) = match start {
        Some(start) if start < total => {
            headers.push(("content-range".to_owned(), format!("bytes {start}-{}/{total}", total - 1)));
            (206, &bytes[start..])
        }
        Some(_) => return answer(stream, 416, &headers, b"").await,
        None => (200, &bytes[..]),
    };
    if let Some(HubFault::CutAfter(count)) = fault {
        stream.write_all(&head(code, &headers, rest.len())).await?;
        stream.write_all(&rest[..rest.len().min(*count)]).await?;
        return stream.shutdown().await;
    }
    answer(stream, code, &headers, rest).await
}

async fn answer(
    stream: &mut TcpStream,
    code: u16,
    headers: &[(String, String)],
    body: &[u8],
) -> io::Result<()> {
    stream.write_all(&head(code, headers, body.len())).await?;
    stream.write_all(body).await?;
    stream.shutdown().await
}

fn head(code: u16, headers: &[(String, String)], length: usize) -> Vec<u8> {
    let mut head = format!("HTTP/1.1 {code} Status\r\ncontent-length: {length}\r\nconnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}
