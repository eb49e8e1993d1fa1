//! `application/x-www-form-urlencoded`: query strings and the bodies of query requests.

use percent_encoding::percent_decode;

/// The parameters of a form, in their order, decoded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Form(Vec<(String, String)>);

impl Form {
    /// Adds the parameters of `encoded`; `None` if some are not UTF-8 once decoded.
    pub fn extend(&mut self, encoded: &[u8]) -> Option<()> {
        for pair in encoded
            .split(|&byte| byte == b'&')
            .filter(|pair| !pair.is_empty())
        {
            let at = pair
                .iter()
                .position(|&byte| byte == b'=')
                .unwrap_or(pair.len());
            let value = pair.get(at + 1..).unwrap_or_default();
            self.0.push((text(&pair[..at])?, text(value)?));
        }
        Some(())
    }

    /// The first parameter of that name.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// Every parameter of that name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
    }

    /// Ordered by name, so that everything below a prefix stands together.
    pub fn sorted(mut self) -> Vec<(String, String)> {
        self.0.sort();
        self.0
    }
}

/// The first value of a parameter, with as little work as telling takes.
pub fn find(encoded: &[u8], name: &str) -> Option<String> {
    encoded.split(|&byte| byte == b'&').find_map(|pair| {
        let value = pair.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        text(value)
    })
}

fn text(encoded: &[u8]) -> Option<String> {
    if !encoded.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return String::from_utf8(encoded.to_vec()).ok();
    }
    let spaced: Vec<u8> = encoded
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    String::from_utf8(percent_decode(&spaced).collect()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plus_is_space_and_percent_is_decoded() {
        let mut form = Form::default();
        form.extend(b"Action=ListQueues&QueueNamePrefix=a+b%2Bc&Flag&=x&")
            .unwrap();
        assert_eq!(form.get("QueueNamePrefix"), Some("a b+c"));
        assert_eq!(form.get("Flag"), Some(""));
        assert_eq!(
            find(b"A=1&Action=Send%4Dessage", "Action").as_deref(),
            Some("SendMessage")
        );
        assert_eq!(find(b"XAction=1", "Action"), None);
    }

    #[test]
    fn what_is_not_utf_8_is_refused() {
        assert_eq!(Form::default().extend(b"A=%ff"), None);
    }

    #[test]
    fn names_repeat() {
        let mut form = Form::default();
        form.extend(b"tagKeys=a&tagKeys=b").unwrap();
        assert_eq!(form.all("tagKeys").collect::<Vec<_>>(), ["a", "b"]);
    }
}
