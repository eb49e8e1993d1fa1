//! What a queue may be called.
//!
//! <https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>

use super::Fault;

const FIFO_SUFFIX: &str = ".fifo";
const MAX_LENGTH: usize = 80;

/// Whether the name is that of a FIFO queue.
pub fn is_fifo(name: &str) -> bool {
    name.ends_with(FIFO_SUFFIX)
}

/// Checks a name for a new queue of the wanted type: 1 to 80 letters, digits, hyphens and
/// underscores; a FIFO queue's ends with `.fifo`, which counts towards the 80.
pub fn check(name: &str, fifo: bool) -> Result<(), Fault> {
    let stem = if fifo {
        name.strip_suffix(FIFO_SUFFIX)
    } else {
        Some(name)
    };
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    let is_valid = stem.is_some_and(|stem| !stem.is_empty() && stem.bytes().all(legal));
    if is_valid && name.len() <= MAX_LENGTH {
        return Ok(());
    }
    Err(Fault::Parameter(
        if fifo {
            "The name of a FIFO queue can only include alphanumeric characters, hyphens, or \
             underscores, must end with .fifo suffix and be 1 to 80 in length."
        } else {
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length"
        }
        .to_owned(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_both_types() {
        for good in ["a", "A-b_9", &"q".repeat(80)] {
            assert_eq!(check(good, false), Ok(()), "{good}");
        }
        for bad in ["", "a.b", "a.fifo", "a b", "日本", &"q".repeat(81)] {
            assert!(check(bad, false).is_err(), "{bad}");
        }
        assert_eq!(check("orders.fifo", true), Ok(()));
        assert_eq!(check(&format!("{}.fifo", "q".repeat(75)), true), Ok(()));
        for bad in [
            "orders",
            ".fifo",
            "a.b.fifo",
            &format!("{}.fifo", "q".repeat(76)),
        ] {
            assert!(check(bad, true).is_err(), "{bad}");
        }
    }
}
