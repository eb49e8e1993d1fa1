//! Recursive loops: how often a chain of events has been through each function, which its trace
//! header carries along.
//!
//! Lambda counts in the header's `Lineage`, and what passes the header on, the SDKs, SQS and S3,
//! keeps it. <https://docs.aws.amazon.com/lambda/latest/dg/invocation-recursion.html>

use std::fmt::Write as _;

use base::{Arn, Timestamp};
use sha2::{Digest, Sha256};

/// Times that a chain may reach one function. Lambda says about sixteen.
pub const MAX_VISITS: u32 = 16;
/// Functions that a header counts; the first of a longer chain are forgotten.
const MAX_FUNCTIONS: usize = 16;
/// Longest header that is read, in bytes.
const MAX_HEADER: usize = 2_048;

/// A header with this visit counted, and how many that makes. Without a header a chain begins.
pub fn visit(header: Option<&str>, function: &Arn, now: Timestamp) -> (String, u32) {
    let header = header.filter(|header| header.len() <= MAX_HEADER && header.contains("Root="));
    let Some(header) = header else {
        let root = format!(
            "Root=1-{:08x}-{:08x}{:016x};Parent={:016x};Sampled=0",
            now.seconds(),
            rand::random::<u32>(),
            rand::random::<u64>(),
            rand::random::<u64>()
        );
        return (with_lineage(&[root.as_str()], &[(name(function), 1)]), 1);
    };
    let (mut others, mut counts) = (Vec::new(), Vec::new());
    for field in header.split(';').filter(|field| !field.is_empty()) {
        match field.trim().strip_prefix("Lineage=") {
            Some(lineage) => counts.extend(lineage.split('|').filter_map(count)),
            None => others.push(field),
        }
    }
    let name = name(function);
    let mut visits = 1;
    if let Some((_, seen)) = counts.iter_mut().find(|(other, _)| *other == name) {
        *seen = seen.saturating_add(1);
        visits = *seen;
    } else {
        counts.push((name, visits));
    }
    let first = counts.len().saturating_sub(MAX_FUNCTIONS);
    (with_lineage(&others, &counts[first..]), visits)
}

/// How often the chain of a header has been through a function.
pub fn visits(header: Option<&str>, function: &Arn) -> u32 {
    let name = name(function);
    let lineage = header
        .into_iter()
        .flat_map(|header| header.split(';'))
        .filter_map(|field| field.trim().strip_prefix("Lineage="));
    let mut counts = lineage.flat_map(|lineage| lineage.split('|').filter_map(count));
    let own = counts.find(|(other, _)| *other == name);
    own.map_or(0, |(_, visits)| visits)
}

fn count(text: &str) -> Option<(String, u32)> {
    let (name, visits) = text.split_once(':')?;
    let is_name = name.len() == 8 && name.bytes().all(|byte| byte.is_ascii_hexdigit());
    Some((name.to_owned(), visits.parse().ok()?)).filter(|_| is_name)
}

/// Eight hexadecimal digits.
fn name(function: &Arn) -> String {
    let [a, b, c, d, ..] = Sha256::digest(function.to_text()).0;
    format!("{:08x}", u32::from_be_bytes([a, b, c, d]))
}

fn with_lineage(others: &[&str], counts: &[(String, u32)]) -> String {
    let mut header = String::with_capacity(160);
    for other in others {
        header.push_str(other);
        header.push(';');
    }
    for (at, (name, visits)) in counts.iter().enumerate() {
        header.push_str(if at == 0 { "Lineage=" } else { "|" });
        // Writing to a string cannot fail.
        let _ = write!(header, "{name}:{visits}");
    }
    header
}

#[cfg(test)]
mod tests {
    use super::*;

    fn function(name: &str) -> Arn {
        format!("arn:aws:lambda:us-east-1:000000000000:function:{name}")
            .parse()
            .unwrap()
    }

    #[test]
    fn every_visit_of_a_chain_is_counted_by_function() {
        let now = Timestamp::from_millis(0);
        let (mut header, mut seen) = (None, 0);
        for _ in 0..5 {
            let (next, visits) = visit(header.as_deref(), &function("a"), now);
            assert_eq!(visits, seen + 1);
            let (next, _) = visit(Some(&next), &function("b"), now);
            (header, seen) = (Some(next), visits);
        }
        assert_eq!(visits(header.as_deref(), &function("b")), 5);
        assert_eq!(visits(header.as_deref(), &function("c")), 0);
        assert_eq!(header.unwrap().matches("Root=").count(), 1);
    }

    #[test]
    fn what_a_client_made_up_does_no_harm() {
        let now = Timestamp::from_millis(0);
        let long = format!("Root=1;Lineage={}", "00000000:1|".repeat(100));
        for header in [
            "",
            ";;;",
            "Lineage=",
            "Root=1;Lineage=x|y:z|:|00000000:99999999999",
            &"Root=".repeat(1_000),
            &long,
        ] {
            let (next, visits) = visit(Some(header), &function("a"), now);
            assert_eq!(visits, 1, "{header}");
            assert!(next.starts_with("Root="), "{next}");
            assert!(next.len() < 1_500, "{}", next.len());
        }
    }

    proptest::proptest! {
        #[test]
        fn any_header_is_counted_on(header in "(Root=[0-9a-f-]{0,20})?[;|:= a-zA-Z0-9]{0,200}") {
            let now = Timestamp::from_millis(0);
            let (once, first) = visit(Some(&header), &function("a"), now);
            let (twice, second) = visit(Some(&once), &function("a"), now);
            proptest::prop_assert_eq!(second, first + 1);
            proptest::prop_assert_eq!(visits(Some(&twice), &function("a")), second);
        }
    }
}
