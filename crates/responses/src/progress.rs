//! Responses that are being made: what can be told of them before they are kept.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use crate::{Items, Owner, Record};

/// All of them. Keys are `owner/id`.
#[derive(Debug, Default)]
pub(crate) struct InProgress(Mutex<HashMap<String, Weak<Begun>>>);

/// A response that is being made. It can be read until the last of these is gone.
#[derive(Debug, Clone)]
pub struct Progress(Arc<Begun>);

#[derive(Debug)]
struct Begun {
    all: Arc<InProgress>,
    key: String,
    input: Arc<Items>,
    body: String,
    is_deleted: AtomicBool,
}

// === impl InProgress

impl InProgress {
    pub(crate) fn begin(
        self: &Arc<Self>,
        owner: &Owner,
        id: &str,
        input: Arc<Items>,
        body: String,
    ) -> Progress {
        let key = owner.key(id);
        let is_deleted = AtomicBool::new(false);
        let begun = Arc::new(Begun { all: Arc::clone(self), key: key.clone(), input, body, is_deleted });
        self.entries().insert(key, Arc::downgrade(&begun));
        Progress(begun)
    }

    /// What can be told of a response; none if it is not being made, or was deleted.
    pub(crate) fn find(&self, owner: &Owner, id: &str) -> Option<Record> {
        let begun = self.get(owner, id)?;
        let is_deleted = begun.is_deleted.load(Ordering::SeqCst);
        (!is_deleted).then(|| Record {
            input: begun.input.as_ref().clone(),
            body: Some(begun.body.clone()),
            ..Record::default()
        })
    }

    /// Sees to it that a response is not kept; whether it was there.
    pub(crate) fn delete(&self, owner: &Owner, id: &str) -> bool {
        self.get(owner, id).is_some_and(|begun| !begun.is_deleted.swap(true, Ordering::SeqCst))
    }

    fn get(&self, owner: &Owner, id: &str) -> Option<Arc<Begun>> {
        self.entries().get(&owner.key(id))?.upgrade()
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<String, Weak<Begun>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Progress

impl Progress {
    /// Whether it was deleted while it was made.
    pub fn is_deleted(&self) -> bool {
        self.0.is_deleted.load(Ordering::SeqCst)
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.all.entries().remove(&self.key);
    }
}
