//! Every expression with the answer, or the words of refusal, that AWS gives.

use std::collections::BTreeMap;

use super::*;
use crate::domain::convert;
use crate::domain::number::Number;
use crate::domain::value::{Attribute, Item};

fn text(text: &str) -> Attribute {
    Attribute::S(text.into())
}

fn number(text: &str) -> Attribute {
    Attribute::N(Number::parse(text).unwrap())
}

fn values() -> Vec<(&'static str, Attribute)> {
    vec![
        (":a", text("a")),
        (":b", text("b")),
        (":n", number("3")),
        (":t", Attribute::Bool(true)),
        (":l", Attribute::L(vec![number("1")])),
        (":ss", Attribute::Ss(["a".to_owned()].into())),
        (":kind", text("N")),
    ]
}

pub fn placeholders() -> Placeholders {
    let names = BTreeMap::from([("#n".to_owned(), "name".to_owned())]);
    let values = values()
        .into_iter()
        .map(|(key, value)| (key.to_owned(), convert::value_to_api(value)))
        .collect();
    Placeholders::new(Some(names), Some(values)).unwrap()
}

pub fn item() -> Item {
    [
        ("name".to_owned(), text("a")),
        ("n".to_owned(), number("5")),
        (
            "l".to_owned(),
            Attribute::L(vec![text("x"), text("y"), text("z")]),
        ),
        (
            "m".to_owned(),
            Attribute::M([("k".to_owned(), number("1"))].into()),
        ),
        (
            "tags".to_owned(),
            Attribute::Ss(["a".to_owned(), "b".to_owned()].into()),
        ),
    ]
    .into()
}

fn holds(expression: &str) -> bool {
    condition(Kind::Condition, expression, &mut placeholders())
        .unwrap_or_else(|error| panic!("{expression}: {}", error.message))
        .holds(&item())
}

fn refused(expression: &str) -> String {
    let Invalid { message: error, .. } =
        condition(Kind::Filter, expression, &mut placeholders()).expect_err(expression);
    error
        .strip_prefix("Invalid FilterExpression: ")
        .expect(&error)
        .to_owned()
}

#[test]
fn conditions_hold_or_do_not() {
    for yes in [
        "#n = :a",
        "#n <> :b",
        "n > :n",
        "(n) >= (:n)",
        "NOT n < :n",
        "m.k < :n",
        "l[2] <> :a",
        "n BETWEEN :n AND n OR #n = :b",
        "#n IN (:b, :a)",
        "attribute_exists(l[0])",
        "attribute_not_exists(l[9]) and attribute_not_exists(m.x)",
        "attribute_type(n, :kind)",
        "begins_with(#n, :a)",
        "contains(tags, :b)",
        "size(l) = :n",
        "NOT (#n = :b AND n = :n)",
        "absent <> :a",
        "#n = :a or #n = :b and n = :n",
    ] {
        assert!(holds(yes), "{yes}");
    }
    for no in [
        "#n = :n",
        "absent = :a",
        "n < :a",
        "size(n) = :n",
        "contains(#n, :n)",
        "absent IN (:a)",
    ] {
        assert!(!holds(no), "{no}");
    }
}

#[test]
fn conditions_are_refused_in_aws_words() {
    for (expression, message) in [
        ("", "The expression can not be empty;"),
        ("a = ", "Syntax error; token: \"<EOF>\", near: \"= \""),
        ("a = :a )", "Syntax error; token: \")\", near: \":a )\""),
        ("a ! :a", "Syntax error; token: \"!\", near: \"a ! \""),
        ("a", "Syntax error; token: \"<EOF>\", near: \"a\""),
        ("((a = :a))", "The expression has redundant parentheses;"),
        (
            "abort = :a",
            "Attribute name is a reserved keyword; reserved keyword: abort",
        ),
        ("foo(a)", "Invalid function name; function: foo"),
        (
            "size(a)",
            "The function is not allowed to be used this way in an expression; function: size",
        ),
        (
            "a = if_not_exists(a, :a)",
            "The function is not allowed in a condition expression; function: if_not_exists",
        ),
        (
            "a[4294967296] = :a",
            "List index is not within the allowable range; index: [4294967296]",
        ),
        (
            "contains(a, :a) = :a",
            "The function is not allowed to be used this way in an expression; function: contains",
        ),
        (
            "a = :zz",
            "An expression attribute value used in expression is not defined; attribute value: :zz",
        ),
        (
            "#zz = :a",
            "An expression attribute name used in the document path is not defined; attribute name: #zz",
        ),
        (
            "attribute_exists(a, b)",
            "Incorrect number of operands for operator or function; operator or function: attribute_exists, number of operands: 2",
        ),
        (
            "attribute_exists(:a)",
            "Operator or function requires a document path; operator or function: attribute_exists",
        ),
        (
            "begins_with(a, :n)",
            "Incorrect operand type for operator or function; operator or function: begins_with, operand type: N",
        ),
        (
            "attribute_type(a, :a)",
            "Invalid attribute type name found; type: a, valid types: {B,NULL,SS,BOOL,L,BS,N,NS,S,M}",
        ),
        (
            "a < :t",
            "Incorrect operand type for operator or function; operator or function: <, operand type: BOOL",
        ),
        (
            "a = a",
            "The first operand must be distinct from the remaining operands for this operator or function; operator: =, first operand: [a]",
        ),
        (
            "a BETWEEN :b AND :a",
            "The BETWEEN operator requires upper bound to be greater than or equal to lower bound; lower bound operand: AttributeValue: {S:b}, upper bound operand: AttributeValue: {S:a}",
        ),
        (
            "a BETWEEN :a AND :n",
            "The BETWEEN operator requires same data type for lower and upper bounds; lower bound operand: AttributeValue: {S:a}, upper bound operand: AttributeValue: {N:3}",
        ),
    ] {
        assert_eq!(refused(expression), message, "{expression}");
    }
    let long = format!("a = :a{}", " ".repeat(4096));
    assert!(refused(&long).starts_with("Expression size has exceeded the maximum allowed size;"));
    assert!(refused(&"NOT ".repeat(1000)).contains("nested deeper"));
}

#[test]
fn expressions_have_bounds() {
    let joined = |count: usize| vec!["a = :a"; count].join(" OR ");
    // 150 comparisons are joined by 149 operators.
    assert!(condition(Kind::Filter, &joined(150), &mut placeholders()).is_ok());
    assert_eq!(
        refused(&joined(200)),
        "The expression contains too many operators; operator count: 301"
    );
    let sums: Vec<_> = (0..301).map(|at| format!("a{at} = :n+b")).collect();
    assert_eq!(
        updated(&format!("SET {}", sums.join(","))).unwrap_err(),
        "Invalid UpdateExpression: The expression contains too many operators; operator count: 301"
    );
    let sets: Vec<_> = (0..301).map(|at| format!("a{at} = :n")).collect();
    assert!(updated(&format!("SET {}", sets.join(","))).is_ok());
    let choices = |count: usize| format!("a IN ({})", vec![":a"; count].join(","));
    assert!(condition(Kind::Filter, &choices(100), &mut placeholders()).is_ok());
    assert_eq!(
        refused(&choices(101)),
        "The IN operator is provided with too many operands; number of operands: 101"
    );
    let path = |length: usize| vec!["a"; length].join(".");
    assert!(projection(&path(32), &mut placeholders()).is_ok());
    assert_eq!(
        projection(&path(33), &mut placeholders())
            .unwrap_err()
            .message,
        "Invalid ProjectionExpression: The document path has too many nesting levels; nesting \
         levels: 33"
    );
}

fn updated(expression: &str) -> Result<Item, String> {
    update(expression, &mut placeholders())
        .and_then(|update| update.apply(&item()))
        .map(|updated| updated.item)
        .map_err(|error| error.message)
}

#[test]
fn updates_read_the_item_as_it_was() {
    let after = updated(
        "SET #n = :b, o = #n, n = n - :n, c = if_not_exists(c, :n) + :n, l[9] = :a, m.z = :a \
         REMOVE l[0], l[1] ADD tags :ss DELETE nil :ss",
    )
    .unwrap();
    assert_eq!(after["name"], text("b"));
    assert_eq!(after["o"], text("a"));
    assert_eq!(after["n"], number("2"));
    assert_eq!(after["c"], number("6"));
    assert_eq!(after["l"], Attribute::L(vec![text("z"), text("a")]));
    assert_eq!(
        updated("DELETE tags :ss").unwrap()["tags"],
        Attribute::Ss(["b".to_owned()].into())
    );
    assert_eq!(
        updated("SET l = list_append(:l, l)").unwrap()["l"],
        Attribute::L(vec![number("1"), text("x"), text("y"), text("z")])
    );
    assert_eq!(updated("ADD c :n").unwrap()["c"], number("3"));
}

#[test]
fn updates_are_refused_in_aws_words() {
    for (expression, message) in [
        (
            "SET a = :a SET b = :a",
            "Invalid UpdateExpression: The \"SET\" section can only be used once in an update expression;",
        ),
        (
            "SET a = :a, a.b = :a",
            "Invalid UpdateExpression: Two document paths overlap with each other; must remove or rewrite one of these paths; path one: [a], path two: [a, b]",
        ),
        (
            "SET a.b = :a, a[1] = :a",
            "Invalid UpdateExpression: Two document paths conflict with each other; must remove or rewrite one of these paths; path one: [a, b], path two: [a, [1]]",
        ),
        (
            "SET a = foo(:a)",
            "Invalid UpdateExpression: Invalid function name; function: foo",
        ),
        (
            "SET a = size(b)",
            "Invalid UpdateExpression: The function is not allowed in an update expression; function: size",
        ),
        (
            "SET a = :a + :n",
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator or function: +, operand type: S",
        ),
        (
            "ADD a :a",
            "Invalid UpdateExpression: Incorrect operand type for operator or function; operator: ADD, operand type: STRING, typeSet: ALLOWED_FOR_ADD_OPERAND",
        ),
        (
            "SET a = absent",
            "The provided expression refers to an attribute that does not exist in the item",
        ),
        (
            "SET #n.x = :a",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET q.x = :a",
            "The document path provided in the update expression is invalid for update",
        ),
        (
            "SET a = #n + :n",
            "An operand in the update expression has an incorrect data type",
        ),
        (
            "ADD #n :n",
            "An operand in the update expression has an incorrect data type",
        ),
        (
            "a = :a",
            "Invalid UpdateExpression: Syntax error; token: \"a\", near: \"a =\"",
        ),
    ] {
        assert_eq!(
            updated(expression).expect_err(expression),
            message,
            "{expression}"
        );
    }
}

#[test]
fn projections_are_refused_in_aws_words() {
    let refused = |expression| {
        projection(expression, &mut placeholders())
            .expect_err(expression)
            .message
    };
    assert!(
        refused("a, a.b").starts_with("Invalid ProjectionExpression: Two document paths overlap")
    );
    assert!(
        refused("a,").starts_with("Invalid ProjectionExpression: Syntax error; token: \"<EOF>\"")
    );
    assert!(projection("a.b[1].c, #n", &mut placeholders()).is_ok());
}

#[test]
fn key_conditions_are_refused_in_aws_words() {
    let refused = |expression: &str| {
        key_condition(expression, &mut placeholders())
            .expect_err(expression)
            .message
    };
    for (expression, message) in [
        (
            "a = :a OR b = :b",
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: OR",
        ),
        (
            "a <> :a",
            "Invalid KeyConditionExpression: Invalid operator used in KeyConditionExpression: <>",
        ),
        (
            "a = :a AND a = :b",
            "KeyConditionExpressions must only contain one condition per key",
        ),
        (
            "a.b = :a",
            "KeyConditionExpressions cannot have conditions on nested attributes",
        ),
        (
            "size(a) = :n",
            "KeyConditionExpressions cannot contain nested operations",
        ),
        (
            "a = b",
            "Invalid condition in KeyConditionExpression: Multiple attribute names used in one condition",
        ),
        (
            ":a = :b",
            "Invalid condition in KeyConditionExpression: No key attribute specified",
        ),
        (
            "begins_with(:a, :b)",
            "Invalid condition in KeyConditionExpression: begins_with operator must have the key attribute as its first operand",
        ),
    ] {
        assert_eq!(refused(expression), message, "{expression}");
    }
    let mirrored = key_condition(":n < n", &mut placeholders()).unwrap();
    assert_eq!(
        mirrored.0[0].1,
        RangeCondition::Compare(Comparator::Greater, number("3"))
    );
}

#[test]
fn every_placeholder_must_be_used() {
    let names = BTreeMap::from([
        ("#a".to_owned(), "a".to_owned()),
        ("#b".to_owned(), "b".to_owned()),
    ]);
    let mut placeholders = Placeholders::new(Some(names), None).unwrap();
    projection("#a", &mut placeholders).unwrap();
    assert_eq!(
        placeholders.check_all_used().unwrap_err().message,
        "Value provided in ExpressionAttributeNames unused in expressions: keys: {#b}"
    );
    let bad = BTreeMap::from([("a".to_owned(), "a".to_owned())]);
    assert_eq!(
        Placeholders::new(Some(bad), None).unwrap_err().message,
        "ExpressionAttributeNames contains invalid key: Syntax error; key: \"a\""
    );
}
