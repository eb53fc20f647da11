//! The service: reads that block, and writes that are awaited.

use std::{io, sync::Arc, thread};

use tokio::sync::{mpsc, oneshot};
use vsr_store::KeyValue;
use vsr_types::Clock;

use crate::{
    Bounds, Conversation, Error, Event, History, HistoryError, HistoryLimits, Items, Kept, Owner, Record,
    book::Book,
    conversation_id, history, is_conversation_id,
    keeper::{Job, Keeper, Outcome, SPACE, Work},
    record,
};

/// Writes that may wait for the thread.
const MAX_WAITING: usize = 256;

/// Stored responses and conversations.
///
/// Reads block; callers keep them off threads that serve requests. A write that was answered is on disk, where the store
/// has a disk.
pub struct Responses {
    store: Arc<dyn KeyValue>,
    clock: Arc<dyn Clock>,
    bounds: Bounds,
    jobs: mpsc::Sender<Job>,
}

// === impl Responses

impl Responses {
    /// Opens what `store` holds and starts the thread that writes. `count` is told what happens.
    ///
    /// # Errors
    /// If the store cannot be read, or the thread not started.
    pub fn start(
        store: Arc<dyn KeyValue>,
        clock: Arc<dyn Clock>,
        bounds: Bounds,
        count: Box<dyn Fn(Event) + Send>,
    ) -> io::Result<Self> {
        let (jobs, waiting) = mpsc::channel(MAX_WAITING);
        let mut keeper = Keeper {
            store: Arc::clone(&store),
            clock: Arc::clone(&clock),
            bounds,
            count,
            book: Book::default(),
        };
        keeper.open().map_err(io::Error::other)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        thread::Builder::new()
            .name("responses".into())
            .spawn(move || runtime.block_on(keeper.run(waiting)))?;
        Ok(Self { store, clock, bounds, jobs })
    }

    /// How much is kept.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The time now, in seconds since the epoch.
    pub fn now_seconds(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// The response `id` of `owner`, if it is there and has not expired. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn find(&self, owner: &Owner, id: &str) -> Result<Option<Record>, Error> {
        if !crate::is_response_id(id) {
            return Ok(None);
        }
        let found = history::find(&*self.store, owner, id, self.clock.now())?;
        Ok(found.filter(|record| record.body.is_some()))
    }

    /// The item `item` of the response `id`, as it can be said again. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn item(&self, owner: &Owner, id: &str, item: &str) -> Result<Option<String>, Error> {
        let Some(turn) = self.find(owner, id)? else { return Ok(None) };
        let stem = id.trim_start_matches("resp_");
        let both = turn.input.iter().cloned().chain(turn.output()?).enumerate();
        let mut named = both.filter(|(index, text)| crate::listed(text, stem, *index).0 == item);
        Ok(named.next().map(|(_, text)| crate::items::without_id(&text)))
    }

    /// The conversation `id` of `owner`. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn conversation(&self, owner: &Owner, id: &str) -> Result<Option<Conversation>, Error> {
        if !is_conversation_id(id) {
            return Ok(None);
        }
        let stored = self.store.get(SPACE, &owner.key(id), self.clock.now())?;
        stored.map(|stored| record::read(&stored)).transpose()
    }

    /// The turns up to the response `id`. Blocks.
    ///
    /// # Errors
    /// If the chain cannot be followed.
    pub fn history(&self, owner: &Owner, id: &str, limits: &HistoryLimits) -> Result<History, HistoryError> {
        if self.find(owner, id)?.is_none() {
            return Err(HistoryError::NotFound);
        }
        History::load(&*self.store, owner, id, limits, self.clock.now())
    }

    /// The turns of a conversation. Blocks.
    ///
    /// # Errors
    /// If the chain cannot be followed.
    pub fn history_of(
        &self,
        owner: &Owner,
        conversation: &Conversation,
        limits: &HistoryLimits,
    ) -> Result<History, HistoryError> {
        match &conversation.head {
            Some(head) => History::load(&*self.store, owner, head, limits, self.clock.now()),
            None => Ok(History::default()),
        }
    }

    /// The items of a conversation with their ids, in order. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn conversation_items(
        &self,
        owner: &Owner,
        conversation: &Conversation,
    ) -> Result<Vec<(String, String)>, Error> {
        let mut turns = Vec::new();
        let mut next = conversation.head.clone();
        for _ in 0..conversation.turns {
            let Some(id) = next else { break };
            let Some(turn) = history::find(&*self.store, owner, &id, self.clock.now())? else { break };
            let stem = id.split_once('_').map_or(id.as_str(), |(_, stem)| stem);
            let both = turn.input.iter().cloned().chain(turn.output()?).enumerate();
            turns.push(both.map(|(index, item)| crate::listed(&item, stem, index)).collect::<Vec<_>>());
            next = turn.previous;
        }
        Ok(turns.into_iter().rev().flatten().collect())
    }

    /// Keeps a response; when this returns, it is kept.
    ///
    /// # Errors
    /// If it is too large or the store fails.
    pub async fn keep(&self, kept: Kept) -> Result<(), Error> {
        self.ask(Work::Keep(Box::new(kept))).await.map(drop)
    }

    /// Keeps a response without anybody waiting for it. Where too many wait already, it is lost.
    pub fn keep_later(&self, kept: Kept) {
        let id = kept.id.clone();
        let (done, _) = oneshot::channel();
        if self.jobs.try_send(Job { work: Work::Keep(Box::new(kept)), done }).is_err() {
            tracing::warn!(id, "a response that broke off was not stored: too many wait to be");
        }
    }

    /// Deletes a response; whether it was there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete(&self, owner: Owner, id: String) -> Result<bool, Error> {
        if !crate::is_response_id(&id) {
            return Ok(false);
        }
        Ok(self.ask(Work::Delete { owner, id }).await?.is_some())
    }

    /// Makes a conversation that begins with `items`. `metadata` is a JSON object.
    ///
    /// # Errors
    /// If it is too large or the store fails.
    pub async fn make_conversation(
        &self,
        owner: Owner,
        metadata: String,
        items: Items,
    ) -> Result<Conversation, Error> {
        let conversation = Conversation {
            id: conversation_id()?,
            created_seconds: self.now_seconds(),
            metadata,
            ..Conversation::default()
        };
        let made = conversation.clone();
        self.ask(Work::MakeConversation { owner, conversation, items }).await?;
        Ok(made)
    }

    /// Adds items to a conversation; the stem of their ids, or none if there is no such conversation.
    ///
    /// # Errors
    /// If they are too large or the store fails.
    pub async fn add_items(&self, owner: Owner, id: String, items: Items) -> Result<Option<String>, Error> {
        if !is_conversation_id(&id) {
            return Ok(None);
        }
        let node = self.ask(Work::AddItems { owner, id, items }).await?;
        Ok(node.map(|node| node.trim_start_matches(crate::ids::NODE).to_owned()))
    }

    /// Replaces a conversation's metadata; whether it is there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn set_metadata(&self, owner: Owner, id: String, metadata: String) -> Result<bool, Error> {
        if !is_conversation_id(&id) {
            return Ok(false);
        }
        Ok(self.ask(Work::SetMetadata { owner, id, metadata }).await?.is_some())
    }

    /// Deletes a conversation, but not the responses in it; whether it was there.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete_conversation(&self, owner: Owner, id: String) -> Result<bool, Error> {
        if !is_conversation_id(&id) {
            return Ok(false);
        }
        Ok(self.ask(Work::DeleteConversation { owner, id }).await?.is_some())
    }

    /// Waits until all that was asked for is written. Nothing is kept afterwards.
    pub async fn close(&self) {
        let _closed = self.ask(Work::Stop).await;
    }

    async fn ask(&self, work: Work) -> Outcome {
        let (done, outcome) = oneshot::channel();
        self.jobs.send(Job { work, done }).await.map_err(|_| Error::Closed)?;
        outcome.await.map_err(|_| Error::Closed)?
    }
}
