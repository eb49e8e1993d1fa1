//! Adding up the summaries of test binaries.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::Context;

/// Counts over all test binaries run so far.
#[derive(Default)]
pub struct Totals {
    pub passed: u64,
    pub failed: u64,
    pub skipped: u64,
}

impl Totals {
    /// Runs a command, passing its output on and adding up the summaries in it. Returns whether it
    /// ended well.
    pub fn run(&mut self, command: &mut Command) -> anyhow::Result<bool> {
        let mut child = command
            .stdout(Stdio::piped())
            .spawn()
            .context("start the tests")?;
        let stdout = child.stdout.take().expect("stdout is piped");
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            self.add(&line);
            println!("{line}");
        }
        Ok(child.wait()?.success())
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
        self.passed += count("passed");
        self.failed += count("failed");
        self.skipped += count("ignored");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries_add_up() {
        let mut totals = Totals::default();
        totals.add("test result: ok. 7 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out");
        totals.add("test result: FAILED. 2 passed; 3 failed; 0 ignored; 0 measured");
        totals.add("running 3 tests");
        assert_eq!((totals.passed, totals.failed, totals.skipped), (9, 3, 1));
    }
}
