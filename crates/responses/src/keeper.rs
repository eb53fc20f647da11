//! The thread that writes: takes what is to be kept from a queue, and writes what has gathered in one transaction.

use std::{
    collections::BTreeMap,
    sync::{Arc, PoisonError, RwLock},
    time::Duration,
};

use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};
use vsr_store::{Change, KeyValue};
use vsr_types::{Clock, Timestamp};

use crate::{
    Bounds, Conversation, Error, Items, MAX_DEPTH, Owner, Progress, Record,
    book::Book,
    ids,
    named::NamedItems,
    record::{read, write},
};

pub(crate) const SPACE: &str = "responses";

/// Jobs that one transaction takes at most.
const MAX_BATCH: usize = 64;
/// Values that one transaction removes at most because they have expired.
const MAX_EXPIRED: usize = 256;
/// How often expired values are looked for while nothing else happens.
const IDLE: Duration = Duration::from_secs(30);

/// A response that is to be kept.
#[derive(Debug, Clone)]
pub struct Kept {
    /// Whose it is.
    pub owner: Owner,
    /// Its id.
    pub id: String,
    /// The turn. With a conversation, what is before it is the conversation's newest turn when it is written.
    pub record: Record,
    /// The turns before it, which live on with it.
    pub chain: Vec<String>,
    /// Where it was to be read while it was made. If it was deleted there, it is not kept; only its conversation goes on.
    pub progress: Option<Progress>,
}

/// What happened to stored values, for whoever counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A response was kept.
    Kept,
    /// A response was larger than one may be.
    TooLarge,
    /// The store failed, or took no more.
    Failed,
    /// A value gave way to others.
    Evicted,
    /// A value's time was over.
    Expired,
}

/// What is to be done.
#[derive(Debug)]
pub(crate) enum Work {
    Keep(Box<Kept>),
    Delete { owner: Owner, id: String },
    MakeConversation { owner: Owner, conversation: Conversation, items: Items },
    AddItems { owner: Owner, id: String, items: Items },
    SetMetadata { owner: Owner, id: String, metadata: String },
    DeleteConversation { owner: Owner, id: String },
    Stop,
}

/// The id of what was written or removed; none if it was not there.
pub(crate) type Outcome = Result<Option<String>, Error>;

pub(crate) struct Job {
    pub(crate) work: Work,
    pub(crate) done: oneshot::Sender<Outcome>,
}

/// The writer's state.
pub(crate) struct Keeper {
    pub(crate) store: Arc<dyn KeyValue>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) bounds: Bounds,
    pub(crate) count: Box<dyn Fn(Event) + Send>,
    pub(crate) book: Book,
    pub(crate) named: Arc<RwLock<NamedItems>>,
}

/// Changes of one transaction, over what is stored.
struct Batch<'k> {
    keeper: &'k mut Keeper,
    now: Timestamp,
    changes: BTreeMap<String, Option<Vec<u8>>>,
    /// What becomes of the index of named items once all is written.
    named: Vec<(String, Option<Record>)>,
    /// What is being made of the responses until all is written: they can be read without a pause.
    made: Vec<Progress>,
}

// === impl Keeper

impl Keeper {
    /// Reads what is stored already.
    pub(crate) fn open(&mut self) -> Result<(), Error> {
        let mut found = Vec::new();
        let now = self.clock.now();
        let mut named = NamedItems::default();
        self.store.scan(SPACE, now, &mut |stored| {
            let expires = stored.expires.unwrap_or(Timestamp(u64::MAX));
            let is_response = stored.key.split('/').nth(1).is_some_and(ids::is_response_id);
            if is_response && let Ok(record) = read(stored.value) {
                named.put(stored.key, &record);
            }
            found.push((expires, stored.key.to_owned(), stored.value.len() as u64));
        })?;
        *self.named.write().unwrap_or_else(PoisonError::into_inner) = named;
        // What expires first was used first.
        found.sort_unstable();
        self.book = Book::default();
        for (expires, key, bytes) in found {
            self.book.put(&key, bytes, expires);
        }
        Ok(())
    }

    /// Works until it is told to stop or nobody is left.
    pub(crate) async fn run(mut self, mut jobs: mpsc::Receiver<Job>) {
        let mut waiting = Vec::with_capacity(MAX_BATCH);
        loop {
            let arrived = timeout(IDLE, jobs.recv_many(&mut waiting, MAX_BATCH)).await;
            let is_over = arrived == Ok(0) || waiting.iter().any(|job| matches!(job.work, Work::Stop));
            let told_to_stop = self.work(std::mem::take(&mut waiting));
            if is_over {
                // Whoever waits for the end may open the store again.
                drop(self);
                told_to_stop.into_iter().for_each(|done| drop(done.send(Ok(None))));
                return;
            }
        }
    }

    /// Does the jobs; what comes back is to be told of the end.
    fn work(&mut self, jobs: Vec<Job>) -> Vec<oneshot::Sender<Outcome>> {
        let mut told_to_stop = Vec::new();
        let now = self.clock.now();
        let mut batch =
            Batch { keeper: self, now, changes: BTreeMap::new(), named: Vec::new(), made: Vec::new() };
        batch.expire();
        let mut outcomes = Vec::with_capacity(jobs.len());
        for Job { work, done } in jobs {
            if matches!(work, Work::Stop) {
                told_to_stop.push(done);
                continue;
            }
            let keeps = matches!(work, Work::Keep(_));
            let outcome = batch.make(work);
            outcomes.push((outcome, keeps, done));
        }
        batch.make_room();
        let written = batch.write();
        for (outcome, keeps, done) in outcomes {
            let outcome = outcome.and_then(|outcome| written.clone().map(|()| outcome));
            let event = match &outcome {
                Ok(kept) => kept.is_some().then_some(Event::Kept),
                Err(Error::TooLarge { .. }) => Some(Event::TooLarge),
                Err(_) => Some(Event::Failed),
            };
            if let Some(event) = event.filter(|_| keeps) {
                (self.count)(event);
            }
            // Whoever asked may be gone.
            let _ = done.send(outcome);
        }
        told_to_stop
    }
}

// === impl Batch

impl Batch<'_> {
    fn expire(&mut self) {
        for key in self.keeper.book.expired(self.now, MAX_EXPIRED) {
            self.remove(key);
            (self.keeper.count)(Event::Expired);
        }
    }

    fn make(&mut self, work: Work) -> Outcome {
        match work {
            Work::Keep(kept) => self.keep(*kept),
            Work::Delete { owner, id } => self.delete(&owner, id),
            Work::MakeConversation { owner, conversation, items } => {
                self.make_conversation(&owner, conversation, items)
            }
            Work::AddItems { owner, id, items } => {
                let Some(mut conversation) = self.conversation(&owner, &id)? else { return Ok(None) };
                let node = self.append_items(&owner, &mut conversation, items)?;
                self.put(owner.key(&id), write(&conversation)?)?;
                Ok(Some(node))
            }
            Work::SetMetadata { owner, id, metadata } => {
                let Some(conversation) = self.conversation(&owner, &id)? else { return Ok(None) };
                self.put(owner.key(&id), write(&Conversation { metadata, ..conversation })?)?;
                Ok(Some(id))
            }
            Work::DeleteConversation { owner, id } => self.delete_conversation(&owner, id),
            Work::Stop => Ok(None),
        }
    }

    fn keep(&mut self, kept: Kept) -> Outcome {
        let Kept { owner, id, mut record, chain, progress } = kept;
        let is_deleted = progress.as_ref().is_some_and(Progress::is_deleted);
        self.made.extend(progress);
        if is_deleted {
            if record.conversation.is_none() {
                return Ok(None);
            }
            record = record.without_body()?;
        }
        let conversation = match &record.conversation {
            Some(name) => self.conversation(&owner, name)?,
            None => None,
        };
        // Nobody could ask for it.
        if record.body.is_none() && record.conversation.is_some() && conversation.is_none() {
            return Ok(None);
        }
        let mut moved = None;
        if let Some(mut conversation) = conversation {
            // Others may have been faster: the turn goes after theirs, and none is lost.
            if conversation.turns >= MAX_DEPTH {
                return Err(Error::TooDeep);
            }
            record.previous = conversation.head.replace(id.clone());
            record.depth = conversation.turns;
            conversation.turns += 1;
            moved = Some((owner.key(&conversation.id), write(&conversation)?));
        }
        let key = owner.key(&id);
        self.put(key.clone(), write(&record)?)?;
        self.named.push((key, Some(record)));
        if let Some((key, value)) = moved {
            self.put(key, value)?;
        }
        for earlier in chain.iter().rev() {
            self.use_again(&owner.key(earlier))?;
        }
        self.keeper.book.touch(&owner.key(&id));
        Ok(Some(id))
    }

    /// What is before a new turn lives on with it.
    fn use_again(&mut self, key: &str) -> Result<(), Error> {
        self.keeper.book.touch(key);
        let Some(expires) = self.keeper.book.expiry(key) else { return Ok(()) };
        let left = Duration::from_millis(expires.0.saturating_sub(self.now.0));
        if left < self.keeper.bounds.time_to_live / 2
            && let Some(value) = self.get(key)?
        {
            self.put(key.to_owned(), value)?;
        }
        Ok(())
    }

    fn delete(&mut self, owner: &Owner, id: String) -> Outcome {
        let key = owner.key(&id);
        let Some(stored) = self.get(&key)? else { return Ok(None) };
        let record: Record = read(&stored)?;
        if record.body.is_none() {
            return Ok(None);
        }
        let goes_on = match &record.conversation {
            Some(name) => self.conversation(owner, name)?.is_some(),
            None => false,
        };
        if goes_on {
            self.named.push((key.clone(), None));
            self.put(key, write(&record.without_body()?)?)?;
        } else {
            self.remove(key);
        }
        Ok(Some(id))
    }

    fn make_conversation(&mut self, owner: &Owner, mut conversation: Conversation, items: Items) -> Outcome {
        let id = conversation.id.clone();
        if !items.is_empty() {
            self.append_items(owner, &mut conversation, items)?;
        }
        self.put(owner.key(&id), write(&conversation)?)?;
        Ok(Some(id))
    }

    /// Adds a turn of items alone.
    fn append_items(
        &mut self,
        owner: &Owner,
        conversation: &mut Conversation,
        items: Items,
    ) -> Result<String, Error> {
        if conversation.turns >= MAX_DEPTH {
            return Err(Error::TooDeep);
        }
        let node = ids::node_id()?;
        let record = Record {
            previous: conversation.head.replace(node.clone()),
            conversation: Some(conversation.id.clone()),
            depth: conversation.turns,
            created_seconds: self.now.seconds(),
            input: items,
            ..Record::default()
        };
        conversation.turns += 1;
        self.put(owner.key(&node), write(&record)?)?;
        Ok(node)
    }

    /// Deletes a conversation, and the turns that nobody else can name.
    fn delete_conversation(&mut self, owner: &Owner, id: String) -> Outcome {
        let Some(conversation) = self.conversation(owner, &id)? else { return Ok(None) };
        let mut next = conversation.head;
        for _ in 0..=MAX_DEPTH {
            let Some(key) = next.as_deref().map(|turn| owner.key(turn)) else { break };
            let Some(stored) = self.get(&key)? else { break };
            let record: Record = read(&stored)?;
            if record.body.is_none() {
                self.remove(key);
            }
            next = record.previous;
        }
        self.remove(owner.key(&id));
        Ok(Some(id))
    }

    fn conversation(&self, owner: &Owner, id: &str) -> Result<Option<Conversation>, Error> {
        self.get(&owner.key(id))?.map(|stored| read(&stored)).transpose()
    }

    fn get(&self, key: &str) -> Result<Option<Vec<u8>>, Error> {
        match self.changes.get(key) {
            Some(changed) => Ok(changed.clone()),
            None => Ok(self.keeper.store.get(SPACE, key, self.now)?),
        }
    }

    fn put(&mut self, key: String, value: Vec<u8>) -> Result<(), Error> {
        let bounds = &self.keeper.bounds;
        let bytes = value.len() as u64;
        if bytes > bounds.max_entry_bytes {
            return Err(Error::TooLarge { bytes, max_bytes: bounds.max_entry_bytes });
        }
        let lives = u64::try_from(bounds.time_to_live.as_millis()).unwrap_or(u64::MAX);
        self.keeper.book.put(&key, bytes, Timestamp(self.now.0.saturating_add(lives)));
        self.changes.insert(key, Some(value));
        Ok(())
    }

    fn remove(&mut self, key: String) {
        self.keeper.book.remove(&key);
        self.named.push((key.clone(), None));
        self.changes.insert(key, None);
    }

    /// Lets old values give way to the new ones.
    fn make_room(&mut self) {
        loop {
            let is_new = |key: &str| matches!(self.changes.get(key), Some(Some(_)));
            let Some(victim) = self.keeper.book.surplus(&self.keeper.bounds, is_new) else { return };
            self.remove(victim);
            (self.keeper.count)(Event::Evicted);
        }
    }

    fn write(self) -> Result<(), Error> {
        let Self { keeper, now, changes, named, made: _until_written } = self;
        if changes.is_empty() {
            return Ok(());
        }
        let time_to_live = Some(keeper.bounds.time_to_live);
        let listed: Vec<Change<'_>> = changes
            .iter()
            .map(|(key, value)| match value {
                Some(value) => Change::Put { key, value, time_to_live },
                None => Change::Delete { key },
            })
            .collect();
        let Err(error) = keeper.store.write(SPACE, &listed, now) else {
            let mut index = keeper.named.write().unwrap_or_else(PoisonError::into_inner);
            for (key, record) in named {
                match record {
                    Some(record) => index.put(&key, &record),
                    None => index.remove(&key),
                }
            }
            return Ok(());
        };
        tracing::warn!(%error, "responses could not be stored; their clients are told that they are not");
        // Nothing of it was written: the book is made anew from what is there.
        if let Err(error) = keeper.open() {
            tracing::error!(%error, "the store of responses cannot be read");
        }
        Err(error.into())
    }
}
