//! Splits raw output into lines, each one log event.

/// Longest message of one event: 256 KB less what CloudWatch Logs counts for each event.
/// <https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_PutLogEvents.html>
pub(super) const MAX_EVENT_BYTES: usize = (256 << 10) - 26;

/// A stream of bytes whose line ends are not where reads end.
#[derive(Debug, Default)]
pub(super) struct Lines {
    unfinished: Vec<u8>,
}

impl Lines {
    /// Gives each line that is complete, with its end; a longer one than an event may be in pieces.
    pub(super) fn feed(&mut self, mut bytes: &[u8], mut event: impl FnMut(String)) {
        while let Some(end) = bytes.iter().position(|byte| *byte == b'\n') {
            self.append(&bytes[..=end], &mut event);
            self.flush(&mut event);
            bytes = &bytes[end + 1..];
        }
        self.append(bytes, &mut event);
    }

    /// Gives the last line, which lacks its end.
    pub(super) fn finish(&mut self, mut event: impl FnMut(String)) {
        if !self.unfinished.is_empty() {
            self.unfinished.push(b'\n');
            self.flush(&mut event);
        }
    }

    fn append(&mut self, mut bytes: &[u8], event: &mut impl FnMut(String)) {
        while self.unfinished.len() + bytes.len() > MAX_EVENT_BYTES {
            let room = MAX_EVENT_BYTES - self.unfinished.len();
            self.unfinished.extend_from_slice(&bytes[..room]);
            bytes = &bytes[room..];
            let cut = clamp(&self.unfinished, MAX_EVENT_BYTES);
            let rest = self.unfinished.split_off(cut);
            self.flush(event);
            self.unfinished = rest;
        }
        self.unfinished.extend_from_slice(bytes);
    }

    fn flush(&mut self, event: &mut impl FnMut(String)) {
        let line = std::mem::take(&mut self.unfinished);
        match String::from_utf8(line) {
            Ok(line) => event(line),
            Err(error) => event(String::from_utf8_lossy(error.as_bytes()).into_owned()),
        }
    }
}

/// The largest cut at most at `limit` that parts no UTF-8 character.
pub(super) fn clamp(bytes: &[u8], limit: usize) -> usize {
    let limit = limit.min(bytes.len());
    let is_start = |at: &usize| bytes.get(*at).is_none_or(|byte| byte & 0xC0 != 0x80);
    // A character has four bytes at most; anything else is not UTF-8 and may be cut anywhere.
    (limit.saturating_sub(3)..=limit)
        .rev()
        .find(is_start)
        .filter(|cut| *cut > 0)
        .unwrap_or(limit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<String> {
        let mut lines = Lines::default();
        let mut events = Vec::new();
        for chunk in chunks {
            lines.feed(chunk, |line| events.push(line));
        }
        lines.finish(|line| events.push(line));
        events
    }

    #[test]
    fn lines_are_whole_wherever_reads_end() {
        let text = "one\n\ntwo é\nlast".as_bytes();
        for cut in 0..text.len() {
            let split = lines(&[&text[..cut], &text[cut..]]);
            assert_eq!(split, ["one\n", "\n", "two é\n", "last\n"], "cut at {cut}");
        }
    }

    #[test]
    fn an_endless_line_is_cut_between_characters() {
        let text = "é".repeat(MAX_EVENT_BYTES);
        let events = lines(&[text.as_bytes()]);
        assert_eq!(events.concat().trim_end(), text);
        assert!(
            events
                .iter()
                .all(|event| event.len() <= MAX_EVENT_BYTES + 1)
        );
        assert!(events.len() >= 2);
    }

    #[test]
    fn what_is_not_utf8_is_kept_legible() {
        assert_eq!(lines(&[b"a\xffb\n"]), ["a\u{fffd}b\n"]);
    }
}
