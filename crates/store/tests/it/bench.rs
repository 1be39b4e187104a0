//! A store of either kind that can be closed and opened again.

use std::path::Path;
use std::sync::Arc;

use dragoman_store::{ModelStore, Mutation, Reply, SqliteStore, Store, StoreError};
use dragoman_testkit::{ManualClock, SimDisk};
use tempfile::TempDir;

/// Where the store keeps itself.
enum Place {
    Sqlite(TempDir),
    Model(SimDisk),
}

/// A store, and what is needed to open it again.
pub(crate) struct Bench {
    place: Place,
    store: Option<Arc<dyn Store>>,
}

impl Bench {
    pub(crate) fn sqlite() -> Self {
        // In memory where the system has such a folder: nobody cuts the power here.
        let memory = Some(Path::new("/dev/shm")).filter(|folder| folder.is_dir());
        let folder = memory.map_or_else(tempfile::tempdir, tempfile::tempdir_in);
        Self::at(Place::Sqlite(folder.unwrap()))
    }

    pub(crate) fn model() -> Self {
        Self::at(Place::Model(SimDisk::new()))
    }

    fn at(place: Place) -> Self {
        let mut bench = Self { place, store: None };
        bench.reopen();
        bench
    }

    pub(crate) fn reopen(&mut self) {
        // The old one holds the lock.
        self.store = None;
        self.store = Some(match &self.place {
            Place::Sqlite(folder) => {
                Arc::new(SqliteStore::open(folder.path(), &ManualClock::default()).unwrap())
            }
            Place::Model(disk) => Arc::new(ModelStore::open(disk).unwrap()),
        });
    }

    /// Another store over a copy of what is on the disk now.
    pub(crate) fn as_if_killed(&self) -> Self {
        let Place::Sqlite(folder) = &self.place else { panic!("the model has a disk that crashes") };
        let copy = tempfile::tempdir_in(folder.path().parent().unwrap()).unwrap();
        for entry in std::fs::read_dir(folder.path()).unwrap() {
            let entry = entry.unwrap();
            // Made anew, and of no use to another process.
            if !entry.file_name().to_string_lossy().ends_with("-shm") {
                std::fs::copy(entry.path(), copy.path().join(entry.file_name())).unwrap();
            }
        }
        Self::at(Place::Sqlite(copy))
    }

    pub(crate) fn store(&self) -> &dyn Store {
        self.store.as_deref().unwrap()
    }

    pub(crate) async fn commit(&self, mutation: Mutation) -> Result<Reply, StoreError> {
        self.store().commit(mutation).await
    }

    /// Commits what must go well.
    pub(crate) async fn done(&self, mutation: Mutation) -> Reply {
        let what = format!("{mutation:?}");
        self.commit(mutation).await.unwrap_or_else(|error| panic!("{error}: {what}"))
    }

    /// Commits what must be refused; how.
    pub(crate) async fn refused(&self, mutation: Mutation) -> String {
        let what = format!("{mutation:?}");
        let error = self.commit(mutation).await.expect_err(&what);
        match error {
            StoreError::Exists { table, key } => format!("exists {table} {key}"),
            StoreError::Rows { table, key, found: 0 } => format!("missing {table} {key}"),
            StoreError::Fenced { lane } => format!("fenced {lane}"),
            other => panic!("{other}: {what}"),
        }
    }
}
