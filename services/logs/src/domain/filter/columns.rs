//! Patterns on space-delimited messages: `[ip, user, ..., status = 4*, bytes > 1000]`.

use super::compare::Comparison;
use super::{InvalidPattern, invalid};

#[derive(Debug)]
pub struct Columns {
    before: Vec<Conditions>,
    /// Present when the pattern has `...`, which stands for any number of fields.
    after: Option<Vec<Conditions>>,
}

/// What one field must satisfy: all comparisons of one of the alternatives.
#[derive(Debug)]
struct Conditions(Vec<Vec<Comparison>>);

impl Columns {
    pub fn parse(text: &str) -> Result<Self, InvalidPattern> {
        let mut before = Vec::new();
        let mut after: Option<Vec<Conditions>> = None;
        for field in split_fields(text) {
            let field = field.trim();
            if field == "..." {
                if after.replace(Vec::new()).is_some() {
                    return Err(invalid("only one ... may stand in a pattern"));
                }
                continue;
            }
            let conditions = Conditions::parse(field)?;
            after.as_mut().unwrap_or(&mut before).push(conditions);
        }
        Ok(Self { before, after })
    }

    pub fn matches(&self, message: &str) -> bool {
        let fields = fields_of(message);
        let hold = |conditions: &[Conditions], fields: &[&str]| {
            let mut pairs = conditions.iter().zip(fields);
            pairs.all(|(conditions, field)| conditions.hold_for(field))
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

impl Conditions {
    /// Reads a field: a name, and conditions on it joined by `&&` and, binding less, `||`. The name
    /// may be left out of further conditions or repeated.
    fn parse(field: &str) -> Result<Self, InvalidPattern> {
        let mut rest = after_name(field);
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
                rest = after_name(next);
            } else if let Some(next) = tail.strip_prefix("||") {
                alternatives.push(std::mem::take(&mut all));
                rest = after_name(next);
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

/// What follows the field's name.
fn after_name(text: &str) -> &str {
    let is_name = |c: char| c.is_alphanumeric() || matches!(c, '_' | '-' | '.');
    text.trim_start().trim_start_matches(is_name).trim_start()
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
