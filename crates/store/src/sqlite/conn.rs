//! Statements on a connection, and what their failures mean.

use rusqlite::{Connection, ErrorCode, Params, Row};

use crate::error::StoreError;
use crate::queries::Query;

/// Why a statement or a mutation failed.
pub(super) enum Fail {
    /// Only this mutation.
    Refused(StoreError),
    /// SQLite: maybe only this statement, maybe the disk.
    Sql(rusqlite::Error),
}

impl From<rusqlite::Error> for Fail {
    fn from(error: rusqlite::Error) -> Self {
        Self::Sql(error)
    }
}

impl From<StoreError> for Fail {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

pub(super) type Result<T> = std::result::Result<T, Fail>;

impl Fail {
    /// The outer error, if it is the disk's; else the failure is of one mutation only.
    pub(super) fn unless_of_the_disk(self) -> rusqlite::Result<Self> {
        match self {
            Self::Sql(error) if matches!(classify(&error, ""), StoreError::Disk { .. }) => Err(error),
            fail => Ok(fail),
        }
    }

    /// As callers see it.
    pub(super) fn into_error(self, path: &str) -> StoreError {
        match self {
            Self::Refused(error) => error,
            Self::Sql(error) => classify(&error, path),
        }
    }
}

/// What SQLite reports, without any value. Broken rules that nobody foresaw keep their rule's name.
pub(super) fn classify(error: &rusqlite::Error, path: &str) -> StoreError {
    match error {
        rusqlite::Error::SqliteFailure(cause, message) if cause.code == ErrorCode::ConstraintViolation => {
            let rule = message.clone().unwrap_or_else(|| cause.to_string());
            StoreError::Exists { table: "database", key: rule }
        }
        rusqlite::Error::InvalidColumnType(column, ..)
        | rusqlite::Error::FromSqlConversionFailure(column, ..)
        | rusqlite::Error::IntegralValueOutOfRange(column, _)
        | rusqlite::Error::Utf8Error(column, _) => StoreError::Damaged {
            table: "database",
            key: format!("column {column}"),
            what: "a value of an unexpected type",
        },
        rusqlite::Error::SqliteFailure(cause, _) => {
            StoreError::Disk { path: path.to_owned(), cause: cause.to_string() }
        }
        // Others may quote a statement, never a value.
        other => StoreError::Disk { path: path.to_owned(), cause: other.to_string() },
    }
}

/// Runs a statement; how many rows it changed.
pub(super) fn run(conn: &Connection, query: &Query, params: impl Params) -> Result<usize> {
    Ok(conn.prepare_cached(query.sqlite())?.execute(params)?)
}

/// The first row, if there is one. Only for statements that have at most one, or whose others don't matter.
pub(super) fn first<T>(
    conn: &Connection,
    query: &Query,
    params: impl Params,
    read: impl FnOnce(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    let mut statement = conn.prepare_cached(query.sqlite())?;
    let mut rows = statement.query(params)?;
    rows.next()?.map(read).transpose()
}

/// As [`first`] for statements that write: runs them to their end.
pub(super) fn returning<T>(
    conn: &Connection,
    query: &Query,
    params: impl Params,
    read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Option<T>> {
    Ok(all(conn, query, params, read)?.into_iter().next())
}

/// All rows.
pub(super) fn all<T>(
    conn: &Connection,
    query: &Query,
    params: impl Params,
    mut read: impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = conn.prepare_cached(query.sqlite())?;
    let mut rows = statement.query(params)?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(read(row)?);
    }
    Ok(found)
}

/// Whether there is a row.
pub(super) fn exists(conn: &Connection, query: &Query, params: impl Params) -> Result<bool> {
    Ok(first(conn, query, params, |_| Ok(()))?.is_some())
}
