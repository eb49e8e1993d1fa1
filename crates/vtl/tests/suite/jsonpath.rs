//! The examples of Jayway's README, and what RFC 9535 would refuse.

use vtl::Json;
use vtl::jsonpath::Path;

const STORE: &str = r#"{"store":{"book":[
    {"category":"reference","author":"Nigel Rees","title":"Sayings","price":8.95},
    {"category":"fiction","author":"Evelyn Waugh","title":"Sword","price":12.99},
    {"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553","price":8.99}],
    "bicycle":{"color":"red","price":19.95}},"expensive":10,"a-b":{"c d":[1,2,3,4]}}"#;

fn find(path: &str) -> Option<String> {
    let json = Json::parse(STORE).unwrap();
    let path = Path::parse(path).unwrap_or_else(|_| panic!("{path}"));
    let found = path.find(&json, &mut 10_000).unwrap();
    found.map(|found| found.to_string())
}

#[test]
fn every_form() {
    for (path, expected) in [
        ("$.expensive", "10"),
        ("expensive", "10"),
        ("$['expensive']", "10"),
        ("$.store.bicycle", r#"{"color":"red","price":19.95}"#),
        ("$.store.book[0].author", r#""Nigel Rees""#),
        ("$.store.book[-1].title", r#""Moby Dick""#),
        (
            "$.store.book[*].author",
            r#"["Nigel Rees","Evelyn Waugh","Herman Melville"]"#,
        ),
        (
            "$..author",
            r#"["Nigel Rees","Evelyn Waugh","Herman Melville"]"#,
        ),
        ("$..book[2].isbn", r#"["0-553"]"#),
        ("$.store.book[0,1].price", "[8.95,12.99]"),
        ("$.store.book[:2].price", "[8.95,12.99]"),
        ("$.store.book[-2:].price", "[12.99,8.99]"),
        ("$.store.book[?(@.isbn)].title", r#"["Moby Dick"]"#),
        ("$.store.book[?(@.price < 10)].price", "[8.95,8.99]"),
        (
            "$.store.book[?(@.price <= $.expensive && !(@.isbn))].price",
            "[8.95]",
        ),
        ("$.store.book[?(@.author =~ /.*REES/i)].price", "[8.95]"),
        (
            "$.store.book[?(@.category in ['reference', 'x'] || @.price == 8.99)].price",
            "[8.95,8.99]",
        ),
        ("$.store.book.length()", "3"),
        ("$..price.max()", "19.95"),
        ("$.a-b['c d'][1:3]", "[2,3]"),
        ("$.a-b['c d'].sum()", "10.0"),
        ("$.store.bicycle['color','price']", r#"["red",19.95]"#),
        ("$.store.bicycle.*", r#"["red",19.95]"#),
        ("$.store.bicycle.keys()", r#"["color","price"]"#),
        ("$..nothing", "[]"),
    ] {
        assert_eq!(find(path).as_deref(), Some(expected), "{path}");
    }
    assert_eq!(find("$.nothing.at.all"), None);
    assert_eq!(find("$.store.book[7]"), None);
}

#[test]
fn what_is_no_path() {
    for text in [
        "$.",
        "$[",
        "$[a]",
        "$['a",
        "$.a[?(@.b ==)]",
        "$[?(@.a =~ /(/)]",
        "$..",
        "$.a]",
    ] {
        assert!(Path::parse(text).is_err(), "{text}");
    }
}

#[test]
fn a_search_ends() {
    let mut deep = "1".to_owned();
    for _ in 0..9 {
        deep = format!("[{deep},{deep}]");
    }
    let json = Json::parse(&deep).unwrap();
    let path = Path::parse("$..*..*..*..*..*").unwrap();
    assert!(path.find(&json, &mut 100_000).is_err());
}

proptest::proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "\\PC{0,60}") {
        let _ = Path::parse(&text);
    }

    #[test]
    fn texts_like_paths_are_searched_without_a_panic(
        text in "\\$?([.]{1,2}[a-z*]{1,2}|\\[[-0-9:,*]{0,4}\\]|\\[\\?\\([@$.a-z<>=!&|0-9' ]{0,12}\\)\\]){0,5}"
    ) {
        if let Ok(path) = Path::parse(&text) {
            let json = Json::parse(STORE).unwrap();
            let _ = path.find(&json, &mut 10_000);
        }
    }
}
