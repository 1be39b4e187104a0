//! Why the store failed.

/// A failure of the store. Names table and key, never a value.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The disk is full, failing or gone. Nothing of the request is durable.
    #[error(
        "the database in {path} cannot be written ({cause}); free space or check the disk, nothing accepted is lost"
    )]
    Disk {
        /// The file.
        path: String,
        /// What the operating system or SQLite said.
        cause: String,
    },
    /// The database was written by a newer version.
    #[error(
        "the database has schema {found}, this version knows {known}; run the newer version, or restore a backup made before the upgrade"
    )]
    NewerSchema {
        /// In the file.
        found: i64,
        /// In this binary.
        known: i64,
    },
    /// Another process holds the data folder.
    #[error("the data folder {path} is in use by another process; stop it, or act on it through its socket")]
    Locked {
        /// The folder.
        path: String,
    },
    /// A row that must be there is not, or is there twice.
    #[error("{table}: expected one row for {key}, found {found}")]
    Rows {
        /// Table.
        table: &'static str,
        /// Key.
        key: String,
        /// How many there were.
        found: usize,
    },
    /// A unique constraint: such a thing exists already.
    #[error("{table}: there is already one for {key}")]
    Exists {
        /// Table.
        table: &'static str,
        /// Key.
        key: String,
    },
    /// The lane is owned by somebody else by now; what was done must not be recorded by this owner.
    #[error("lane {lane} was taken over by another worker")]
    Fenced {
        /// Lane.
        lane: String,
    },
    /// A row holds something this version cannot read.
    #[error("{table}: the row for {key} is damaged ({what})")]
    Damaged {
        /// Table.
        table: &'static str,
        /// Key.
        key: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The store is shutting down.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// There is no such row, or it belongs to another organisation.
    pub(crate) fn missing(table: &'static str, key: impl ToString) -> Self {
        Self::Rows { table, key: key.to_string(), found: 0 }
    }

    /// There is one already.
    pub(crate) fn exists(table: &'static str, key: impl ToString) -> Self {
        Self::Exists { table, key: key.to_string() }
    }
}
