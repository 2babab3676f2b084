//! URLs of parts, which may hold a password.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

/// The URL of a part. Its scheme picks the part; a password in it is shown nowhere.
#[derive(Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(transparent)]
pub struct PartUrl(String);

impl PartUrl {
    /// What stands before the first colon; empty where there is none.
    pub fn scheme(&self) -> &str {
        self.0.split_once(':').map_or("", |(scheme, _)| scheme)
    }

    /// What stands after the first colon.
    pub fn rest(&self) -> &str {
        self.0.split_once(':').map_or(&self.0, |(_, rest)| rest)
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// For people who gave something wrong. What is no URL may be a password alone, so it is not repeated.
    pub(super) fn shown_in_errors(&self) -> String {
        if self.0.contains("://")
            || ["", "sqlite:", "file:"].contains(&self.0.split_inclusive(':').next().unwrap_or_default())
        {
            return format!("{self:?}");
        }
        format!("(not shown, {} characters)", self.0.chars().count())
    }

    /// With the password, for the client that connects.
    pub fn with_password(&self) -> &str {
        &self.0
    }
}

impl From<&str> for PartUrl {
    fn from(url: &str) -> Self {
        Self(url.to_owned())
    }
}

impl fmt::Display for PartUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&redacted(&self.0))
    }
}

impl fmt::Debug for PartUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", redacted(&self.0))
    }
}

/// Without the password, which is all that anything but the client may see.
impl Serialize for PartUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&redacted(&self.0))
    }
}

/// The text with the password of a URL in it replaced: that of `//user:password@host`, and the value of
/// every query parameter whose name says that it is one.
pub(super) fn redacted(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return redacted_without_slashes(text) };
    let (address, query) = rest.split_once('?').map_or((rest, None), |(a, q)| (a, Some(q)));
    // The last `@` of all, not of the authority: an unescaped `/` in a password must not give the rest away.
    let address = match address.rsplit_once('@') {
        Some((user, host)) => match user.split_once(':') {
            Some((user, _password)) => format!("{user}:***@{host}"),
            None => format!("{user}@{host}"),
        },
        None => address.to_owned(),
    };
    let query = query.map(|query| {
        let shown = query.split('&').map(|pair| match pair.split_once('=') {
            Some((name, _)) if name.contains("pass") || name.contains("secret") => format!("{name}=***"),
            _ => pair.to_owned(),
        });
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{address}{}", query.unwrap_or_default())
}

/// A file, or a mistyped URL such as `amqp:user:password@host`.
fn redacted_without_slashes(text: &str) -> String {
    let is_file = text.starts_with("file:") || text.starts_with("sqlite:");
    match (text.split_once(':'), text.rsplit_once('@')) {
        (Some((first, _)), Some((before, host))) if !is_file && before.contains(':') => {
            format!("{first}:***@{host}")
        }
        _ => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(url: &str, shown: &str) {
        let url = PartUrl::from(url);
        assert_eq!(url.to_string(), shown);
        assert_eq!(format!("{url:?}"), format!("{shown:?}"));
        assert_eq!(serde_json::to_value(&url).expect("a string"), shown);
    }

    #[test]
    fn a_password_is_shown_nowhere() {
        check("amqp://u:canary@host:5672/%2f", "amqp://u:***@host:5672/%2f");
        check("redis://:canary@host/0", "redis://:***@host/0");
        check("postgres://u:can/ary@x@host/db?sslmode=require", "postgres://u:***@host/db?sslmode=require");
        check("postgres://host/db?user=u&password=canary", "postgres://host/db?user=u&password=***");
        // Mistyped.
        check("amqp:u:canary@host", "amqp:***@host");
        check("u:can@ary@host:5432/db", "u:***@host:5432/db");
    }

    #[test]
    fn everything_else_is_shown_as_it_is() {
        for url in ["sqlite:queue.db", "", "amqp://user@host", "redis://host", "file:a:b@c", "none"] {
            check(url, url);
        }
    }

    #[test]
    fn the_scheme_stands_before_the_colon() {
        assert_eq!(PartUrl::from("amqps://host").scheme(), "amqps");
        assert_eq!(PartUrl::from("sqlite:a.db").rest(), "a.db");
        assert_eq!(PartUrl::from("a.db").scheme(), "");
    }
}
