//! `*` for any run of characters, `\*` and `\\` for the characters themselves.

/// A wildcard expression, as the literal pieces between its wildcards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wildcard {
    /// At least one; the text is the pieces in order, with anything between two.
    pieces: Vec<String>,
}

impl Wildcard {
    /// # Errors
    /// In AWS's words. Positions count from the quote that begins the value.
    pub fn parse(text: &str) -> Result<Self, String> {
        let mut pieces = vec![String::new()];
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let literal = match character {
                '*' => {
                    if characters.peek().is_some_and(|(_, next)| *next == '*') {
                        return Err(format!("Consecutive wildcard characters at pos {}", at + 1));
                    }
                    pieces.push(String::new());
                    continue;
                }
                '\\' => match characters.next() {
                    Some((_, escaped @ ('*' | '\\'))) => escaped,
                    _ => return Err(format!("Invalid escape character at pos {}", at + 1)),
                },
                other => other,
            };
            if let Some(last) = pieces.last_mut() {
                last.push(literal);
            }
        }
        Ok(Self { pieces })
    }

    /// How many wildcards there are.
    pub fn count(&self) -> usize {
        self.pieces.len() - 1
    }

    /// What every match begins with.
    pub fn start(&self) -> &str {
        &self.pieces[0]
    }

    pub fn matches(&self, text: &str) -> bool {
        fits(&self.pieces, text)
    }
}

/// Whether the text is the pattern, where every `*` stands for any characters and nothing stands for
/// a `*` itself.
pub fn matches_wildcard(pattern: &str, text: &str) -> bool {
    let pieces: Vec<&str> = pattern.split('*').collect();
    fits(&pieces, text)
}

/// Whether the text is the pieces in order, with anything between two. There is at least one.
fn fits<S: AsRef<str>>(pieces: &[S], text: &str) -> bool {
    let (first, rest) = pieces.split_first().expect("there is always a piece");
    let Some((last, middle)) = rest.split_last() else {
        return text == first.as_ref();
    };
    let Some(mut text) = text.strip_prefix(first.as_ref()) else {
        return false;
    };
    // The first place where a piece fits leaves the most for those behind it.
    for piece in middle {
        let piece = piece.as_ref();
        let Some(at) = text.find(piece) else {
            return false;
        };
        text = &text[at + piece.len()..];
    }
    text.ends_with(last.as_ref())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::Wildcard;

    fn matches(pattern: &str, text: &str) -> bool {
        Wildcard::parse(pattern).unwrap().matches(text)
    }

    #[test]
    fn runs_of_anything() {
        for (pattern, text) in [
            ("*", ""),
            ("*", "anything"),
            ("Simple*Service", "SimpleService"),
            ("Simple*Service", "SimpleQueueService"),
            ("*/bin/*.jar", "/usr/bin/a.jar"),
            ("a*a", "aa"),
            ("a*b*c", "a1b2bc"),
            (r"a\*b", "a*b"),
            (r"a\\*", r"a\x"),
        ] {
            assert!(matches(pattern, text), "{pattern} {text}");
        }
        for (pattern, text) in [
            ("a*a", "a"),
            ("Simple*Service", "SimpleServices"),
            (r"a\*b", "axb"),
            ("a*b*c", "acb"),
        ] {
            assert!(!matches(pattern, text), "{pattern} {text}");
        }
    }

    #[test]
    fn what_aws_refuses() {
        assert_eq!(
            Wildcard::parse("a**b").unwrap_err(),
            "Consecutive wildcard characters at pos 2"
        );
        assert_eq!(
            Wildcard::parse(r"he\llo").unwrap_err(),
            "Invalid escape character at pos 3"
        );
    }
}
