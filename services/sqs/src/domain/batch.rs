//! Rules every batch request shares.

use std::collections::HashSet;

use super::Fault;

pub const MAX_ENTRIES: usize = 10;
const MAX_ID_LENGTH: usize = 80;

/// Checks the ids of a batch: 1 to 10 of them, distinct, each of up to 80 letters, digits, hyphens
/// and underscores. `entry_shape` is the model's name of an entry, for the message.
pub fn check<'a>(
    ids: impl ExactSizeIterator<Item = &'a str>,
    entry_shape: &str,
) -> Result<(), Fault> {
    let count = ids.len();
    if count == 0 {
        return Err(Fault::EmptyBatch(format!(
            "There should be at least one {entry_shape} in the request."
        )));
    }
    if count > MAX_ENTRIES {
        return Err(Fault::TooManyEntries(format!(
            "Maximum number of entries per request are {MAX_ENTRIES}. You have sent {count}."
        )));
    }
    let mut seen = HashSet::with_capacity(count);
    for id in ids {
        if !is_entry_id(id) {
            return Err(Fault::EntryId(
                "A batch entry id can only contain alphanumeric characters, hyphens and \
                 underscores. It can be at most 80 letters long."
                    .to_owned(),
            ));
        }
        if !seen.insert(id) {
            return Err(Fault::EntryIdsNotDistinct(format!("Id {id} repeated.")));
        }
    }
    Ok(())
}

fn is_entry_id(id: &str) -> bool {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
    (1..=MAX_ID_LENGTH).contains(&id.len()) && id.bytes().all(legal)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn checked(ids: &[&str]) -> Result<(), Fault> {
        check(ids.iter().copied(), "SendMessageBatchRequestEntry")
    }

    #[test]
    fn counts_ids_and_repeats() {
        assert_eq!(checked(&["a", "b-_9"]), Ok(()));
        assert!(matches!(checked(&[]), Err(Fault::EmptyBatch(_))));
        let twenty: Vec<String> = (0..20).map(|n| n.to_string()).collect();
        let twenty: Vec<&str> = twenty.iter().map(String::as_str).collect();
        assert_eq!(
            checked(&twenty).unwrap_err().to_string(),
            "Maximum number of entries per request are 10. You have sent 20."
        );
        for bad in ["", "invalid:id", &"x".repeat(81)] {
            assert!(matches!(checked(&[bad]), Err(Fault::EntryId(_))), "{bad}");
        }
        assert_eq!(
            checked(&["a", "a"]),
            Err(Fault::EntryIdsNotDistinct("Id a repeated.".into()))
        );
    }
}
