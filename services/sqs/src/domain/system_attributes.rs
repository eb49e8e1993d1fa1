//! The attributes SQS itself gives a message, and which of them a receiver asked for.

use super::Fault;

/// What a ReceiveMessage asks for, from both of its lists.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    all: bool,
    names: Vec<String>,
}

const KNOWN: &[&str] = &[
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
    "SequenceNumber",
    "MessageDeduplicationId",
    "MessageGroupId",
    "AWSTraceHeader",
    "DeadLetterQueueSourceArn",
];

impl Wanted {
    /// Joins `MessageSystemAttributeNames` with the discontinued `AttributeNames`, which counts as
    /// well. Queue attributes that the older list has always taken are accepted and mean nothing.
    pub fn parse(system: Vec<String>, older: Vec<String>) -> Result<Self, Fault> {
        let mut wanted = Self::default();
        for name in system.into_iter().chain(older) {
            match name.as_str() {
                "All" => wanted.all = true,
                known if KNOWN.contains(&known) => wanted.names.push(name),
                queue if super::attributes::is_known(queue) => {}
                unknown => return Err(Fault::unknown_attribute(unknown)),
            }
        }
        Ok(wanted)
    }

    pub fn wants(&self, name: &str) -> bool {
        self.all || self.names.iter().any(|wanted| wanted == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_lists_count_and_unknown_names_are_refused() {
        let parse = |system: &[&str], older: &[&str]| {
            let owned = |names: &[&str]| names.iter().map(ToString::to_string).collect();
            Wanted::parse(owned(system), owned(older))
        };
        let wanted = parse(&["SenderId"], &["SentTimestamp", "VisibilityTimeout"]).unwrap();
        assert!(wanted.wants("SenderId") && wanted.wants("SentTimestamp"));
        assert!(!wanted.wants("SequenceNumber"));
        assert!(parse(&["All"], &[]).unwrap().wants("AWSTraceHeader"));
        assert_eq!(
            parse(&["Foo"], &[]),
            Err(Fault::AttributeName("Unknown Attribute Foo.".into()))
        );
    }
}
