//! Adding up what test binaries say, and showing why tests skipped themselves.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::Context;

/// What a test prints before it ends early because this machine cannot run it.
const SKIPPED: &str = "skipped: ";

/// Counts over all test binaries run so far.
#[derive(Default)]
pub struct Totals {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
    /// Tests of the present binary that ended early.
    ended_early: u64,
    quoted: Quoted,
}

/// Whose output is being quoted, below the list of results.
#[derive(Default)]
enum Quoted {
    #[default]
    Nobody,
    /// Tests that passed; the name of the present one, until it has said that it skipped itself.
    Successes(Option<String>),
}

impl Totals {
    /// Runs test binaries that were told `--show-output`, passes on what matters, and adds up their
    /// summaries. Returns whether all ended well.
    pub fn run(&mut self, command: &mut Command) -> anyhow::Result<bool> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("start the tests")?;
        let stdout = child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            if let Some(line) = self.read(&String::from_utf8_lossy(&line)) {
                println!("{line}");
            }
        }
        Ok(child.wait()?.success())
    }

    /// Takes one line of output; returns what to show of it.
    pub fn read(&mut self, line: &str) -> Option<String> {
        if line == "successes:" {
            self.quoted = Quoted::Successes(None);
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.quoted = Quoted::Nobody;
        }
        let Quoted::Successes(test) = &mut self.quoted else {
            self.add(line);
            return Some(line.to_owned());
        };
        if let Some(name) = line
            .strip_prefix("---- ")
            .and_then(|l| l.strip_suffix(" stdout ----"))
        {
            *test = Some(name.to_owned());
        } else if let Some(why) = line.strip_prefix(SKIPPED) {
            let test = test.take()?;
            self.ended_early += 1;
            return Some(format!("skipped {test}: {why}"));
        }
        None
    }

    /// Reads `test result: ok. 7 passed; 0 failed; 1 ignored; …`.
    fn add(&mut self, line: &str) {
        let Some(summary) = line.strip_prefix("test result: ") else {
            return;
        };
        let count = |word: &str| -> u64 {
            summary
                .split([';', '.'])
                .find_map(|part| part.trim().strip_suffix(word)?.trim().parse().ok())
                .unwrap_or(0)
        };
        let ended_early = std::mem::take(&mut self.ended_early);
        // A test that failed may quote a summary of its own, of fewer tests.
        self.passed += count("passed").saturating_sub(ended_early);
        self.failed += count("failed");
        self.skipped += count("ignored") + ended_early;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_add_up() {
        let mut totals = Totals::default();
        let mut read = |line| totals.read(line);
        read("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        read("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured");
        read("running 3 tests");
        assert_eq!((totals.passed, totals.failed, totals.skipped), (9, 3, 1));
    }

    #[test]
    fn a_summary_that_a_failed_test_quotes_does_not_end_the_run() {
        let mut totals = Totals::default();
        let output = "successes:\n\n---- a stdout ----\nskipped: no C compiler\n\n\
                      failures:\n\n---- c stdout ----\n\
                      test result: FAILED. 0 passed; 1 failed; 0 ignored; 0 measured\n\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured";
        for line in output.lines() {
            totals.read(line);
        }
        assert!(totals.failed > 0);
    }

    #[test]
    fn a_test_that_skipped_itself_has_not_passed() {
        let mut totals = Totals::default();
        let output = "test a ... ok\n\nsuccesses:\n\n---- a stdout ----\nchatter\nskipped: no C \
                      compiler\n\n\nsuccesses:\n    a\n    b\n\nfailures:\n\n---- c stdout ----\nwhy\n\n\
                      test result: FAILED. 2 passed; 1 failed; 0 ignored; 0 measured";
        let shown: Vec<String> = output
            .lines()
            .filter_map(|line| totals.read(line))
            .collect();
        assert_eq!((totals.passed, totals.failed, totals.skipped), (1, 1, 1));
        let shown = shown.join("\n");
        assert!(
            shown.contains("skipped a: no C compiler") && shown.contains("why"),
            "{shown}"
        );
        assert!(!shown.contains("chatter"), "{shown}");
    }
}
