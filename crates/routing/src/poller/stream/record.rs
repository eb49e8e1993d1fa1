//! A stream's record as the function gets it.

use base::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value as Json};
use wire::Value;

#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    pub sequence: String,
    /// When it came into the stream.
    pub at: Timestamp,
    /// Says which records must stay in order; the same at every reading.
    pub key: String,
    pub json: Json,
}

impl Record {
    /// Which of so many lanes the record falls to.
    pub fn lane(&self, lanes: u32) -> u32 {
        // FNV-1a: checkpoints of lanes outlive the process, and so must the division.
        let hash = self
            .key
            .bytes()
            .fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
                (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
            });
        // Its bits are uneven for short keys: one more round spreads them.
        let spread = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        let lane = (spread >> 32) % u64::from(lanes.max(1));
        u32::try_from(lane).unwrap_or_default()
    }
}

/// Bytes in base64 and times in seconds, as Lambda's events have them.
pub fn to_json(value: &Value) -> Json {
    match value {
        Value::Null => Json::Null,
        Value::Bool(truth) => (*truth).into(),
        Value::Int(number) => (*number).into(),
        Value::Float(number) => (*number).into(),
        Value::Str(text) => text.as_str().into(),
        Value::Blob(bytes) => STANDARD.encode(bytes).into(),
        Value::Time(at) => at.seconds().into(),
        Value::List(items) => items.iter().map(to_json).collect(),
        Value::Map(members) => Json::Object(
            members
                .iter()
                .filter(|(_, value)| *value != Value::Null)
                .map(|(name, value)| (name.clone(), to_json(value)))
                .collect::<Map<_, _>>(),
        ),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_as_events_have_them() {
        let value = Value::Map(vec![
            ("B".to_owned(), Value::Blob(vec![1, 2, 3].into())),
            ("at".to_owned(), Value::Time(Timestamp::from_millis(1_500))),
            ("none".to_owned(), Value::Null),
            ("NULL".to_owned(), Value::Bool(true)),
        ]);
        let expected = json!({"B": "AQID", "at": 1, "NULL": true});
        assert_eq!(to_json(&value), expected);
    }

    #[test]
    fn an_item_stays_in_its_lane() {
        let record = |key: &str| Record {
            sequence: "1".to_owned(),
            at: Timestamp::from_millis(0),
            key: key.to_owned(),
            json: Json::Null,
        };
        let lanes: Vec<u32> = (0..100).map(|n| record(&format!("k{n}")).lane(4)).collect();
        let again: Vec<u32> = (0..100).map(|n| record(&format!("k{n}")).lane(4)).collect();
        assert_eq!(lanes, again);
        assert!((0..4).all(|lane| lanes.contains(&lane)));
        assert_eq!(record("any").lane(1), 0);
    }
}
