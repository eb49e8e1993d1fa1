//! How long one event takes beside ten thousand rules: `cargo run --release -p patterns --example
//! ten_thousand_rules`.

#![allow(
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "an example that measures"
)]

use std::hint::black_box;
use std::time::Instant;

use patterns::{Event, Pattern, PatternSet};
use serde_json::{Value, json};

const RULES: usize = 10_000;
const EVENTS: u32 = 20_000;

fn main() {
    measure("of five kinds", |n| match n % 5 {
        0 => json!({"order": [format!("o-{n}")]}),
        1 => json!({"customer": [n], "state": [{"anything-but": "new"}]}),
        2 => json!({"path": [{"prefix": format!("/shop/{n}/")}]}),
        3 => {
            json!({"file": [{"suffix": format!("-{n}.csv")}], "size": [{"numeric": [">", 5]}]})
        }
        _ => json!({"name": [{"wildcard": format!("customer-{n}-*")}]}),
    });
    measure(
        "of ranges",
        |n| json!({"size": [{"numeric": [">", 5 * n, "<=", 5 * n + 10]}]}),
    );
}

fn measure(kind: &str, condition: impl Fn(usize) -> Value) {
    let mut rules = PatternSet::new();
    for n in 0..RULES {
        let pattern = json!({"source": ["shop"], "detail": condition(n)});
        rules.insert(n, &Pattern::parse(&pattern.to_string()).unwrap());
    }
    let event = json!({
        "version": "0", "id": "6a7e8feb-b491-4cf7-a9f1-bf3703467718", "detail-type": "Order",
        "source": "shop", "account": "000000000000", "time": "2026-11-29T00:00:00Z",
        "region": "us-east-1", "resources": ["arn:aws:shop:::order"],
        "detail": {
            "order": "o-5000", "customer": 4_001, "state": "paid", "path": "/shop/7002/items",
            "file": "export-803.csv", "size": 17, "name": "customer-9004-east",
            "items": [{"id": 1, "price": 2.5}, {"id": 2, "price": 3}],
        }
    });
    let began = Instant::now();
    for _ in 0..EVENTS {
        black_box(rules.matches(&Event::of(black_box(&event))));
    }
    let each = began.elapsed() / EVENTS;
    let found = rules.matches(&Event::of(&event)).len();
    println!("{RULES} rules {kind}: {each:?} an event, which {found} of them match");
}
