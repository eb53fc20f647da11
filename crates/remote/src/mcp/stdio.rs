//! An MCP server that is a program of ours: one message a line, over its input and output.

use std::{
    cell::{Cell, RefCell},
    collections::HashMap,
    process::Stdio,
    rc::Rc,
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};
use serde_json::{Value, json};
use tokio::{
    io::{AsyncBufRead, AsyncBufReadExt, AsyncWriteExt, BufReader},
    process::{Child, ChildStdin, ChildStdout, Command},
    sync::{Notify, mpsc, oneshot},
    task::{JoinSet, spawn_local},
    time::{timeout, timeout_at},
};

use super::{
    Program,
    rpc::{self, Incoming},
};
use crate::error::CallError;

/// The most bytes of a line.
const LINE_BYTES: usize = 1024 * 1024;
/// The lines that wait for a program that does not read.
const MOST_LINES: usize = 64;
/// How long a program may take to end by itself once its input is closed.
const FAREWELL: Duration = Duration::from_millis(500);

/// The requests that wait for an answer.
type Waiting = Rc<RefCell<HashMap<u64, oneshot::Sender<Result<Value, i64>>>>>;

/// The line to a running program. When it is dropped, the program's input is closed and the program ended.
#[derive(Debug)]
pub(super) struct Pipe {
    lines: mpsc::Sender<Vec<u8>>,
    waiting: Waiting,
    next_id: Cell<u64>,
    end: Rc<End>,
}

/// What ends a program, and whether it has ended.
#[derive(Debug, Default)]
struct End {
    wanted: Notify,
    is_over: Cell<bool>,
}

// === impl Pipe

impl Pipe {
    /// Starts the program, with no environment but the configured one and no terminal. What it writes to its error output is thrown
    /// away: it may be anything, and could hold texts. `keepers` gets the task that reaps it.
    pub(super) fn start(program: &Program, keepers: &mut JoinSet<()>) -> Result<Self, CallError> {
        let path =
            program.path().ok_or_else(|| CallError::Transport("the program is not there".to_owned()))?;
        let mut child = Command::new(path)
            .args(&program.args)
            .env_clear()
            .envs(program.env.iter().map(|(name, value)| (name, value.expose())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| CallError::Transport(format!("the program cannot be started: {error}")))?;
        let (Some(input), Some(output)) = (child.stdin.take(), child.stdout.take()) else {
            return Err(CallError::Transport("the program has no input or output".to_owned()));
        };
        let (lines, queue) = mpsc::channel(MOST_LINES);
        let waiting = Waiting::default();
        let end = Rc::new(End::default());
        spawn_local(write(input, queue));
        spawn_local(read(output, Rc::clone(&waiting), lines.downgrade(), Rc::clone(&end)));
        keepers.spawn_local(keep(child, Rc::clone(&end)));
        Ok(Self { lines, waiting, next_id: Cell::new(1), end })
    }

    pub(super) fn is_alive(&self) -> bool {
        !self.end.is_over.get()
    }

    pub(super) async fn request(
        &self,
        method: &str,
        params: &Value,
        until: Instant,
    ) -> Result<Value, CallError> {
        let id = self.next_id.replace(self.next_id.get() + 1);
        let (reply, answer) = oneshot::channel();
        if !self.is_alive() {
            return Err(ended());
        }
        self.waiting.borrow_mut().insert(id, reply);
        if let Err(error) = self.send(rpc::request(id, method, params)) {
            self.waiting.borrow_mut().remove(&id);
            return Err(error);
        }
        match timeout_at(until.into(), answer).await {
            Ok(Ok(Ok(result))) => Ok(result),
            Ok(Ok(Err(_))) => Err(CallError::Refused("the server refuses the call")),
            Ok(Err(_)) => Err(ended()),
            Err(_) => {
                self.waiting.borrow_mut().remove(&id);
                let params = json!({ "requestId": id, "reason": "no answer in time" });
                // A program that hangs may take no more lines; it is ended soon enough.
                let _ = self.send(rpc::notification("notifications/cancelled", &params));
                Err(CallError::Late)
            }
        }
    }

    pub(super) fn notify(&self, method: &str) -> Result<(), CallError> {
        self.send(rpc::notification(method, &json!({})))
    }

    fn send(&self, mut line: Vec<u8>) -> Result<(), CallError> {
        line.push(b'\n');
        self.lines.try_send(line).map_err(|error| match error {
            mpsc::error::TrySendError::Full(_) => CallError::Late,
            mpsc::error::TrySendError::Closed(_) => ended(),
        })
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.end.wanted.notify_one();
    }
}

fn ended() -> CallError {
    CallError::Transport("the program has ended".to_owned())
}

/// Writes lines until there is nobody to send any; then the program's input is closed.
async fn write(mut input: ChildStdin, mut lines: mpsc::Receiver<Vec<u8>>) {
    while let Some(line) = lines.recv().await {
        if input.write_all(&line).await.is_err() || input.flush().await.is_err() {
            // The reader finds out as well, and tells.
            return;
        }
    }
}

/// Hands out answers until the output ends, or a line is too long.
async fn read(output: ChildStdout, waiting: Waiting, lines: mpsc::WeakSender<Vec<u8>>, end: Rc<End>) {
    let mut output = BufReader::new(output);
    let mut line = Vec::new();
    while read_line(&mut output, &mut line).await {
        for message in rpc::parse(&line) {
            match message {
                Incoming::Response { id, result } => {
                    if let Some(reply) = waiting.borrow_mut().remove(&id) {
                        // Whoever waited may have gone.
                        let _ = reply.send(result);
                    }
                }
                Incoming::Request { id, is_ping } => {
                    if let Some(lines) = lines.upgrade() {
                        let mut answer = rpc::answer(&id, is_ping);
                        answer.push(b'\n');
                        // A program that asks and does not read gets no answer.
                        let _ = lines.try_send(answer);
                    }
                }
                Incoming::Other => {}
            }
        }
    }
    end.is_over.set(true);
    end.wanted.notify_one();
    waiting.borrow_mut().clear();
}

/// Reads the next line; `false` at the end, and if the line is longer than allowed.
async fn read_line(output: &mut (impl AsyncBufRead + Unpin), line: &mut Vec<u8>) -> bool {
    line.clear();
    loop {
        let Ok(chunk) = output.fill_buf().await else { return false };
        if chunk.is_empty() {
            return false;
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let taken = end.map_or(chunk.len(), |end| end + 1);
        if line.len() + taken > LINE_BYTES {
            return false;
        }
        line.extend_from_slice(&chunk[..taken]);
        output.consume(taken);
        if end.is_some() {
            return true;
        }
    }
}

/// Waits for the program's end, or brings it about; then for that of what it started. Nothing is left behind.
async fn keep(mut child: Child, end: Rc<End>) {
    let group = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let has_ended = tokio::select! {
        _ = child.wait() => true,
        () = end.wanted.notified() => timeout(FAREWELL, child.wait()).await.is_ok(),
    };
    if let Some(group) = group {
        // It fails if the whole group has ended, which is what is wanted.
        let _ = kill_process_group(group, Signal::KILL);
    }
    if !has_ended {
        // A program that was killed can be waited for.
        let _ = child.wait().await;
    }
    end.is_over.set(true);
}
