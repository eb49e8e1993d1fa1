//! Which messages a mapping wants: those that match one of its patterns. Others are deleted, and
//! nobody runs for them.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/with-sqs-filtering.html>

use patterns::{Event, Pattern, PatternError};
use serde_json::Value as Json;

use super::event::Record;

/// The filters of one mapping. Without any, it wants everything.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filters(Vec<Pattern>);

impl Filters {
    /// # Errors
    /// A text that is no pattern.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, PatternError> {
        let patterns = texts.into_iter().map(Pattern::parse);
        patterns.collect::<Result<_, _>>().map(Self)
    }

    /// Divides records into those that are wanted and those that are not, each in order.
    pub fn divide(&self, records: Vec<Record>) -> (Vec<Record>, Vec<Record>) {
        if self.0.is_empty() {
            return (records, Vec::new());
        }
        records
            .into_iter()
            .partition(|record| self.wants(&record.json))
    }

    fn wants(&self, record: &str) -> bool {
        let Ok(mut record) = serde_json::from_str::<Json>(record) else {
            return false;
        };
        // A body of JSON is matched by what is in it, and any other as text.
        if let Some(body) = record.get_mut("body")
            && let Some(Ok(inner)) = body.as_str().map(serde_json::from_str::<Json>)
            && (inner.is_object() || inner.is_array())
        {
            *body = inner;
        }
        self.match_any(&record)
    }

    /// Whether a record is wanted, as it stands in the function's event.
    pub fn accepts(&self, record: &Json) -> bool {
        self.0.is_empty() || self.match_any(record)
    }

    fn match_any(&self, record: &Json) -> bool {
        let event = Event::of(record);
        self.0.iter().any(|pattern| pattern.matches(&event))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn wants(pattern: &Json, body: &str) -> bool {
        let filters = Filters::parse([pattern.to_string().as_str()]).unwrap();
        filters.wants(&json!({"messageId": "m", "body": body}).to_string())
    }

    #[test]
    fn a_body_of_json_is_matched_by_its_content_and_another_as_text() {
        let pattern = json!({"body": {"size": [{"numeric": [">", 10]}]}});
        assert!(wants(&pattern, r#"{"size": 11}"#));
        assert!(!wants(&pattern, r#"{"size": 10}"#));
        assert!(!wants(&pattern, "size 11"));
        let text = json!({"body": [{"prefix": "size"}]});
        assert!(wants(&text, "size 11"));
        assert!(!wants(&text, r#"{"size": 11}"#));
    }

    #[test]
    fn one_of_several_patterns_is_enough() {
        let of = |value: &str| json!({"body": {"kind": [value]}}).to_string();
        let (a, b) = (of("a"), of("b"));
        let filters = Filters::parse([a.as_str(), b.as_str()]).unwrap();
        let record = |kind: &str| {
            let body = json!({"kind": kind}).to_string();
            json!({"body": body}).to_string()
        };
        assert!(filters.wants(&record("a")) && filters.wants(&record("b")));
        assert!(!filters.wants(&record("c")));
        assert!(Filters::parse(["{"]).is_err());
    }
}
