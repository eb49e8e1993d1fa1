//! Queue URLs: which queue one names, and the one we answer with.
//!
//! A client may have reached us, or another emulator, by any host: only the path counts, and if
//! there is such a queue the region that the host names.

use base::{AccountId, Region};

/// The queue a URL names. The region is there only in LocalStack's `/queue/<region>/...` form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QueueAddress {
    pub account: AccountId,
    pub region: Option<Region>,
    /// What its host says, which another server's may do.
    pub host_region: Option<Region>,
    pub name: String,
}

/// Reads `http(s)://host/<account>/<name>`, `/queue/<region>/<account>/<name>` or
/// `/queue/<account>/<name>`; `None` if it is none of them. The host says a region in the forms
/// `sqs.<region>.<domain>`, `<region>.queue.<domain>` and `<region>.sqs.<domain>`.
pub fn parse(url: &str) -> Option<QueueAddress> {
    let (host, path) = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?,
        None => ("", url.strip_prefix('/')?),
    };
    let path = path.split(['?', '#']).next()?;
    let segments: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    let (region, account, name) = match segments[..] {
        [account, name] | ["queue", account, name] => (None, account, name),
        ["queue", region, account, name] => (Some(region.parse().ok()?), account, name),
        _ => return None,
    };
    Some(QueueAddress {
        account: account.parse().ok()?,
        region,
        host_region: region_of(host),
        name: name.to_owned(),
    })
}

fn region_of(host: &str) -> Option<Region> {
    let mut labels = host.split('.');
    let (first, second) = (labels.next()?, labels.next()?);
    let (("sqs" | "sqs-fips", region) | (region, "queue" | "sqs")) = (first, second) else {
        return None;
    };
    // `sqs.localhost` names no region.
    let is_region =
        region.matches('-').count() >= 2 && region.ends_with(|c: char| c.is_ascii_digit());
    is_region.then(|| region.parse().ok())?
}

/// The URL of a queue for a client that reaches us by `authority` (host and port).
pub fn format(authority: &str, account: AccountId, name: &str) -> String {
    format!("http://{authority}/{account}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_host_and_every_known_path() {
        for (url, region) in [
            ("http://localhost:4566/000000000000/q.fifo", None),
            ("/000000000000/q.fifo", None),
            (
                "https://sqs.us-east-1.amazonaws.com/000000000000/q.fifo",
                None,
            ),
            (
                "http://sqs.eu-west-1.localhost.localstack.cloud:4566/000000000000/q.fifo",
                None,
            ),
            ("http://localhost:4566/queue/000000000000/q.fifo/", None),
            (
                "http://h/queue/eu-west-1/000000000000/q.fifo?x=1",
                Some("eu-west-1"),
            ),
        ] {
            let address = parse(url).unwrap();
            assert_eq!(address.account, AccountId::DEFAULT, "{url}");
            assert_eq!(address.name, "q.fifo", "{url}");
            assert_eq!(address.region.as_ref().map(Region::as_str), region, "{url}");
        }
    }

    #[test]
    fn regions_in_hosts() {
        for (host, region) in [
            ("sqs.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("eu-west-1.queue.localhost:4566", Some("eu-west-1")),
            ("us-gov-west-1.queue.amazonaws.com", Some("us-gov-west-1")),
            ("sqs.localhost:4566", None),
            ("localhost:4566", None),
            ("127.0.0.1:4566", None),
        ] {
            let address = parse(&format!("http://{host}/000000000000/q")).unwrap();
            assert_eq!(
                address.host_region.as_ref().map(Region::as_str),
                region,
                "{host}"
            );
        }
    }

    #[test]
    fn what_is_no_queue_url() {
        for bad in [
            "",
            "q",
            "http://host",
            "http://host/",
            "http://h/q",
            "http://h/1/q",
            "://",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn what_we_answer_leads_back() {
        let url = format("127.0.0.1:4566", AccountId::DEFAULT, "orders");
        assert_eq!(url, "http://127.0.0.1:4566/000000000000/orders");
        assert_eq!(parse(&url).unwrap().name, "orders");
    }
}
