//! The hosts of registries: `<account>.dkr.ecr.<region>.<suffix>`.

use base::{AccountId, Region};

/// By which names this server's registries go, after the region.
const SUFFIXES: [&str; 4] = [
    "localhost.localstack.cloud",
    "localhost",
    "amazonaws.com",
    "amazonaws.com.cn",
];

/// Whose registry a host is, if it is one's.
pub fn registry(authority: &str) -> Option<(AccountId, Region)> {
    let host = split_port(authority).0.to_ascii_lowercase();
    let (account, rest) = host.split_once(".dkr.ecr.")?;
    let (region, suffix) = rest.split_once('.')?;
    if !SUFFIXES.contains(&suffix) {
        return None;
    }
    Some((account.parse().ok()?, region.parse().ok()?))
}

/// The host of a registry, for a client that has reached this server as `authority`.
pub fn of_registry(authority: &str, account: AccountId, region: &Region) -> String {
    let (host, port) = split_port(authority);
    let suffix = if host.ends_with(SUFFIXES[0]) {
        SUFFIXES[0]
    } else {
        SUFFIXES[1]
    };
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    format!("{account}.dkr.ecr.{region}.{suffix}{port}")
}

fn split_port(authority: &str) -> (&str, Option<&str>) {
    match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|it| it.is_ascii_digit()) => {
            (host, Some(port))
        }
        _ => (authority, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_name_an_account_and_a_region() {
        let found = registry("123456789012.dkr.ecr.eu-west-1.localhost:4566").unwrap();
        assert_eq!(found.0.as_str(), "123456789012");
        assert_eq!(found.1.as_str(), "eu-west-1");
        for host in [
            "123456789012.dkr.ecr.us-east-1.amazonaws.com",
            "123456789012.dkr.ecr.us-east-1.localhost.localstack.cloud:4566",
        ] {
            assert!(registry(host).is_some(), "{host}");
        }
        for other in [
            "localhost:4566",
            "1.dkr.ecr.us-east-1.localhost",
            "123456789012.dkr.ecr.us-east-1.example.com",
            "123456789012.dkr.ecr.localhost",
        ] {
            assert_eq!(registry(other), None, "{other}");
        }
    }

    #[test]
    fn a_client_is_led_back_to_the_name_it_came_by() {
        let of = |authority| of_registry(authority, AccountId::DEFAULT, &Region::us_east_1());
        let plain = "000000000000.dkr.ecr.us-east-1.localhost:4566";
        assert_eq!(of("localhost:4566"), plain);
        assert_eq!(of("127.0.0.1:4566"), plain);
        let long = "000000000000.dkr.ecr.us-east-1.localhost.localstack.cloud:4566";
        assert_eq!(of("localhost.localstack.cloud:4566"), long);
        assert_eq!(of("ecr.us-east-1.localhost.localstack.cloud:4566"), long);
    }
}
