//! `X-Amz-Date`: ISO 8601 basic format, `20130524T000000Z`.

use base::Timestamp;
use time::PrimitiveDateTime;
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;

const BASIC: &[BorrowedFormatItem<'_>] =
    format_description!("[year][month][day]T[hour][minute][second]Z");

/// Reads a basic-format instant; `None` if it is not one.
pub fn parse(text: &str) -> Option<Timestamp> {
    // The parser would take a sign before the year, which no date has here.
    if text.len() != 16 || !text.as_bytes()[0].is_ascii_digit() {
        return None;
    }
    PrimitiveDateTime::parse(text, BASIC)
        .ok()
        .map(|at| Timestamp::from_datetime(at.assume_utc()))
}

/// Writes an instant in basic format, to the second.
pub fn format(at: Timestamp) -> String {
    at.iso8601_seconds().replace(['-', ':'], "")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let at = parse("20130524T000000Z").unwrap();
        assert_eq!(at.iso8601_seconds(), "2013-05-24T00:00:00Z");
        assert_eq!(format(at), "20130524T000000Z");
        for bad in [
            "",
            "20130524",
            "20130524T000000",
            "2013-05-24T00:00:00Z",
            "20131324T000000Z",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }
}
