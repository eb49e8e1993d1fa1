//! Patterns on space-delimited messages: `[ip, user, ..., status = 4*, bytes > 1000]`.

use std::collections::BTreeMap;

use super::compare::Comparison;
use super::{InvalidPattern, invalid};

#[derive(Debug)]
pub struct Columns {
    before: Vec<Field>,
    /// Present when the pattern has `...`, which stands for any number of fields.
    after: Option<Vec<Field>>,
}

#[derive(Debug)]
struct Field {
    /// May be empty.
    name: String,
    conditions: Conditions,
}

/// What one field must satisfy: all comparisons of one of the alternatives.
#[derive(Debug)]
struct Conditions(Vec<Vec<Comparison>>);

impl Columns {
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut before = Vec::new();
        let mut after: Option<Vec<Field>> = None;
        for field in split_fields(text) {
            let field = field.trim();
            if field == "..." {
                if after.replace(Vec::new()).is_some() {
                    return Err(invalid("only one ... may stand in a pattern"));
                }
                continue;
            }
            let named = Field {
                name: split_name(field).0.to_owned(),
                conditions: Conditions::parse(field)?,
            };
            after.as_mut().unwrap_or(&mut before).push(named);
        }
        Ok(Self { before, after })
    }

    pub fn matches(&self, message: &str) -> bool {
        let fields = fields_of(message);
        let hold = |wanted: &[Field], fields: &[&str]| {
            let mut pairs = wanted.iter().zip(fields);
            pairs.all(|(wanted, field)| wanted.conditions.hold_for(field))
        };
        match &self.after {
            None => fields.len() == self.before.len() && hold(&self.before, &fields),
            Some(after) => {
                fields.len() >= self.before.len() + after.len()
                    && hold(&self.before, &fields)
                    && hold(after, &fields[fields.len() - after.len()..])
            }
        }
    }
}

impl Columns {
    /// The fields of a message that matches, as `$name`, or `$1` and so on where they have none.
    pub fn named(&self, message: &str) -> BTreeMap<String, String> {
        let fields = fields_of(message);
        let after = self.after.as_deref().unwrap_or_default();
        let first_after = fields.len().saturating_sub(after.len());
        let name = |at: usize| {
            let field = match at.checked_sub(first_after) {
                Some(at) => after.get(at).or(self.before.get(first_after + at)),
                None => self.before.get(at),
            };
            match field.map(|field| field.name.as_str()) {
                None | Some("") => format!("${}", at + 1),
                Some(name) => format!("${name}"),
            }
        };
        let named = fields.iter().enumerate();
        named
            .map(|(at, field)| (name(at), (*field).to_owned()))
            .collect()
    }
}

impl Conditions {
    /// Reads a field: a name, and conditions on it joined by `&&` and, binding less, `||`. The name
    /// may be left out of further conditions or repeated.
    fn parse(field: &str) -> Result<Self, InvalidPattern> {
        let mut rest = split_name(field).1;
        let mut all = Vec::new();
        if rest.is_empty() {
            return Ok(Self(vec![all]));
        }
        let mut alternatives = Vec::new();
        loop {
            let (comparison, tail) = Comparison::parse(rest)?;
            all.push(comparison);
            let tail = tail.trim();
            if tail.is_empty() {
                alternatives.push(all);
                return Ok(Self(alternatives));
            }
            if let Some(next) = tail.strip_prefix("&&") {
                rest = split_name(next).1;
            } else if let Some(next) = tail.strip_prefix("||") {
                alternatives.push(std::mem::take(&mut all));
                rest = split_name(next).1;
            } else {
                return Err(invalid(format!("did not expect {tail:?}")));
            }
        }
    }

    fn hold_for(&self, field: &str) -> bool {
        self.0.iter().any(|comparisons| {
            comparisons
                .iter()
                .all(|comparison| comparison.holds_for_text(field))
        })
    }
}

/// The field's name and what follows it.
fn split_name(text: &str) -> (&str, &str) {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    let text = text.trim_start();
    let rest = text.trim_start_matches(is_name);
    (&text[..text.len() - rest.len()], rest.trim_start())
}

/// Splits at commas outside quotes.
fn split_fields(text: &str) -> Vec<&str> {
    let (mut fields, mut start, mut quoted) = (Vec::new(), 0, false);
    for (at, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                fields.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    fields.push(&text[start..]);
    fields
}

/// The fields of a message: words, or text in quotes or square brackets.
fn fields_of(message: &str) -> Vec<&str> {
    let mut fields = Vec::new();
    let mut rest = message.trim();
    while !rest.is_empty() {
        let close = match rest.as_bytes()[0] {
            b'"' => Some('"'),
            b'[' => Some(']'),
            _ => None,
        };
        let (field, tail) = match close.and_then(|close| rest[1..].split_once(close)) {
            Some((inner, tail)) => (inner, tail),
            None => rest.split_at(rest.find(char::is_whitespace).unwrap_or(rest.len())),
        };
        fields.push(field);
        rest = tail.trim_start();
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINE: &str =
        r#"127.0.0.1 - frank [10/Oct/2000:13:25:15 -0700] "GET /a.png HTTP/1.0" 404 1534"#;

    fn matches(pattern: &str) -> bool {
        Columns::parse(pattern).unwrap().matches(LINE)
    }

    #[test]
    fn fields_by_position() {
        assert!(matches(
            "ip, id, user, time, request, status = 4*, bytes > 1000"
        ));
        assert!(matches(
            "ip, id, user = frank, time, request = \"*.png*\", status = 404, bytes"
        ));
        assert!(!matches("ip, id, user, time, request, status = 5*, bytes"));
        assert!(!matches("ip, id, user"));
    }

    #[test]
    fn conditions_are_alternatives_or_come_together() {
        assert!(matches("..., status = 404 || status = 500, bytes"));
        assert!(matches("..., status=500||status=4*, bytes"));
        assert!(matches("..., status = 500 || = 404 && > 400, bytes"));
        assert!(!matches(
            "..., status = 500 || status = 404 && > 404, bytes"
        ));
        assert!(matches(
            "..., request = \"GET && || HEAD\" || = *png*, status, bytes"
        ));
        for bad in ["a = 1 ||", "a = 1 | b", "a || = 2", "a = 1 &&"] {
            assert!(Columns::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn dots_stand_for_any_fields() {
        assert!(matches("..., status = 404, bytes > 1000 && bytes < 2000"));
        assert!(matches("ip = 127*, ..., bytes"));
        assert!(!matches("..., status = 200, bytes"));
        assert!(Columns::parse("..., ...").is_err());
    }
}
