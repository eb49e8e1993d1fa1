//! Statements, and what is refused as none.

use proptest::prelude::*;

use super::*;
use crate::domain::codec::tests::any_attribute;
use crate::domain::expression::{Action, KeyCondition};
use crate::domain::key::{KeyAttribute, KeyKind, KeySchema};

fn text(text: &str) -> Attribute {
    Attribute::S(text.into())
}

fn parse(statement: &str) -> Statement {
    let parameters = vec![text("p"); statement.matches('?').count()];
    Statement::parse(statement, parameters)
        .unwrap_or_else(|error| panic!("{statement}: {}", error.message))
}

fn keys() -> KeySchema {
    let key = |name: &str, kind| KeyAttribute {
        name: name.into(),
        kind,
    };
    KeySchema::simple(key("pk", KeyKind::S), Some(key("sk", KeyKind::N)))
}

#[test]
fn a_select_finds_its_keys() {
    let Statement::Select {
        table,
        index,
        columns,
        condition,
        order,
    } = parse(
        "SELECT a, \"b\".c[1] FROM \"music\".\"by-artist\" \
         WHERE pk = ? AND sk BETWEEN 1 AND -2.5e1 AND (x IS NOT MISSING OR size(y) > 3) ORDER BY sk DESC;",
    )
    else {
        panic!("it is a SELECT")
    };
    assert_eq!(
        (table.as_str(), index.as_deref()),
        ("music", Some("by-artist"))
    );
    assert_eq!(columns.unwrap()[1].to_string(), "[b, c, [1]]");
    assert!(order.unwrap().descending);
    let (KeyCondition(found), rest) = key_condition(&condition.unwrap(), &keys()).unwrap();
    assert_eq!(found.len(), 2);
    assert!(matches!(rest, Some(Condition::Or(..))));
    let Statement::Select { condition, .. } =
        parse("SELECT * FROM music WHERE pk IN [?, 'x'] OR pk = 'y'")
    else {
        panic!("it is a SELECT")
    };
    assert!(key_condition(&condition.unwrap(), &keys()).is_none());
}

#[test]
fn values_of_every_type_can_be_written() {
    let Statement::Insert { item, .. } = parse(
        "INSERT INTO \"t\" VALUE {'pk': 'it''s', 'n': -1.5, 'l': [1, null, true, []], \
         'm': {'x': ?}, 's': <<'a', 'b'>>}",
    ) else {
        panic!("it is an INSERT")
    };
    assert_eq!(item["pk"], text("it's"));
    assert_eq!(item["m"], Attribute::M([("x".into(), text("p"))].into()));
    assert_eq!(item["s"].kind(), "SS");
    assert_eq!(item["l"].length(), Some(4));
}

#[test]
fn an_update_names_one_item() {
    let Statement::Update {
        update,
        condition,
        returning,
        ..
    } = parse(
        "UPDATE t SET a = a + 1, b = list_append(b, [?]) SET c = set_add(c, <<1>>) REMOVE d.e \
         WHERE sk = 2 AND pk = 'x' AND a < 5 RETURNING MODIFIED NEW *",
    )
    else {
        panic!("it is an UPDATE")
    };
    assert_eq!(update.0.len(), 4);
    assert!(matches!(update.0[2], Action::Add(..)));
    assert_eq!(returning, Some(Returning::ModifiedNew));
    let (key, rest) = full_key(&condition, &keys()).unwrap();
    assert_eq!(key.len(), 2);
    assert!(matches!(rest, Some(Condition::Compare(..))));
    let Statement::Delete { condition, .. } = parse("DELETE FROM t WHERE pk = 'x'") else {
        panic!("it is a DELETE")
    };
    assert_eq!(
        full_key(&condition, &keys()).unwrap_err().message,
        "Where clause does not contain a mandatory equality on all key attributes"
    );
}

#[test]
fn a_check_is_about_one_item() {
    let Statement::Exists { table, condition } =
        parse("EXISTS(SELECT * FROM t WHERE pk = 'x' AND sk = 2 AND a = 5)")
    else {
        panic!("it is an EXISTS")
    };
    assert_eq!(table, "t");
    let (key, rest) = full_key(&condition, &keys()).unwrap();
    assert_eq!(key.len(), 2);
    assert!(matches!(rest, Some(Condition::Compare(..))));
    assert_eq!(
        Statement::parse("EXISTS(SELECT * FROM t.i WHERE pk = 'x')", Vec::new())
            .unwrap_err()
            .message,
        "Where clause does not contain a mandatory equality on all key attributes"
    );
}

#[test]
fn what_is_no_statement_is_refused() {
    for statement in [
        "",
        "SELECT",
        "SELECT * FROM",
        "SELECT * FROM t WHERE",
        "SELECT * FROM t WHERE a",
        "DROP TABLE t",
        "INSERT INTO t VALUE 'x'",
        "UPDATE t WHERE pk = 1",
        "SELECT * FROM t WHERE a = 'x",
        "SELECT * FROM t extra",
        "SELECT * FROM t WHERE a = #b",
        "EXISTS(SELECT * FROM t WHERE a = 1",
        "EXISTS(DELETE FROM t WHERE a = 1)",
    ] {
        let Invalid { message: error, .. } =
            Statement::parse(statement, Vec::new()).expect_err(statement);
        assert!(
            error.starts_with("Statement wasn't well formed, can't be processed:"),
            "{error}"
        );
    }
    for (statement, count) in [("SELECT * FROM t WHERE a = ?", 0), ("SELECT * FROM t", 1)] {
        assert_eq!(
            Statement::parse(statement, vec![Attribute::Null; count])
                .unwrap_err()
                .message,
            "Number of parameters in request and statement don't match."
        );
    }
}

#[test]
fn an_access_is_told_without_values() {
    let access = Statement::access("UPDATE t SET a = ?, b = <<?, ?>> WHERE pk = ?");
    assert_eq!(access, Some(("PartiQLUpdate", "t".into(), None)));
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(
        text in r#"(SELECT |EXISTS|INSERT INTO |UPDATE |DELETE |FROM |WHERE |SET |VALUE |AND |OR |NOT |IN |IS |[a-c]|"t"|'s'|[0-9.e]|[?()\[\]{}<>,=:*+-]| |\PC){0,30}"#,
        parameters in prop::collection::vec(any_attribute(), 0..3),
    ) {
        let _ = Statement::parse(&text, parameters);
        let _ = Statement::access(&text);
    }
}
