//! The embedded store: one file in the state directory.

use std::{
    fs::{DirBuilder, OpenOptions},
    io,
    path::Path,
    time::Duration,
};

use redb::{Database, DatabaseError, ReadableDatabase, ReadableTable, TableDefinition, TableError};
use vsr_types::Timestamp;

use crate::{Change, Error, KeyValue, Stored, entry};

const ENTRIES: TableDefinition<'_, (&str, &str), &[u8]> = TableDefinition::new("entries");
const FILE: &str = "state.redb";
const CACHE_BYTES: usize = 1024 * 1024;

/// Values in one file, kept across restarts.
#[derive(Debug)]
pub struct EmbeddedStore {
    database: Database,
}

// === impl EmbeddedStore

impl EmbeddedStore {
    /// Opens the store in `directory`, making both if they are not there, for this user alone.
    ///
    /// # Errors
    /// If the directory cannot be made, or the file is in use, damaged or not writable.
    pub fn open(directory: &Path) -> Result<Self, Error> {
        let path = directory.join(FILE);
        let failed = |reason: String| Error::Open { path: path.display().to_string(), reason };
        make_private(directory, &path).map_err(|error| failed(error.to_string()))?;
        match Database::builder().set_cache_size(CACHE_BYTES).create(&path) {
            Ok(database) => Ok(Self { database }),
            Err(DatabaseError::DatabaseAlreadyOpen) => Err(Error::InUse { path: path.display().to_string() }),
            Err(error) => Err(failed(error.to_string())),
        }
    }

    fn change<T>(
        &self,
        change: impl FnOnce(&mut redb::Table<'_, (&'static str, &'static str), &'static [u8]>) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let transaction = self.database.begin_write().map_err(storage)?;
        let result = change(&mut transaction.open_table(ENTRIES).map_err(storage)?)?;
        transaction.commit().map_err(storage)?;
        Ok(result)
    }
}

impl KeyValue for EmbeddedStore {
    fn get(&self, space: &str, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, Error> {
        let transaction = self.database.begin_read().map_err(storage)?;
        let table = match transaction.open_table(ENTRIES) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(None),
            Err(error) => return Err(storage(error)),
        };
        let stored = table.get((space, key)).map_err(storage)?;
        Ok(stored.and_then(|stored| entry::decode(stored.value(), now)))
    }

    fn put(
        &self,
        space: &str,
        key: &str,
        value: &[u8],
        time_to_live: Option<Duration>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let stored = entry::encode(value, time_to_live, now);
        self.change(|table| {
            table.insert((space, key), stored.as_slice()).map_err(storage)?;
            Ok(())
        })
    }

    fn delete(&self, space: &str, key: &str) -> Result<bool, Error> {
        self.change(|table| Ok(table.remove((space, key)).map_err(storage)?.is_some()))
    }

    fn write(&self, space: &str, changes: &[Change<'_>], now: Timestamp) -> Result<(), Error> {
        self.change(|table| {
            for change in changes {
                match change {
                    Change::Put { key, value, time_to_live } => {
                        let stored = entry::encode(value, *time_to_live, now);
                        table.insert((space, *key), stored.as_slice()).map_err(storage)?;
                    }
                    Change::Delete { key } => {
                        table.remove((space, *key)).map_err(storage)?;
                    }
                }
            }
            Ok(())
        })
    }

    fn scan(&self, space: &str, now: Timestamp, show: &mut dyn FnMut(Stored<'_>)) -> Result<(), Error> {
        let transaction = self.database.begin_read().map_err(storage)?;
        let table = match transaction.open_table(ENTRIES) {
            Ok(table) => table,
            Err(TableError::TableDoesNotExist(_)) => return Ok(()),
            Err(error) => return Err(storage(error)),
        };
        for stored in table.range((space, "")..).map_err(storage)? {
            let (key, value) = stored.map_err(storage)?;
            let (other, key) = key.value();
            if other != space {
                break;
            }
            if let Some((value, expires)) = entry::open(value.value(), now) {
                show(Stored { key, value, expires });
            }
        }
        Ok(())
    }

    fn sweep(&self, now: Timestamp) -> Result<usize, Error> {
        self.change(|table| {
            let mut expired = Vec::new();
            for stored in table.iter().map_err(storage)? {
                let (key, value) = stored.map_err(storage)?;
                if entry::is_expired(value.value(), now) {
                    let (space, key) = key.value();
                    expired.push((space.to_owned(), key.to_owned()));
                }
            }
            for (space, key) in &expired {
                table.remove((space.as_str(), key.as_str())).map_err(storage)?;
            }
            Ok(expired.len())
        })
    }
}

/// Makes the directory and the file where they are missing. What they hold is not for other users of the machine.
fn make_private(directory: &Path, file: &Path) -> io::Result<()> {
    let mut folder = DirBuilder::new();
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
        folder.mode(0o700);
        options.mode(0o600);
    }
    folder.recursive(true).create(directory)?;
    options.write(true).create(true).truncate(false).open(file)?;
    Ok(())
}

fn storage(error: impl std::fmt::Display) -> Error {
    Error::Storage(error.to_string())
}
