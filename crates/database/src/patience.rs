//! An end to waiting for a PostgreSQL that has vanished: neither reset nor answer, so that TCP alone would
//! wait for a quarter of an hour, or for ever.
//!
//! The limit is on silence, not on how long something takes: rows of a large frame may stream for minutes.

use std::{
    io,
    ops::{Deref, DerefMut},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use futures::{FutureExt as _, Stream, StreamExt as _, future::BoxFuture, stream::BoxStream};
use sqlx::{
    Describe, Either, Execute, Executor, PgConnection, Postgres, SqlStr, Transaction,
    postgres::{PgQueryResult, PgRow, PgStatement, PgTypeInfo},
};
use tokio::time::{Sleep, sleep, timeout};

/// How long the server may say nothing: longer than it lets anyone wait for a lock, and than any statement
/// of ours takes to its first row.
pub(crate) const SILENCE: Duration = Duration::from_secs(90);

/// A transaction. Dropped without a commit it changes nothing.
#[derive(Debug)]
pub struct PostgresTransaction {
    connection: PatientConnection,
}

/// A connection in a transaction, for statements that end with an error once the server has said nothing for
/// too long.
#[derive(Debug)]
pub struct PatientConnection {
    transaction: Transaction<'static, Postgres>,
}

impl PostgresTransaction {
    pub(crate) fn new(transaction: Transaction<'static, Postgres>) -> Self {
        Self { connection: PatientConnection { transaction } }
    }

    /// Makes what was done last.
    ///
    /// # Errors
    /// If it was not done, or if nobody knows whether it was: the server did not say so.
    pub async fn commit(self) -> sqlx::Result<()> {
        unless_silent(self.connection.transaction.commit()).await
    }
}

impl Deref for PostgresTransaction {
    type Target = PatientConnection;

    fn deref(&self) -> &PatientConnection {
        &self.connection
    }
}

impl DerefMut for PostgresTransaction {
    fn deref_mut(&mut self) -> &mut PatientConnection {
        &mut self.connection
    }
}

impl PatientConnection {
    /// Copies data in with a `COPY … FROM STDIN`: the server works on one piece while the next one is made.
    pub async fn copy_in(
        &mut self,
        statement: &str,
        pieces: impl IntoIterator<Item = Vec<u8>>,
    ) -> sqlx::Result<()> {
        let connection: &mut PgConnection = &mut self.transaction;
        let mut copy = unless_silent(connection.copy_in_raw(statement)).await?;
        for piece in pieces {
            unless_silent(copy.send(piece).map(|sent| sent.map(drop))).await?;
        }
        unless_silent(copy.finish()).await.map(drop)
    }
}

impl<'c> Executor<'c> for &'c mut PatientConnection {
    type Database = Postgres;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, sqlx::Result<Either<PgQueryResult, PgRow>>>
    where
        'c: 'e,
        'q: 'e,
        E: Execute<'q, Postgres> + 'q,
    {
        let rows = (*self.transaction).fetch_many(query);
        UnlessSilent { rows, patience: None }.boxed()
    }

    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, sqlx::Result<Option<PgRow>>>
    where
        'c: 'e,
        'q: 'e,
        E: Execute<'q, Postgres> + 'q,
    {
        unless_silent((*self.transaction).fetch_optional(query)).boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [PgTypeInfo],
    ) -> BoxFuture<'e, sqlx::Result<PgStatement>>
    where
        'c: 'e,
    {
        unless_silent((*self.transaction).prepare_with(sql, parameters)).boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, sqlx::Result<Describe<Postgres>>>
    where
        'c: 'e,
    {
        unless_silent((*self.transaction).describe(sql)).boxed()
    }
}

/// What is asked of the server in one piece.
pub(crate) async fn unless_silent<T>(asked: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
    // On the heap: what makes a connection is large.
    timeout(SILENCE, Box::pin(asked)).await.unwrap_or_else(|_elapsed| Err(silent()))
}

/// Rows, as long as they keep coming.
struct UnlessSilent<S> {
    rows: S,
    /// Runs while we wait.
    patience: Option<Pin<Box<Sleep>>>,
}

impl<T, S: Stream<Item = sqlx::Result<T>> + Unpin> Stream for UnlessSilent<S> {
    type Item = sqlx::Result<T>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        if let Poll::Ready(row) = self.rows.poll_next_unpin(context) {
            self.patience = None;
            return Poll::Ready(row);
        }
        let patience = self.patience.get_or_insert_with(|| Box::pin(sleep(SILENCE)));
        patience.as_mut().poll(context).map(|()| Some(Err(silent())))
    }
}

fn silent() -> sqlx::Error {
    let says = format!("PostgreSQL has said nothing for {} s", SILENCE.as_secs());
    sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, says))
}

#[cfg(test)]
mod tests {
    use futures::{TryStreamExt as _, stream};

    use super::*;

    /// What comes of rows that take so many seconds each.
    async fn read(seconds: &[u64]) -> sqlx::Result<Vec<u64>> {
        let rows = stream::iter(seconds.to_vec()).then(|seconds| async move {
            sleep(Duration::from_secs(seconds)).await;
            Ok(seconds)
        });
        UnlessSilent { rows: rows.boxed(), patience: None }.try_collect().await
    }

    #[tokio::test(start_paused = true)]
    async fn the_limit_is_on_silence_and_not_on_how_long_all_rows_take() {
        assert_eq!(read(&[80, 0, 80, 80, 80]).await.expect("keep coming"), [80, 0, 80, 80, 80]);
        let error = read(&[80, 0, 91, 80]).await.expect_err("is silent in between").to_string();
        assert!(error.ends_with("PostgreSQL has said nothing for 90 s"), "{error}");
    }
}
