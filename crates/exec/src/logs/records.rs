//! Log records from our bootstraps: each is one event, however many lines it has.
//!
//! A record is a little-endian `u32` kind, a `u32` length, a `u64` of milliseconds since the epoch,
//! and that many bytes of UTF-8. Kind 1 is one event. Kinds 2 and 3 are pieces of the language's
//! standard output and error: lines, of which each is one event, in their true order among the
//! records.

use base::Timestamp;

use super::lines::{Lines, MAX_EVENT_BYTES, clamp};

const PREFIX: usize = 16;
/// No bootstrap sends longer ones; see [`MAX_EVENT_BYTES`].
const MAX_RECORD: usize = 64 << 20;

/// Turns bytes of the pipe into events.
#[derive(Debug, Default)]
pub(super) struct Records {
    pending: Vec<u8>,
    output: Lines,
    error: Lines,
    /// Whether somebody wrote to the pipe who does not speak the format. Then all of it is lines.
    broken: bool,
}

impl Records {
    /// Takes what was read, and gives each event that is complete with the instant it bears.
    pub(super) fn feed(
        &mut self,
        bytes: &[u8],
        now: Timestamp,
        mut event: impl FnMut(Timestamp, String),
    ) {
        if self.broken {
            return self.output.feed(bytes, |line| event(now, line));
        }
        self.pending.extend_from_slice(bytes);
        let mut rest = self.pending.as_slice();
        while rest.len() >= PREFIX {
            let number = |at: usize| {
                u32::from_le_bytes([rest[at], rest[at + 1], rest[at + 2], rest[at + 3]])
            };
            let (kind, length) = (number(0), number(4) as usize);
            let at = i64::from(number(8)) | i64::from(number(12)) << 32;
            if !(1..=3).contains(&kind) || length > MAX_RECORD {
                self.broken = true;
                self.output.feed(rest, |line| event(now, line));
                self.pending.clear();
                return;
            }
            let Some(text) = rest.get(PREFIX..PREFIX + length) else {
                break;
            };
            let at = Timestamp::from_millis(at);
            match kind {
                1 => whole(text, |text| event(at, text)),
                2 => self.output.feed(text, |line| event(at, line)),
                _ => self.error.feed(text, |line| event(at, line)),
            }
            rest = &rest[PREFIX + length..];
        }
        let used = self.pending.len() - rest.len();
        self.pending.drain(..used);
    }

    /// Gives the last lines, which lack their end.
    pub(super) fn finish(&mut self, mut event: impl FnMut(String)) {
        self.output.finish(&mut event);
        self.error.finish(&mut event);
    }
}

/// One event with exactly one line end, in pieces if it is too long for one.
fn whole(text: &[u8], mut event: impl FnMut(String)) {
    let mut text = text.strip_suffix(b"\n").unwrap_or(text);
    while text.len() > MAX_EVENT_BYTES {
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
        let long = vec![b'x'; MAX_EVENT_BYTES + 10];
        let pieces = events(&[&record(1, 1, &long)]);
        assert_eq!(pieces.len(), 2);
        assert_eq!(pieces[1].1, "xxxxxxxxxx\n");
    }
}
