//! What a `Host` header says: a service, a region, a bucket, or nothing.
//!
//! Known suffixes are `localhost`, LocalStack's `localhost.localstack.cloud` and `amazonaws.com`
//! (for clients that reach us through their own DNS). Forms, before the suffix:
//! `<service>`, `<service>.<region>`, `<bucket>.s3`, `<bucket>.s3.<region>`, `<region>.queue`.

use proxy::address;

/// The parts of a host name that route a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostHint {
    /// The service label, such as `lambda` or `s3`.
    pub service: Option<String>,
    pub region: Option<String>,
    /// The bucket of a virtual-host S3 request; may itself contain dots.
    pub bucket: Option<String>,
    /// Whether the bucket is asked for as a website.
    pub website: bool,
}

const SUFFIXES: &[&str] = &[
    ".localhost.localstack.cloud",
    ".localhost",
    ".amazonaws.com",
    ".amazonaws.com.cn",
];

/// The name in a `Host` header's value, in lowercase and without its port.
pub fn name(authority: &str) -> String {
    address::host(authority).to_ascii_lowercase()
}

/// Reads a `Host` header's value, port included.
pub fn parse(authority: &str) -> HostHint {
    let host = name(authority);
    let Some(labels) = SUFFIXES.iter().find_map(|suffix| host.strip_suffix(suffix)) else {
        return HostHint::default();
    };
    if let Some((bucket, region)) = website(labels) {
        return HostHint {
            service: Some("s3".to_owned()),
            region,
            bucket: Some(bucket.to_owned()),
            website: true,
        };
    }
    if let Some((bucket, region)) = virtual_bucket(labels) {
        return HostHint {
            service: Some("s3".to_owned()),
            region,
            bucket: Some(bucket.to_owned()),
            website: false,
        };
    }
    let mut parts = labels.split('.');
    let (first, second) = (parts.next(), parts.next());
    match (first, second, parts.next()) {
        // The old SQS form, `us-east-1.queue.localhost`.
        (Some(region), Some("queue"), None) => hint("sqs", Some(region)),
        (Some("queue"), None, None) => hint("sqs", None),
        (Some(service), region, None) if !service.is_empty() => hint(service, region),
        _ => HostHint::default(),
    }
}

fn hint(service: &str, region: Option<&str>) -> HostHint {
    HostHint {
        service: Some(service.to_owned()),
        region: region.map(str::to_owned),
        bucket: None,
        website: false,
    }
}

/// `my.bucket.s3` and `my.bucket.s3.eu-west-1`: the last `s3` label that has something before it.
fn virtual_bucket(labels: &str) -> Option<(&str, Option<String>)> {
    if let Some(bucket) = labels.strip_suffix(".s3") {
        return Some((bucket, None));
    }
    let (head, region) = labels.rsplit_once('.')?;
    let bucket = head.strip_suffix(".s3")?;
    Some((bucket, Some(region.to_owned())))
}

/// `my.bucket.s3-website`, `….s3-website.eu-west-1` and the older `….s3-website-eu-west-1`.
fn website(labels: &str) -> Option<(&str, Option<String>)> {
    let (bucket, rest) = labels.rsplit_once(".s3-website")?;
    let region = match rest.split_at_checked(1) {
        None => None,
        Some(("." | "-", region)) if !region.contains('.') => Some(region.to_owned()),
        Some(_) => return None,
    };
    Some((bucket, region))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(name: &str, region: Option<&str>) -> HostHint {
        HostHint {
            bucket: Some(name.to_owned()),
            ..hint("s3", region)
        }
    }

    #[test]
    fn virtual_buckets_in_every_form() {
        assert_eq!(parse("b.s3.localhost:4566"), bucket("b", None));
        assert_eq!(parse("my.b.s3.localhost"), bucket("my.b", None));
        assert_eq!(
            parse("b.s3.eu-west-1.localhost"),
            bucket("b", Some("eu-west-1"))
        );
        let localstack = "b.s3.us-east-1.localhost.localstack.cloud:4566";
        assert_eq!(parse(localstack), bucket("b", Some("us-east-1")));
        assert_eq!(
            parse("b.s3.localhost.localstack.cloud:4566"),
            bucket("b", None)
        );
    }

    #[test]
    fn websites_in_every_form() {
        for (host, region) in [
            ("my.b.s3-website.localhost:4566", None),
            ("my.b.s3-website.eu-west-1.localhost", Some("eu-west-1")),
            ("my.b.s3-website-us-east-1.amazonaws.com", Some("us-east-1")),
        ] {
            let expected = HostHint {
                website: true,
                ..bucket("my.b", region)
            };
            assert_eq!(parse(host), expected, "{host}");
        }
        assert_eq!(parse("b.s3-websites.x.localhost").bucket, None);
    }

    #[test]
    fn services_and_regions() {
        assert_eq!(parse("s3.localhost:4566"), hint("s3", None));
        let sqs = "sqs.ap-northeast-1.localhost.localstack.cloud:4566";
        assert_eq!(parse(sqs), hint("sqs", Some("ap-northeast-1")));
        let old = "us-east-1.queue.localhost.localstack.cloud";
        assert_eq!(parse(old), hint("sqs", Some("us-east-1")));
        assert_eq!(
            parse("lambda.us-east-1.amazonaws.com"),
            hint("lambda", Some("us-east-1"))
        );
    }

    #[test]
    fn plain_hosts_say_nothing() {
        for plain in [
            "localhost:4566",
            "127.0.0.1:4566",
            "[::1]:4566",
            "example.com",
            "",
            ":",
            "localhost.localstack.cloud:4566",
        ] {
            assert_eq!(parse(plain), HostHint::default(), "{plain}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_host_is_read_without_a_panic(host in ".{0,80}") {
            let _ = parse(&host);
        }

        #[test]
        fn every_bucket_is_found_again(name in "[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]") {
            let hint = parse(&format!("{name}.s3.localhost:4566"));
            proptest::prop_assert_eq!(hint.bucket, Some(name));
        }
    }
}
