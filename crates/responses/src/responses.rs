//! The service: reads that block, and writes that are awaited.

use std::{
    io,
    sync::{Arc, PoisonError, RwLock},
    thread,
};

use tokio::sync::{mpsc, oneshot};
use vsr_store::KeyValue;
use vsr_types::Clock;

use crate::{
    Bounds, Conversation, Error, Event, History, HistoryError, HistoryLimits, Items, Kept, Owner, Page,
    PageQuery, Progress, Record, Referenced,
    book::Book,
    conversation_id, history, is_conversation_id,
    items::{Listed, Pager},
    keeper::{Job, Keeper, Outcome, SPACE, Work},
    named::NamedItems,
    progress::InProgress,
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
    in_progress: Arc<InProgress>,
    named: Arc<RwLock<NamedItems>>,
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
        let named = Arc::<RwLock<NamedItems>>::default();
        let mut keeper = Keeper {
            named: Arc::clone(&named),
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
        Ok(Self { store, clock, bounds, jobs, in_progress: Arc::default(), named })
    }

    /// How much is kept.
    pub fn bounds(&self) -> &Bounds {
        &self.bounds
    }

    /// The time now, in seconds since the epoch.
    pub fn now_seconds(&self) -> u64 {
        self.clock.now().seconds()
    }

    /// A response is being made: until what comes back and its clones are gone it can be read as `body`.
    pub fn begin(&self, owner: &Owner, id: &str, input: Arc<Items>, body: String) -> Progress {
        self.in_progress.begin(owner, id, input, body)
    }

    /// The response `id` of `owner`, if it is there and has not expired, or is being made. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn find(&self, owner: &Owner, id: &str) -> Result<Option<Record>, Error> {
        if !crate::is_response_id(id) {
            return Ok(None);
        }
        if let Some(record) = self.stored(owner, id)? {
            return Ok(Some(record));
        }
        match self.in_progress.find(owner, id) {
            Some(begun) => Ok(Some(begun)),
            // Between the two looks it may have been kept.
            None => self.stored(owner, id),
        }
    }

    fn stored(&self, owner: &Owner, id: &str) -> Result<Option<Record>, Error> {
        let found = history::find(&*self.store, owner, id, self.clock.now())?;
        Ok(found.filter(|record| record.body.is_some()))
    }

    /// What the item that `owner` calls `name` stands for: one that the router named, or one of a stored response that
    /// has a name of its own. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn item(&self, owner: &Owner, name: &str) -> Result<Option<Referenced>, Error> {
        let by_name = || self.named.read().unwrap_or_else(PoisonError::into_inner).place(owner, name);
        let Some(id) = crate::referenced_response(name).or_else(by_name) else { return Ok(None) };
        let Some(turn) = self.find(owner, &id)? else { return Ok(None) };
        let stem = id.trim_start_matches("resp_");
        let is_named = |index: usize, text: &str| crate::listed(text, stem, index).0 == name;
        if let Some((_, said)) = turn.input.iter().enumerate().find(|(index, text)| is_named(*index, text)) {
            return Ok(Some(Referenced::Item(crate::items::without_id(said))));
        }
        let begin = turn.input.len();
        let output = turn.output()?;
        let found = output.iter().enumerate().find(|(index, text)| is_named(begin + index, text));
        Ok(found.map(|(_, said)| match &turn.upstream {
            None => Referenced::Item(crate::items::without_id(said)),
            Some(upstream) => history::said_again(said, upstream).map_or_else(
                || Referenced::Kept { backend: upstream.backend.clone(), model: upstream.model.clone() },
                Referenced::Item,
            ),
        }))
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
        if !crate::is_response_id(id) || self.stored(owner, id)?.is_none() {
            let is_begun = self.in_progress.find(owner, id).is_some();
            return Err(if is_begun { HistoryError::InProgress } else { HistoryError::NotFound });
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

    /// A page of the items of a conversation; none if the item that it is to begin after is not there. Blocks, and holds
    /// one turn at a time.
    ///
    /// # Errors
    /// If the store fails.
    pub fn conversation_page(
        &self,
        owner: &Owner,
        conversation: &Conversation,
        query: &PageQuery,
    ) -> Result<Option<Page>, Error> {
        let mut pager = Pager::new(query);
        if query.newest_first {
            self.walk(owner, conversation, &mut |_, items| {
                items.into_iter().rev().all(|item| pager.take(item))
            })?;
            return Ok(pager.page());
        }
        let mut turns = Vec::new();
        self.walk(owner, conversation, &mut |turn, _| {
            turns.push(turn.to_owned());
            true
        })?;
        for turn in turns.iter().rev() {
            let Some(record) = history::find(&*self.store, owner, turn, self.clock.now())? else { break };
            if !listed_in(turn, &record)?.into_iter().all(|item| pager.take(item)) {
                break;
            }
        }
        Ok(pager.page())
    }

    /// The item `name` of a conversation, as lists show it. Blocks.
    ///
    /// # Errors
    /// If the store fails.
    pub fn conversation_item(
        &self,
        owner: &Owner,
        conversation: &Conversation,
        name: &str,
    ) -> Result<Option<String>, Error> {
        let mut found = None;
        self.walk(owner, conversation, &mut |_, items| {
            found = items.into_iter().find(|(id, _)| id == name).map(|(_, item)| item);
            found.is_none()
        })?;
        Ok(found)
    }

    /// Shows the turns of a conversation with their listed items, the newest first, until `visit` has seen enough.
    fn walk(
        &self,
        owner: &Owner,
        conversation: &Conversation,
        visit: &mut dyn FnMut(&str, Vec<Listed>) -> bool,
    ) -> Result<(), Error> {
        let mut next = conversation.head.clone();
        for _ in 0..conversation.turns {
            let Some(id) = next else { break };
            let Some(turn) = history::find(&*self.store, owner, &id, self.clock.now())? else { break };
            if !visit(&id, listed_in(&id, &turn)?) {
                break;
            }
            next = turn.previous;
        }
        Ok(())
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

    /// Deletes a response; whether it was there. One that is being made is not kept when it ends.
    ///
    /// # Errors
    /// If the store fails.
    pub async fn delete(&self, owner: Owner, id: String) -> Result<bool, Error> {
        if !crate::is_response_id(&id) {
            return Ok(false);
        }
        // In this order: a response that is written meanwhile is either not kept, or deleted after it was.
        let was_begun = self.in_progress.delete(&owner, &id);
        Ok(self.ask(Work::Delete { owner, id }).await?.is_some() || was_begun)
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

/// The items of a turn as lists show them.
fn listed_in(id: &str, turn: &Record) -> Result<Vec<Listed>, Error> {
    let stem = id.split_once('_').map_or(id, |(_, stem)| stem);
    let output = turn.output()?;
    let both = turn.input.iter().chain(&output).enumerate();
    Ok(both.map(|(index, item)| crate::listed(item, stem, index)).collect())
}
