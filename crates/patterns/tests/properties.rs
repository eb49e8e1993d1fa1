//! What holds for any text and any patterns.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use patterns::{Event, Pattern, PatternSet};
use proptest::prelude::*;
use serde_json::{Value, json};

fn value() -> impl Strategy<Value = Value> {
    prop_oneof![
        "[ab]{0,3}".prop_map(Value::from),
        (-2..3_i64).prop_map(Value::from),
        any::<bool>().prop_map(Value::from),
        Just(Value::Null),
    ]
}

fn event() -> impl Strategy<Value = Value> {
    let leaf = value();
    let tree = leaf.prop_recursive(3, 20, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..3).prop_map(Value::from),
            proptest::collection::btree_map("[xyz]", inner, 0..3)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    });
    proptest::collection::btree_map("[xyz]", tree, 0..3)
        .prop_map(|members| Value::Object(members.into_iter().collect()))
}

fn condition() -> impl Strategy<Value = Value> {
    prop_oneof![
        value(),
        "[ab]{0,2}".prop_map(|text| json!({"prefix": text})),
        "[ab]{0,2}".prop_map(|text| json!({"suffix": text})),
        "[abAB]{0,2}".prop_map(|text| json!({"equals-ignore-case": text})),
        "[ab]{0,1}\\*[ab]{0,1}".prop_map(|text| json!({"wildcard": text})),
        "[ab]{0,2}".prop_map(|text| json!({"anything-but": text})),
        (-2..2_i64).prop_map(|low| json!({"numeric": [">=", low]})),
        (-2..2_i64).prop_map(|top| json!({"numeric": ["<", top]})),
        (-2..2_i64, 1..3_i64)
            .prop_map(|(low, length)| json!({"numeric": [">", low, "<=", low + length]})),
        any::<bool>().prop_map(|there| json!({"exists": there})),
    ]
}

fn pattern() -> impl Strategy<Value = Value> {
    let field = (
        "[xyz](\\.[xyz]){0,2}",
        proptest::collection::vec(condition(), 1..3),
    );
    proptest::collection::btree_map("[xyz](\\.[xyz]){0,2}", field.prop_map(|(_, any)| any), 1..3)
        .prop_map(|fields| {
            Value::Object(
                fields
                    .into_iter()
                    .map(|(path, any)| (path, Value::from(any)))
                    .collect(),
            )
        })
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,80}") {
        let _ = Pattern::parse(&text);
    }

    #[test]
    fn text_that_looks_like_a_pattern_too(
        text in "(\\{|\\}|\\[|\\]|\"|\\$or|prefix|numeric|anything-but|:|,|\\*|\\\\| |\n|1|-|<|é){0,30}"
    ) {
        let _ = Pattern::parse(&text);
        let _ = Pattern::parse(&format!("{{\"a\": [{{\"{text}\": \"x\"}}]}}"));
        let _ = Pattern::parse(&format!("{{\"a\": [{{\"wildcard\": \"{text}\"}}]}}"));
    }

    /// What is JSON for others is JSON here, and what is not is not.
    #[test]
    fn it_reads_the_json_that_others_read(event in event()) {
        let pattern = json!({"a": [{"anything-but": event.to_string()}], "b": ["x"]});
        prop_assert!(Pattern::parse(&pattern.to_string()).is_ok());
        prop_assert!(Pattern::parse(&serde_json::to_string_pretty(&pattern).unwrap()).is_ok());
    }

    #[test]
    fn a_set_finds_what_its_patterns_match(
        patterns in proptest::collection::vec(pattern(), 1..12),
        removed in proptest::collection::vec(any::<prop::sample::Index>(), 0..4),
        events in proptest::collection::vec(event(), 1..6),
    ) {
        let mut set = PatternSet::new();
        let mut kept = Vec::new();
        for (key, pattern) in patterns.iter().enumerate() {
            let pattern = Pattern::parse(&pattern.to_string()).unwrap();
            set.insert(key, &pattern);
            kept.push(Some(pattern));
        }
        for index in removed {
            let key = index.index(kept.len());
            prop_assert_eq!(set.remove(&key), kept[key].take().is_some());
        }
        for event in &events {
            let event = Event::of(event);
            let expected: Vec<_> = kept
                .iter()
                .enumerate()
                .filter(|(_, one)| one.as_ref().is_some_and(|one| one.matches(&event)))
                .map(|(key, _)| key)
                .collect();
            prop_assert_eq!(set.matches(&event), expected);
        }
    }
}
