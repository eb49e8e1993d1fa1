//! Any text is read or refused, and what the grammar allows is read.

use std::collections::BTreeMap;

use proptest::prelude::*;

use super::tests::{item, placeholders};
use super::*;
use crate::domain::codec::tests::any_attribute;
use crate::domain::convert;

/// A condition on the item of these tests, as text.
fn any_condition() -> impl Strategy<Value = String> {
    let path = || {
        prop_oneof![
            "[a-c]",
            Just("#n".to_owned()),
            Just("l[0]".to_owned()),
            Just("q.x[1].y".to_owned())
        ]
    };
    let comparator = prop_oneof![
        Just("="),
        Just("<>"),
        Just("<"),
        Just("<="),
        Just(">"),
        Just(">=")
    ];
    let one = prop_oneof![
        (
            path(),
            comparator,
            prop_oneof![Just(":a"), Just(":n"), Just("size(l)")]
        )
            .prop_map(|(path, comparator, value)| format!("{path} {comparator} {value}")),
        path().prop_map(|path| format!("attribute_exists({path})")),
        path().prop_map(|path| format!("attribute_type({path}, :kind)")),
        path().prop_map(|path| format!("contains({path}, :a)")),
        path().prop_map(|path| format!("begins_with({path}, :a)")),
        path().prop_map(|path| format!("{path} between :a and :b")),
        path().prop_map(|path| format!("{path} IN (:a, :n, :l)")),
    ];
    one.prop_recursive(6, 40, 2, |inner| {
        prop_oneof![
            inner.clone().prop_map(|inner| format!("NOT ({inner})")),
            (inner.clone(), inner, prop_oneof![Just("AND"), Just("or")])
                .prop_map(|(left, right, word)| format!("({left}) {word} ({right})")),
        ]
    })
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in r"(SET |REMOVE |ADD |DELETE |AND |OR |NOT |IN |BETWEEN |size|contains|[a-c]|#n|:a|:n|[0-9]|[().,=<>+\[\]-]| |\PC){0,30}") {
        if let Ok(condition) = condition(Kind::Condition, &text, &mut placeholders()) {
            let _ = condition.holds(&item());
        }
        let _ = key_condition(&text, &mut placeholders());
        let _ = projection(&text, &mut placeholders());
        if let Ok(update) = update(&text, &mut placeholders()) {
            let _ = update.apply(&item());
        }
    }

    #[test]
    fn what_the_grammar_allows_is_read(text in any_condition()) {
        let read = condition(Kind::Filter, &text, &mut placeholders());
        let read = read.map_err(|error| TestCaseError::fail(format!("{text}: {}", error.message)))?;
        let negated = condition(Kind::Filter, &format!("NOT ({text})"), &mut placeholders()).unwrap();
        prop_assert_ne!(read.holds(&item()), negated.holds(&item()));
    }

    #[test]
    fn what_is_set_is_read_back(value in any_attribute()) {
        let given = BTreeMap::from([(":v".to_owned(), convert::value_to_api(value.clone()))]);
        // Random values may be nested deeper than a request's.
        if let Ok(mut placeholders) = Placeholders::new(None, Some(given)) {
            let update = update("SET v = :v, m.w = :v", &mut placeholders).unwrap();
            let after = update.apply(&item()).unwrap().item;
            prop_assert_eq!(&after["v"], &value);
            prop_assert!(condition(Kind::Filter, "v = :v AND m.w = v", &mut placeholders).unwrap().holds(&after));
        }
    }
}
