//! Log records from our bootstraps: each is one event, however many lines it has.
//!
//! A record is a little-endian `u32` kind, a `u32` length, a `u64` of milliseconds since the epoch,
//! and that many bytes of UTF-8. Kind 1 is one event. Kinds 2 and 3 are pieces of the language's
//! standard output and error: lines, of which each is one event, in their true order among the
//! records. Kind 4 is a piece of an event that the next record of kind 4 or 1 goes on with: where
//! several threads or processes write, only short records are sure to stay whole.
//!
//! The clients of AWS's own for managed runtimes have a prefix of their own: a big-endian `u32` whose
//! upper half is `0xa55a`, a `u32` length, and microseconds where bit 1 of the first says so. Each of
//! their records is one event.
//!
//! What came of a record is passed on before the rest is there: its length, which a function may
//! have made up, is nothing that the server keeps room for.

use std::time::Duration;

use base::Timestamp;
use bytes::Buf;

use super::lines::{Lines, MAX_EVENT_BYTES, clamp};

const PREFIX: usize = 16;
/// How the prefix begins that AWS's own clients write.
const MANAGED: [u8; 2] = [0xa5, 0x5a];
/// The age of what an environment wrote before it froze for long. A record that is older, or of a
/// time to come, bears no time of this machine's.
const OLDEST: Duration = Duration::from_hours(24);

/// Turns bytes of the pipe into events.
#[derive(Debug, Default)]
pub(super) struct Records {
    /// As much of a prefix as has come.
    prefix: Vec<u8>,
    current: Option<Record>,
    /// What has come of an event.
    event: Vec<u8>,
    output: Lines,
    error: Lines,
    /// Whether somebody wrote to the pipe who does not speak the format. Then all of it is lines.
    broken: bool,
}

/// One of which more is to come.
#[derive(Debug)]
struct Record {
    kind: Kind,
    at: Timestamp,
    /// Bytes that are to come.
    left: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Event,
    PieceOfEvent,
    Output,
    Error,
}

impl Records {
    /// Takes what was read, and gives each event that is complete with the instant it bears, which
    /// is never after `now`.
    pub(super) fn feed(
        &mut self,
        mut bytes: &[u8],
        now: Timestamp,
        mut event: impl FnMut(Timestamp, String),
    ) {
        while !bytes.is_empty() {
            if self.broken {
                return self.output.feed(bytes, |line| event(now, line));
            }
            bytes = match self.current.take() {
                Some(record) => self.go_on(record, bytes, &mut event),
                None => self.begin(bytes, now, &mut event),
            };
        }
    }

    /// Takes what belongs to the record, and gives back the rest.
    fn go_on<'a>(
        &mut self,
        mut record: Record,
        bytes: &'a [u8],
        event: &mut impl FnMut(Timestamp, String),
    ) -> &'a [u8] {
        let (text, rest) = bytes.split_at(record.left.min(bytes.len()));
        record.left -= text.len();
        let at = record.at;
        match record.kind {
            Kind::Event | Kind::PieceOfEvent => {
                append(&mut self.event, text, |text| event(at, text));
            }
            Kind::Output => self.output.feed(text, |line| event(at, line)),
            Kind::Error => self.error.feed(text, |line| event(at, line)),
        }
        self.keep_or_end(record, event);
        rest
    }

    /// Takes what belongs to the next prefix, and gives back the rest.
    fn begin<'a>(
        &mut self,
        bytes: &'a [u8],
        now: Timestamp,
        event: &mut impl FnMut(Timestamp, String),
    ) -> &'a [u8] {
        let missing = PREFIX - self.prefix.len();
        let (part, rest) = bytes.split_at(missing.min(bytes.len()));
        self.prefix.extend_from_slice(part);
        if self.prefix.len() < PREFIX {
            return rest;
        }
        let prefix = std::mem::take(&mut self.prefix);
        if let Some(record) = Record::read(&prefix, now) {
            self.keep_or_end(record, event);
        } else {
            self.broken = true;
            self.output.feed(&prefix, |line| event(now, line));
        }
        rest
    }

    fn keep_or_end(&mut self, record: Record, event: &mut impl FnMut(Timestamp, String)) {
        if record.left > 0 {
            self.current = Some(record);
        } else if record.kind == Kind::Event {
            end(&self.event, |text| event(record.at, text));
            self.event.clear();
        }
    }

    /// Gives the last lines, which lack their end.
    pub(super) fn finish(&mut self, mut event: impl FnMut(String)) {
        self.output.finish(&mut event);
        self.error.finish(&mut event);
    }
}

impl Record {
    /// `None` if this is no prefix of a record.
    fn read(mut prefix: &[u8], now: Timestamp) -> Option<Self> {
        if prefix.starts_with(&MANAGED) {
            let [_, left, high, low] = [(); 4].map(|()| prefix.get_u32());
            let micros = i64::from(high) << 32 | i64::from(low);
            return Some(Self {
                kind: Kind::Event,
                at: possible(Timestamp::from_millis(micros / 1_000), now),
                left: left as usize,
            });
        }
        let kind = match prefix.get_u32_le() {
            1 => Kind::Event,
            2 => Kind::Output,
            3 => Kind::Error,
            4 => Kind::PieceOfEvent,
            _ => return None,
        };
        let left = prefix.get_u32_le() as usize;
        let at = Timestamp::from_millis(prefix.get_i64_le());
        let at = possible(at, now);
        Some(Self { kind, at, left })
    }
}

/// The instant that a record bears, or now if it cannot be true.
fn possible(at: Timestamp, now: Timestamp) -> Timestamp {
    let possible = at <= now && now.since(at) <= OLDEST;
    if possible { at } else { now }
}

/// Adds to an event, and gives the pieces that make it too long for one. A line end may follow.
fn append(so_far: &mut Vec<u8>, text: &[u8], mut event: impl FnMut(String)) {
    so_far.extend_from_slice(text);
    while so_far.len() > MAX_EVENT_BYTES + 1 {
        let rest = so_far.split_off(clamp(so_far, MAX_EVENT_BYTES));
        event(String::from_utf8_lossy(so_far).into_owned());
        *so_far = rest;
    }
}

/// Gives the last or only piece of an event, with exactly one line end.
fn end(text: &[u8], mut event: impl FnMut(String)) {
    let mut text = text.strip_suffix(b"\n").unwrap_or(text);
    if text.len() > MAX_EVENT_BYTES {
        let (piece, rest) = text.split_at(clamp(text, MAX_EVENT_BYTES));
        event(String::from_utf8_lossy(piece).into_owned());
        text = rest;
    }
    let mut text = String::from_utf8_lossy(text).into_owned();
    text.push('\n');
    event(text);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(kind: u32, at: u64, text: &[u8]) -> Vec<u8> {
        let mut bytes = Vec::new();
        bytes.extend_from_slice(&kind.to_le_bytes());
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(&at.to_le_bytes());
        bytes.extend_from_slice(text);
        bytes
    }

    #[test]
    fn records_of_managed_runtimes_are_events() {
        let mut bytes = vec![0xa5, 0x5a, 0, 0x12, 0, 0, 0, 7];
        bytes.extend_from_slice(&42_500_u64.to_be_bytes());
        bytes.extend_from_slice(b"one\ntwo");
        let expected = vec![(42, "one\ntwo\n".to_owned())];
        assert_eq!(events(&[&bytes]), expected);
        let (first, rest) = bytes.split_at(9);
        assert_eq!(events(&[first, rest]), expected);
    }

    fn events(chunks: &[&[u8]]) -> Vec<(i64, String)> {
        let mut records = Records::default();
        let mut events = Vec::new();
        let now = Timestamp::from_millis(99);
        for chunk in chunks {
            records.feed(chunk, now, |at, text| events.push((at.millis(), text)));
        }
        records.finish(|text| events.push((0, text)));
        events
    }

    #[test]
    fn records_keep_their_lines_together_and_output_is_split_wherever_reads_end() {
        let stream = [
            record(2, 1, b"a\nb"),
            record(1, 2, "trace\n  more \u{e9}\n".as_bytes()),
            record(2, 3, b"c\n"),
            record(3, 4, b"unfinished"),
        ]
        .concat();
        let expected = [
            (1, "a\n".to_owned()),
            (2, "trace\n  more \u{e9}\n".to_owned()),
            (3, "bc\n".to_owned()),
            (0, "unfinished\n".to_owned()),
        ];
        assert_eq!(events(&[&stream]), expected);
        for cut in 1..stream.len() {
            assert_eq!(
                events(&[&stream[..cut], &stream[cut..]]),
                expected,
                "cut at {cut}"
            );
        }
    }

    #[test]
    fn an_event_in_pieces_is_one_whatever_is_printed_meanwhile() {
        let stream = [
            record(4, 1, "on\u{e9}".as_bytes()),
            record(2, 2, b"printed\n"),
            record(4, 3, b"\ntwo"),
            record(1, 4, b" three\n"),
            record(1, 5, b"next"),
        ]
        .concat();
        let expected = [
            (2, "printed\n".to_owned()),
            (4, "on\u{e9}\ntwo three\n".to_owned()),
            (5, "next\n".to_owned()),
        ];
        for cut in 1..stream.len() {
            assert_eq!(events(&[&stream[..cut], &stream[cut..]]), expected);
        }
    }

    #[test]
    fn a_stranger_on_the_pipe_is_read_as_lines() {
        let stream = [record(1, 1, b"good"), b"who speaks here\nnot us\n".to_vec()].concat();
        let texts: Vec<_> = events(&[&stream])
            .into_iter()
            .map(|(_, text)| text)
            .collect();
        assert_eq!(texts, ["good\n", "who speaks here\n", "not us\n"]);
    }

    #[test]
    fn a_long_record_is_split_at_the_bound() {
        for (more, last) in [(0, None), (1, Some("x\n")), (10, Some("xxxxxxxxxx\n"))] {
            for end in ["", "\n"] {
                let mut long = vec![b'x'; MAX_EVENT_BYTES + more];
                long.extend_from_slice(end.as_bytes());
                let long = record(1, 1, &long);
                for cut in [1, PREFIX, long.len() / 2, long.len() - 1] {
                    let pieces = events(&[&long[..cut], &long[cut..]]);
                    let second = pieces.get(1).map(|(_, text)| text.as_str());
                    assert_eq!(second, last, "{more} more, cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn an_empty_record_is_an_empty_line() {
        let stream = [record(1, 1, b""), record(2, 1, b""), record(1, 1, b"x")].concat();
        let expected = [(1, "\n".to_owned()), (1, "x\n".to_owned())];
        assert_eq!(events(&[&stream]), expected);
    }

    #[test]
    fn a_record_without_end_leaves_as_it_comes() {
        let mut records = Records::default();
        let mut seen = 0;
        let now = Timestamp::from_millis(99);
        for kind in [1, 2] {
            let mut bytes = record(kind, 1, &vec![b'x'; 4 * MAX_EVENT_BYTES]);
            bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
            for chunk in bytes.chunks(16 << 10) {
                records.feed(chunk, now, |_, text| seen += text.trim_end().len());
            }
            assert!(seen >= 3 * MAX_EVENT_BYTES);
            (records, seen) = (Records::default(), 0);
        }
    }

    #[test]
    fn an_impossible_time_is_the_present() {
        let mut records = Records::default();
        let mut times = Vec::new();
        let now = 1_800_000_000_000;
        let day = 24 * 60 * 60 * 1_000;
        for at in [now, now - day, now + 1, now - day - 1, 0, 1 << 63, u64::MAX] {
            let now = Timestamp::from_millis(i64::try_from(now).unwrap());
            records.feed(&record(1, at, b""), now, |at, _| times.push(at.millis()));
        }
        let now = i64::try_from(now).unwrap();
        let mut expected = vec![now; 7];
        expected[1] = now - i64::try_from(day).unwrap();
        assert_eq!(times, expected);
    }
}
