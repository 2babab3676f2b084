//! Lists from outside that may not be longer than said: a few bytes can announce and fill a list that
//! takes many times their size in memory.

use std::{fmt, marker::PhantomData};

use serde::{
    Deserialize, Deserializer,
    de::{self, SeqAccess, Visitor},
};

/// Reads a list of at most `MOST` elements; for `#[serde(deserialize_with = "…")]`.
pub(crate) fn at_most<'de, const MOST: usize, T, D>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    T: Deserialize<'de>,
    D: Deserializer<'de>,
{
    deserializer.deserialize_seq(AtMost::<MOST, T>(PhantomData))
}

struct AtMost<const MOST: usize, T>(PhantomData<T>);

impl<'de, const MOST: usize, T: Deserialize<'de>> Visitor<'de> for AtMost<MOST, T> {
    type Value = Vec<T>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a list of at most {MOST} elements")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
        // What the list announces is not believed before it is read.
        let announced = seq.size_hint().unwrap_or(0);
        let mut list = Vec::with_capacity(announced.min(MOST).min(1024));
        while let Some(element) = seq.next_element()? {
            if list.len() == MOST {
                return Err(de::Error::invalid_length(announced.max(MOST + 1), &self));
            }
            list.push(element);
        }
        Ok(list)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Three(#[serde(deserialize_with = "at_most::<3, _, _>")] Vec<u8>);

    #[test]
    fn a_list_that_is_too_long_is_refused() {
        assert_eq!(serde_json::from_str::<Three>("[1, 2, 3]").expect("is short"), Three(vec![1, 2, 3]));
        let problem = serde_json::from_str::<Three>("[1, 2, 3, 4]").expect_err("is too long").to_string();
        assert!(problem.starts_with("invalid length 4, expected a list of at most 3 elements"), "{problem}");
    }
}
