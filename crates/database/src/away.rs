//! Whether a database that failed is away, or there and unwilling.

use sqlx::{Error, postgres::PgDatabaseError, sqlite::SqliteError};

/// Whether a failure is no fault of what was asked: the database is away, not set up yet, overloaded, full, or
/// somebody else has what is needed. Once that is over, asking again will do; any other failure may come again
/// for ever.
pub fn is_away(error: &Error) -> bool {
    match error {
        Error::Io(_)
        | Error::Tls(_)
        | Error::Protocol(_)
        | Error::Configuration(_)
        | Error::BeginFailed
        | Error::PoolTimedOut
        | Error::PoolClosed
        | Error::WorkerCrashed => true,
        Error::Database(error) => {
            if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                return postgres_is_away(error.code());
            }
            let code = error.try_downcast_ref::<SqliteError>().and_then(|_| error.code()?.parse().ok());
            code.is_some_and(sqlite_is_away)
        }
        _ => false,
    }
}

/// What a SQLSTATE says.
fn postgres_is_away(state: &str) -> bool {
    match state {
        // One statement took too long.
        "57014" => false,
        // A standby, which takes no writes; a lock that somebody else keeps; a transaction that the server ended
        // because this machine stood still; a right that is missing, which people give.
        "25006" | "55P03" | "25P03" | "42501" => true,
        // Connections, logins, databases, resources, shutdowns, disks.
        _ => ["08", "28", "3D", "53", "57", "58"].iter().any(|class| state.starts_with(class)),
    }
}

/// What an extended result code says, by its last byte: busy, locked, out of memory, read-only, a disk that
/// fails, is full, or has lost the file.
fn sqlite_is_away(code: u32) -> bool {
    matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 13 | 14)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_away_is_told_from_one_that_refuses_a_statement() {
        for state in [
            "08006", "28P01", "3D000", "53100", "53300", "57P01", "57P03", "58030", "25006", "55P03",
            "25P03", "42501",
        ] {
            assert!(postgres_is_away(state), "{state}");
        }
        for state in ["22021", "22003", "23505", "40P01", "42P01", "57014", "XX000", ""] {
            assert!(!postgres_is_away(state), "{state}");
        }
    }

    #[test]
    fn a_full_or_busy_file_is_away_and_a_violated_constraint_is_not() {
        for code in [5, 517, 10, 778, 13, 14] {
            assert!(sqlite_is_away(code), "{code}");
        }
        for code in [1, 11, 19, 2067] {
            assert!(!sqlite_is_away(code), "{code}");
        }
    }

    #[test]
    fn a_connection_that_is_lost_is_away_and_a_row_that_cannot_be_read_is_not() {
        let lost = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
        assert!(is_away(&Error::Io(lost)));
        assert!(is_away(&Error::PoolTimedOut));
        assert!(!is_away(&Error::RowNotFound));
        assert!(!is_away(&Error::Decode("no number".into())));
    }
}
