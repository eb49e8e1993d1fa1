//! Expressions as AWS documents them, clocks that are set, and the agenda.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use proptest::prelude::*;

use super::*;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_iso8601(text).unwrap()
}

fn next_in(zone_name: &str, expression: &str, after: &str) -> String {
    let schedule = Schedule::parse(expression).unwrap_or_else(|| panic!("{expression}"));
    let zone = zone(zone_name).unwrap();
    let after = at(after);
    schedule
        .next(after, after, &zone)
        .map_or("never".to_owned(), Timestamp::iso8601_seconds)
}

fn next(expression: &str, after: &str) -> String {
    next_in("UTC", expression, after)
}

#[test]
fn expressions_that_are_none() {
    for expression in [
        "",
        "rate()",
        "rate(0 minutes)",
        "rate(1 minutes)",
        "rate(5 minute)",
        "rate(5 seconds)",
        "rate(-5 minutes)",
        "rate(5  minutes)",
        "Rate(5 minutes)",
        "cron(0 12 * * * *)",
        "cron(0 12 ? * ? *)",
        "cron(0 12 * * ?)",
        "cron(60 12 * * ? *)",
        "cron(0 24 * * ? *)",
        "cron(0 12 32 * ? *)",
        "cron(0 12 ? * MON#6 *)",
        "cron(0 12 ? * 8 *)",
        "cron(0 12 * * ? 2200)",
        "cron(0/0 12 * * ? *)",
        "at(2026-11-29)",
        "at(2026-13-29T00:00:00)",
        "at(2026-11-29T00:00:00Z)",
    ] {
        assert_eq!(Schedule::parse(expression), None, "{expression}");
    }
}

/// The examples of AWS's guide, and each special character.
#[test]
fn cron_in_utc() {
    for (expression, after, expected) in [
        (
            "cron(0 10 * * ? *)",
            "2026-11-29T10:00:00Z",
            "2026-11-30T10:00:00Z",
        ),
        (
            "cron(15 12 * * ? *)",
            "2026-11-29T12:14:59Z",
            "2026-11-29T12:15:00Z",
        ),
        (
            "cron(0 18 ? * MON-FRI *)",
            "2026-11-27T18:00:00Z",
            "2026-11-30T18:00:00Z",
        ),
        (
            "cron(0 8 1 * ? *)",
            "2026-11-29T00:00:00Z",
            "2026-12-01T08:00:00Z",
        ),
        (
            "cron(0/15 * * * ? *)",
            "2026-11-29T10:46:00Z",
            "2026-11-29T11:00:00Z",
        ),
        (
            "cron(0/10 * ? * MON-FRI *)",
            "2026-11-28T10:46:00Z",
            "2026-11-30T00:00:00Z",
        ),
        (
            "cron(0/30 20-2 ? * MON-FRI *)",
            "2026-11-30T02:30:00Z",
            "2026-11-30T20:00:00Z",
        ),
        (
            "cron(0 9 ? * 2#1 *)",
            "2026-11-29T00:00:00Z",
            "2026-12-07T09:00:00Z",
        ),
        (
            "cron(0 9 ? * 6L *)",
            "2026-11-29T00:00:00Z",
            "2026-12-25T09:00:00Z",
        ),
        (
            "cron(0 9 ? * FRI-MON *)",
            "2026-12-01T00:00:00Z",
            "2026-12-04T09:00:00Z",
        ),
        (
            "cron(0 9 L * ? *)",
            "2027-02-01T00:00:00Z",
            "2027-02-28T09:00:00Z",
        ),
        (
            "cron(0 9 LW * ? *)",
            "2027-02-01T00:00:00Z",
            "2027-02-26T09:00:00Z",
        ),
        // The 15th of August 2026 is a Saturday, the 1st too.
        (
            "cron(0 9 15W 8 ? 2026)",
            "2026-01-01T00:00:00Z",
            "2026-08-14T09:00:00Z",
        ),
        (
            "cron(0 9 1W 8 ? 2026)",
            "2026-01-01T00:00:00Z",
            "2026-08-03T09:00:00Z",
        ),
        (
            "cron(0 0 29 2 ? *)",
            "2026-11-29T00:00:00Z",
            "2028-02-29T00:00:00Z",
        ),
        (
            "cron(0 0 1 JAN,jul ? *)",
            "2026-11-29T00:00:00Z",
            "2027-01-01T00:00:00Z",
        ),
        ("cron(0 0 1 1 ? 2020)", "2026-11-29T00:00:00Z", "never"),
        ("cron(0 0 31 2 ? *)", "2026-11-29T00:00:00Z", "never"),
        (
            "rate(1 minute)",
            "2026-11-29T00:00:00Z",
            "2026-11-29T00:01:00Z",
        ),
        (
            "rate(2 days)",
            "2026-11-29T00:00:00Z",
            "2026-12-01T00:00:00Z",
        ),
        (
            "at(2026-11-30T01:02:03)",
            "2026-11-29T00:00:00Z",
            "2026-11-30T01:02:03Z",
        ),
        ("at(2026-11-30T01:02:03)", "2026-11-30T01:02:03Z", "never"),
    ] {
        assert_eq!(next(expression, after), expected, "{expression}");
    }
}

#[test]
fn clocks_that_are_set() {
    for (zone, expression, after, expected) in [
        // New York is set forward on 2026-03-08 at 2:00 and back on 2026-11-01 at 2:00.
        (
            "America/New_York",
            "cron(30 2 * * ? *)",
            "2026-03-08T00:00:00Z",
            "2026-03-09T06:30:00Z",
        ),
        (
            "America/New_York",
            "cron(30 1 * * ? *)",
            "2026-11-01T00:00:00Z",
            "2026-11-01T05:30:00Z",
        ),
        (
            "America/New_York",
            "cron(30 1 * * ? *)",
            "2026-11-01T05:30:00Z",
            "2026-11-02T06:30:00Z",
        ),
        (
            "America/New_York",
            "cron(0 9 * * ? *)",
            "2026-03-07T14:00:00Z",
            "2026-03-08T13:00:00Z",
        ),
        (
            "Asia/Tokyo",
            "cron(0 9 ? * MON *)",
            "2026-11-29T12:00:00Z",
            "2026-11-30T00:00:00Z",
        ),
        (
            "Europe/Berlin",
            "at(2026-07-01T12:00:00)",
            "2026-01-01T00:00:00Z",
            "2026-07-01T10:00:00Z",
        ),
    ] {
        assert_eq!(
            next_in(zone, expression, after),
            expected,
            "{zone} {expression}"
        );
    }
    assert!(zone("Mars/Olympus").is_none());
}

#[test]
fn a_rate_keeps_its_anchor() {
    let schedule = Schedule::parse("rate(5 minutes)").unwrap();
    let anchor = at("2026-11-29T00:00:30Z");
    let after = at("2026-11-29T00:12:00Z");
    assert_eq!(
        schedule.next(after, anchor, &TimeZone::UTC),
        Some(at("2026-11-29T00:15:30Z"))
    );
}

proptest! {
    #[test]
    fn any_text_is_read_without_a_panic(text in "(rate|cron|at)\\([0-9A-Za-z*?/,#LW -]{0,30}\\)") {
        if let Some(schedule) = Schedule::parse(&text) {
            let after = at("2026-11-29T00:00:00Z");
            let next = schedule.next(after, after, &TimeZone::UTC);
            prop_assert!(next.is_none_or(|next| next > after));
        }
    }
}

#[tokio::test]
async fn an_agenda_wakes_in_order() {
    let manual = base::ManualClock::starting_at(at("2026-01-01T00:00:00Z"));
    let clock = manual.clock();
    let agenda = std::sync::Arc::new(Agenda::default());
    for n in 0..100_000_u64 {
        agenda.set(
            &n,
            Some(clock.now() + std::time::Duration::from_secs(n + 1)),
        );
    }
    agenda.set(&1, None);
    agenda.set(
        &2,
        Some(clock.now() + std::time::Duration::from_hours(1_000)),
    );
    let waiting = tokio::spawn({
        let (agenda, clock) = (std::sync::Arc::clone(&agenda), clock.clone());
        async move { agenda.due(&clock).await }
    });
    tokio::task::yield_now().await;
    manual.advance(std::time::Duration::from_secs(4));
    let due: Vec<u64> = waiting
        .await
        .unwrap()
        .into_iter()
        .map(|(_, key)| key)
        .collect();
    assert_eq!(due, [0, 3]);
}
