//! The MCP classifier: its settings, and the handle by which every thread asks it.
//!
//! A small client of our own: what a classifier needs of the protocol is a handshake and two tools, and a child process
//! needs bounds on what it writes, an environment of its own and a certain end, which generic clients leave to others.

mod http;
mod rpc;
mod session;
mod stdio;
mod thread;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::{Duration, Instant},
};

use tokio::sync::{mpsc, oneshot};
use vsr_config::{McpModule, McpTransport};
use vsr_types::{Diagnostic, Diagnostics, Path, Secret};
use vsr_upstream::ClientConfig;

use crate::{asked::call_limit, endpoint::Server, error::CallError, models::RemoteLimits};

/// The calls that wait for the thread.
const MOST_WAITING: usize = 256;

/// The classes of a text with their probabilities.
pub(crate) type Classes = Vec<(Arc<str>, f64)>;

/// How the server is reached, and what is asked.
#[derive(Debug, Clone)]
pub(crate) struct McpSettings {
    transport: Transport,
    /// The tool; found among the server's tools if absent.
    tool: Option<String>,
    pub(crate) timeout: Duration,
    restart_pause: Duration,
    start_limit: Duration,
    /// What the HTTP client is made with.
    client: Box<ClientConfig>,
}

#[derive(Debug, Clone)]
enum Transport {
    Stdio(Program),
    Http(Arc<Server>),
}

/// A program, and what it is started with.
#[derive(Debug, Clone)]
struct Program {
    command: String,
    args: Vec<String>,
    env: BTreeMap<String, Secret>,
    /// Where a command without a path is looked for: the router's own PATH. The program gets no environment but `env`.
    search: Option<String>,
}

/// A handle on the thread that owns the server's session. The thread starts with the first call.
#[derive(Debug)]
pub(crate) struct McpClient {
    settings: McpSettings,
    state: Mutex<State>,
}

#[derive(Debug)]
enum State {
    Idle,
    /// The thread ends when `_stop` is dropped.
    Running {
        asks: mpsc::Sender<Message>,
        _stop: oneshot::Sender<()>,
        thread: JoinHandle<()>,
    },
    Ended,
}

/// What the thread is asked.
#[derive(Debug)]
enum Message {
    /// To open the session.
    Start,
    /// To classify a text.
    Classify(Ask),
}

#[derive(Debug)]
struct Ask {
    text: Arc<str>,
    until: Instant,
    reply: oneshot::Sender<Result<Classes, CallError>>,
}

// === impl McpSettings

impl McpSettings {
    pub(crate) fn compile(
        module: &McpModule,
        place: &Path,
        limits: &RemoteLimits,
        variables: &dyn Fn(&str) -> Option<String>,
        diagnostics: &mut Diagnostics,
    ) -> Result<Self, Diagnostic> {
        let written = |text: &Option<vsr_config::Expanded>| {
            text.as_deref().map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
        };
        let (command, url) = (written(&module.command), written(&module.url));
        let transport = match (module.transport_type, &command, &url) {
            (Some(transport), ..) => transport,
            (None, Some(_), None) => McpTransport::Stdio,
            (None, None, Some(_)) => McpTransport::StreamableHttp,
            (None, ..) => {
                let message = "it is not said how the MCP server is reached";
                let help = "set `transport_type` with `command` or `url`";
                return Err(Diagnostic::error(place.key("transport_type"), message).help(help));
            }
        };
        let mut unused = |key: &str, is_set: bool| {
            if is_set {
                let message = format!("the transport `{}` does not use it", transport.as_str());
                diagnostics.warning(place.key(key), message);
            }
        };
        let transport = match transport {
            McpTransport::Stdio => {
                unused("url", url.is_some());
                let Some(command) = command else {
                    return Err(Diagnostic::error(
                        place.key("command"),
                        "the transport `stdio` needs a program",
                    ));
                };
                let (env, search) = (module.env.clone(), variables("PATH"));
                let program = Program { command, args: module.args.clone(), env, search };
                if program.path().is_none() {
                    let message = format!(
                        "there is no program `{}` here; without it the domain rules are unavailable",
                        program.command
                    );
                    let warning = Diagnostic::warning(place.key("command"), message);
                    diagnostics.push(warning.help("write its whole path, or put its directory in PATH"));
                }
                Transport::Stdio(program)
            }
            McpTransport::StreamableHttp => {
                unused("command", command.is_some());
                unused("args", !module.args.is_empty());
                unused("env", !module.env.is_empty());
                let Some(url) = url else {
                    let message = "the transport `streamable-http` needs a URL";
                    return Err(Diagnostic::error(place.key("url"), message));
                };
                let server = Server::at_url(&url, "application/json, text/event-stream")
                    .map_err(|message| Diagnostic::error(place.key("url"), message))?;
                Transport::Http(Arc::new(server))
            }
        };
        let client = ClientConfig::from_variables(variables)
            .map_err(|error| Diagnostic::error(place.clone(), format!("the environment: {error}")))?;
        let tool = module.tool_name.as_deref().map(str::trim).filter(|tool| !tool.is_empty());
        Ok(Self {
            transport,
            tool: tool.map(str::to_owned),
            timeout: call_limit(module.timeout_seconds.unwrap_or_default()),
            restart_pause: limits.restart_pause,
            start_limit: limits.start_limit,
            client: Box::new(client),
        })
    }
}

// === impl Program

impl Program {
    /// Its path, if it is there.
    fn path(&self) -> Option<PathBuf> {
        if self.command.contains('/') {
            return Some(PathBuf::from(&self.command)).filter(|path| path.is_file());
        }
        let directories = std::env::split_paths(self.search.as_deref()?);
        directories.map(|directory| directory.join(&self.command)).find(|path| path.is_file())
    }
}

// === impl McpClient

impl McpClient {
    pub(crate) fn new(settings: McpSettings) -> Self {
        Self { settings, state: Mutex::new(State::Idle) }
    }

    /// Opens the session, if nobody did.
    pub(crate) fn start(&self) {
        if let Ok(asks) = self.asks() {
            // A full queue means that the session is being asked already.
            let _ = asks.try_send(Message::Start);
        }
    }

    /// The classes of `text`.
    pub(crate) async fn classify(&self, text: &str, limit: Duration) -> Result<Classes, CallError> {
        let asks = self.asks()?;
        let (reply, answer) = oneshot::channel();
        let ask = Ask { text: text.into(), until: Instant::now() + limit, reply };
        asks.try_send(Message::Classify(ask)).map_err(|_| CallError::Busy)?;
        answer.await.unwrap_or_else(|_| Err(CallError::Transport("the session ended".to_owned())))
    }

    /// Ends the session and waits for it.
    pub(crate) fn shutdown(&self) {
        let state = std::mem::replace(&mut *self.state(), State::Ended);
        if let State::Running { asks, _stop, thread } = state {
            drop((asks, _stop));
            // A panic of the thread has been printed already, and its program ends with its input.
            let _ = thread.join();
        }
    }

    fn asks(&self) -> Result<mpsc::Sender<Message>, CallError> {
        let mut state = self.state();
        match &*state {
            State::Running { asks, .. } => return Ok(asks.clone()),
            State::Ended => return Err(CallError::Transport("the router is stopping".to_owned())),
            State::Idle => {}
        }
        let (asks, queue) = mpsc::channel(MOST_WAITING);
        let (stop, stopped) = oneshot::channel();
        let settings = self.settings.clone();
        let thread = std::thread::Builder::new()
            .name("vsr-mcp".to_owned())
            .spawn(move || thread::run(&settings, queue, stopped))
            .map_err(|error| CallError::Transport(format!("no thread can be started: {error}")))?;
        *state = State::Running { asks: asks.clone(), _stop: stop, thread };
        Ok(asks)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // The state is replaced whole, so a panic leaves a valid one.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
