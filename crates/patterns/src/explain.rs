//! Why a pattern does not match an event: the fields that stand in the way.

use serde_json::{Map, Value, json};

use crate::{Event, Pattern};

/// The fields of a pattern, as paths, that an event does not meet by themselves; none for what is
/// no pattern.
pub fn unmet_fields(pattern: &str, event: &Value) -> Vec<String> {
    let Ok(Value::Object(members)) = serde_json::from_str(pattern) else {
        return Vec::new();
    };
    let mut unmet = Vec::new();
    collect(&members, &mut Vec::new(), &Event::of(event), &mut unmet);
    unmet
}

fn collect(
    members: &Map<String, Value>,
    path: &mut Vec<String>,
    event: &Event<'_>,
    unmet: &mut Vec<String>,
) {
    for (name, value) in members {
        path.push(name.clone());
        let alone = path
            .iter()
            .rev()
            .fold(value.clone(), |inner, name| json!({name: inner}));
        let is_met = Pattern::parse(&alone.to_string()).is_ok_and(|alone| alone.matches(event));
        if !is_met {
            let before = unmet.len();
            if let Value::Object(inner) = value {
                collect(inner, path, event, unmet);
            }
            if unmet.len() == before {
                unmet.push(path.join("."));
            }
        }
        path.pop();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_in_the_way_are_named() {
        let pattern = r#"{"source": ["a"], "detail": {"n": [{"numeric": [">", 3]}], "s": ["x"]},
            "$or": [{"region": ["r"]}, {"account": ["1"]}]}"#;
        let event = json!({"source": "a", "detail": {"n": 1, "s": "x"}, "region": "q"});
        let mut unmet = unmet_fields(pattern, &event);
        unmet.sort();
        assert_eq!(unmet, ["$or", "detail.n"]);
        let event = json!({"source": "a", "detail": {"n": 4, "s": "x"}, "region": "r"});
        assert_eq!(unmet_fields(pattern, &event), Vec::<String>::new());
        assert_eq!(unmet_fields("[", &event), Vec::<String>::new());
    }
}
