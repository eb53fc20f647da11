//! The thread that owns the session: it opens it, opens it again when it ended, and makes the calls.

use std::{
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{mpsc, oneshot},
    task::{JoinSet, LocalSet},
    time::timeout_at,
};
use vsr_upstream::Client;

use super::{
    Ask, McpSettings, Message, Transport,
    http::Channel,
    session::{Link, Session},
    stdio::Pipe,
};
use crate::error::CallError;

/// The longest time that a server which ended is left alone.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// The session, and what is known of its predecessors.
struct Owner<'s> {
    settings: &'s McpSettings,
    client: Client,
    session: Option<Rc<Session>>,
    /// The tasks that reap programs.
    keepers: JoinSet<()>,
    pause: Duration,
    not_before: Option<Instant>,
}

/// Serves calls until it is stopped, then ends the server.
pub(super) fn run(settings: &McpSettings, queue: mpsc::Receiver<Message>, stopped: oneshot::Receiver<()>) {
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            // Callers learn it from the closed queue.
            tracing::error!(%error, "the MCP classifier has no runtime");
            return;
        }
    };
    LocalSet::new().block_on(&runtime, serve(settings, queue, stopped));
}

async fn serve(settings: &McpSettings, mut queue: mpsc::Receiver<Message>, stopped: oneshot::Receiver<()>) {
    let mut owner = Owner {
        settings,
        client: Client::new(&settings.client),
        session: None,
        keepers: JoinSet::new(),
        pause: settings.restart_pause,
        not_before: None,
    };
    let mut calls = JoinSet::new();
    let serving = async {
        while let Some(message) = queue.recv().await {
            owner.serve(message, &mut calls).await;
        }
    };
    tokio::select! {
        () = serving => {}
        // The other end is dropped, never used.
        _ = stopped => {}
    }
    calls.shutdown().await;
    owner.session = None;
    while owner.keepers.join_next().await.is_some() {}
}

// === impl Owner

impl Owner<'_> {
    async fn serve(&mut self, message: Message, calls: &mut JoinSet<()>) {
        while calls.try_join_next().is_some() {}
        let ask = match message {
            Message::Start => None,
            // Whoever asked has given up: the queue was slow.
            Message::Classify(ask) if ask.reply.is_closed() => return,
            Message::Classify(ask) => Some(ask),
        };
        match (Box::pin(self.session()).await, ask) {
            (Ok(session), Some(Ask { text, until, reply })) => {
                calls.spawn_local(async move {
                    // Whoever asked may have gone.
                    let _ = reply.send(Box::pin(session.classify(&text, until)).await);
                });
            }
            (Err(error), Some(ask)) => {
                let _ = ask.reply.send(Err(error));
            }
            (_, None) => {}
        }
    }

    /// The open session. One that ended is opened again, but not at once each time.
    async fn session(&mut self) -> Result<Rc<Session>, CallError> {
        while self.keepers.try_join_next().is_some() {}
        if let Some(session) = self.session.take() {
            if session.is_alive() {
                self.session = Some(Rc::clone(&session));
                return Ok(session);
            }
            tracing::warn!("the MCP classifier has ended; it is started again when it is asked");
            self.rest(session.has_answered());
        }
        if self.not_before.is_some_and(|not_before| Instant::now() < not_before) {
            return Err(CallError::Pausing);
        }
        let until = Instant::now() + self.settings.start_limit;
        let opened = match self.link() {
            Ok(link) => {
                let opening = Session::open(link, self.settings.tool.as_deref(), until);
                timeout_at(until.into(), Box::pin(opening)).await.unwrap_or(Err(CallError::Late))
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok(session) => {
                let session = Rc::new(session);
                self.session = Some(Rc::clone(&session));
                Ok(session)
            }
            Err(error) => {
                tracing::warn!(%error, "the MCP classifier cannot be used");
                self.rest(false);
                Err(error)
            }
        }
    }

    fn link(&mut self) -> Result<Link, CallError> {
        match &self.settings.transport {
            Transport::Stdio(program) => Pipe::start(program, &mut self.keepers).map(Link::Pipe),
            Transport::Http(server) => Ok(Link::Channel(Channel::new(self.client.clone(), server.clone()))),
        }
    }

    /// No new session for a while: twice as long as last time, unless the last one was of use.
    fn rest(&mut self, was_useful: bool) {
        if was_useful {
            self.pause = self.settings.restart_pause;
        }
        self.not_before = Some(Instant::now() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
    }
}
