//! Topic patterns as `RabbitMQ` matches them.

/// The patterns of one listener.
#[derive(Debug, Clone)]
pub(crate) struct Topics(Vec<String>);

impl Topics {
    pub(crate) fn new(patterns: &[&str]) -> Self {
        Self(patterns.iter().map(|&pattern| pattern.to_owned()).collect())
    }

    /// Whether one of the patterns matches the routing key.
    pub(crate) fn match_key(&self, key: &str) -> bool {
        let words: Vec<&str> = key.split('.').collect();
        self.0.iter().any(|pattern| words_match(&pattern.split('.').collect::<Vec<_>>(), &words))
    }
}

/// `*` stands for one word, `#` for any number of them. Patterns come from our own code and are short.
fn words_match(pattern: &[&str], words: &[&str]) -> bool {
    match (pattern.split_first(), words.split_first()) {
        (None, None) => true,
        (Some((&"#", rest)), None) => words_match(rest, words),
        (Some((&"#", rest)), Some((_, later))) => words_match(rest, words) || words_match(pattern, later),
        (Some((&"*", rest)), Some((_, later))) => words_match(rest, later),
        (Some((expected, rest)), Some((word, later))) => expected == word && words_match(rest, later),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(pattern: &str, key: &str, expected: bool) {
        assert_eq!(Topics::new(&[pattern]).match_key(key), expected, "{pattern} on {key}");
    }

    #[test]
    fn a_star_is_one_word_and_a_hash_any_number() {
        check("model-promoted.bikes", "model-promoted.bikes", true);
        check("model-promoted.bikes", "model-promoted.feet", false);
        check("model-promoted.*", "model-promoted.feet", true);
        check("model-promoted.*", "model-promoted", false);
        check("model-promoted.*", "model-promoted.a.b", false);
        check("*.bikes", "model-promoted.bikes", true);
        check("#", "model-promoted.bikes", true);
        check("model-promoted.#", "model-promoted", true);
        check("#.bikes", "a.b.bikes", true);
        check("#.bikes", "a.b.bikes.c", false);
        check("", "model-promoted.bikes", false);
    }

    #[test]
    fn one_of_several_patterns_is_enough_and_none_matches_nothing() {
        assert!(Topics::new(&["a.*", "b.*"]).match_key("b.x"));
        assert!(!Topics::new(&[]).match_key("b.x"));
    }
}
