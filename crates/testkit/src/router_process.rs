//! A running router process: started with a configuration, observed through its log, killed when dropped.

use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::wait::{DEADLINE, Watched};

/// How a router is to be started.
#[derive(Debug)]
pub struct RouterSpec {
    binary: PathBuf,
    directory: TempDir,
    args: Vec<OsString>,
    env: Vec<(OsString, OsString)>,
    ready: Ready,
}

#[derive(Debug)]
enum Ready {
    /// A line on standard output or error that contains this.
    Log(String),
    /// `GET path` on this loopback port answers 200.
    Http { port: u16, path: String },
}

/// A running router. Its working directory is temporary and disappears with it.
#[derive(Debug)]
pub struct Router {
    child: Child,
    directory: TempDir,
    log: Arc<Watched<Vec<String>>>,
}

/// Pause between two looks at a process that says nothing; a log line ends it early.
const LOOK_AGAIN_AFTER: Duration = Duration::from_millis(10);

// === impl RouterSpec ===

impl RouterSpec {
    /// A router from this binary; without an argument it would print its help.
    ///
    /// # Panics
    /// When no temporary directory can be created.
    #[must_use]
    pub fn new(binary: impl Into<PathBuf>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be created");
        let ready = Ready::Log("listening".to_owned());
        Self { binary: binary.into(), directory, args: Vec::new(), env: Vec::new(), ready }
    }

    /// `serve --config FILE` with this text in the file, ready when `GET /ready` on `port` answers 200.
    ///
    /// # Panics
    /// When the file cannot be written.
    #[must_use]
    pub fn serve(binary: impl Into<PathBuf>, config: &str, port: u16) -> Self {
        let spec = Self::new(binary).file("config.yaml", config);
        let config_path = spec.directory().join("config.yaml");
        spec.arg("serve").arg("--config").arg(config_path).ready_http(port, "/ready")
    }

    /// The router's working directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// Writes a file into the working directory.
    ///
    /// # Panics
    /// When it cannot be written.
    #[must_use]
    pub fn file(self, name: &str, text: &str) -> Self {
        std::fs::write(self.directory().join(name), text)
            .expect("a file can be written to a temporary directory");
        self
    }

    /// Adds an argument.
    #[must_use]
    pub fn arg(mut self, arg: impl Into<OsString>) -> Self {
        self.args.push(arg.into());
        self
    }

    /// Sets an environment variable beside the inherited ones.
    #[must_use]
    pub fn env(mut self, name: impl Into<OsString>, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// It is ready when a line of its output contains this.
    #[must_use]
    pub fn ready_log(mut self, part: &str) -> Self {
        self.ready = Ready::Log(part.to_owned());
        self
    }

    /// It is ready when `GET path` on this loopback port answers 200.
    #[must_use]
    pub fn ready_http(mut self, port: u16, path: &str) -> Self {
        self.ready = Ready::Http { port, path: path.to_owned() };
        self
    }

    /// Starts the router and waits until it is ready.
    ///
    /// # Panics
    /// When it cannot be started, ends, or is not ready by the deadline; the message holds its output.
    #[must_use]
    pub fn start(self) -> Router {
        let ready = self.ready;
        let mut child = Command::new(&self.binary)
            .args(&self.args)
            .envs(self.env)
            .current_dir(self.directory.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("cannot start {}: {error}", self.binary.display()));
        let log = Arc::new(Watched::default());
        collect(child.stdout.take(), &log);
        collect(child.stderr.take(), &log);
        let mut router = Router { child, directory: self.directory, log };
        router.wait_ready(&ready);
        router
    }
}

// === impl Router ===

impl Router {
    /// The process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Its working directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        self.directory.path()
    }

    /// The lines it has printed so far, on both outputs.
    #[must_use]
    pub fn log(&self) -> Vec<String> {
        self.log.read(Clone::clone)
    }

    /// Blocks until a line contains `part`, and returns the line.
    ///
    /// # Panics
    /// When the deadline passes first.
    pub fn wait_for_log(&self, part: &str) -> String {
        let find = |lines: &Vec<String>| lines.iter().find(|line| line.contains(part)).cloned();
        self.log.wait_for(DEADLINE, find).unwrap_or_else(|| {
            panic!("no line with {part:?} within {DEADLINE:?}; the output is:\n{}", self.log().join("\n"))
        })
    }

    /// Asks it to end, as a service manager would: SIGTERM.
    ///
    /// # Panics
    /// When the process is gone already.
    pub fn terminate(&self) {
        self.signal(rustix::process::Signal::TERM);
    }

    /// Asks it to reload its configuration: SIGHUP.
    ///
    /// # Panics
    /// When the process is gone already.
    pub fn hang_up(&self) {
        self.signal(rustix::process::Signal::HUP);
    }

    /// Blocks until the process ends.
    ///
    /// # Panics
    /// When it still runs at the deadline.
    pub fn wait_exit(&mut self) -> ExitStatus {
        let end = Instant::now() + DEADLINE;
        while Instant::now() < end {
            if let Some(status) = self.child.try_wait().expect("an own child can be waited for") {
                return status;
            }
            self.pause();
        }
        panic!("the process still runs after {DEADLINE:?}; its output is:\n{}", self.log().join("\n"))
    }

    fn signal(&self, signal: rustix::process::Signal) {
        let pid = rustix::process::Pid::from_child(&self.child);
        rustix::process::kill_process(pid, signal).expect("a running child takes signals");
    }

    fn wait_ready(&mut self, ready: &Ready) {
        let end = Instant::now() + DEADLINE;
        while !self.is_ready(ready) {
            if let Some(status) = self.child.try_wait().expect("an own child can be waited for") {
                panic!(
                    "the process ended before it was ready: {status}; its output is:\n{}",
                    self.log().join("\n")
                );
            }
            assert!(
                Instant::now() < end,
                "not ready within {DEADLINE:?}; its output is:\n{}",
                self.log().join("\n")
            );
            self.pause();
        }
    }

    fn is_ready(&self, ready: &Ready) -> bool {
        match ready {
            Ready::Log(part) => self.log.read(|lines| lines.iter().any(|line| line.contains(part))),
            Ready::Http { port, path } => answers_ok(*port, path),
        }
    }

    /// Waits for the next line of output, but not long.
    fn pause(&self) {
        let before = self.log.read(Vec::len);
        self.log.wait_for(LOOK_AGAIN_AFTER, |lines| (lines.len() > before).then_some(()));
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        // It may have ended already, which is what is wanted.
        let _killed = self.child.kill();
        let _reaped = self.child.wait();
    }
}

fn collect(output: Option<impl Read + Send + 'static>, log: &Arc<Watched<Vec<String>>>) {
    let Some(output) = output else { return };
    let log = Arc::clone(log);
    std::thread::spawn(move || {
        for line in BufReader::new(output).lines().map_while(Result::ok) {
            log.update(|lines| lines.push(line));
        }
    });
}

fn answers_ok(port: u16, path: &str) -> bool {
    use std::io::Write;
    let Ok(mut stream) = std::net::TcpStream::connect((std::net::Ipv4Addr::LOCALHOST, port)) else {
        return false;
    };
    let request = format!("GET {path} HTTP/1.1\r\nhost: 127.0.0.1\r\nconnection: close\r\n\r\n");
    let mut head = [0; 12];
    stream.set_read_timeout(Some(DEADLINE)).is_ok()
        && stream.write_all(request.as_bytes()).is_ok()
        && stream.read_exact(&mut head).is_ok()
        && head.ends_with(b" 200")
}
