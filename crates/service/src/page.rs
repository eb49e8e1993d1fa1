//! Lists in pages: the token is the place after which the next page begins, in base64.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// Some of the items, each with its key, and the token for those that follow.
pub type Page<T> = (Vec<(String, T)>, Option<String>);

/// Up to `limit` items after the token. Items come in the order of their keys, each of which is
/// there once; a token stays good when its item is deleted. `None` for a token that is none.
pub fn cut<T>(
    items: impl IntoIterator<Item = (String, T)>,
    token: Option<&str>,
    limit: usize,
) -> Option<Page<T>> {
    let after = match token {
        Some(token) => Some(String::from_utf8(STANDARD.decode(token).ok()?).ok()?),
        None => None,
    };
    let limit = limit.max(1);
    let mut page: Vec<_> = items
        .into_iter()
        .filter(|(key, _)| after.as_ref().is_none_or(|after| key > after))
        .take(limit + 1)
        .collect();
    let has_more = page.len() > limit;
    page.truncate(limit);
    let next = page.last().filter(|_| has_more);
    let next = next.map(|(key, _)| STANDARD.encode(key));
    Some((page, next))
}

#[cfg(test)]
mod tests {
    use super::cut;

    #[test]
    fn pages_follow_each_other() {
        let items = || ["a", "b", "c"].map(|key| (key.to_owned(), key.len()));
        let (first, token) = cut(items(), None, 2).expect("no token is fine");
        assert_eq!(first.len(), 2);
        let (second, end) = cut(items(), token.as_deref(), 2).expect("the token is ours");
        assert_eq!(second, [("c".to_owned(), 1)]);
        assert_eq!(end, None);
        assert_eq!(cut(items(), Some("?"), 2), None);
    }
}
