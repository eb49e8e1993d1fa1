//! CreateDomainName, GetDomainName, GetDomainNames, UpdateDomainName, DeleteDomainName.

use std::sync::Arc;

use service::{RequestContext, ServiceError};
use store::Batch;
use wire::Value;

use super::{Answer, State, nothing, paged_as, text};
use crate::change::fresh_id;
use crate::directory::OwnedDomain;
use crate::records::{DOMAINS, Domain, DomainConfiguration, Texts};
use crate::{ApiGatewayV2, error, shape};

/// The caller's domain of that name.
pub fn find(
    state: &ApiGatewayV2,
    context: &RequestContext,
    name: &str,
) -> Result<OwnedDomain, ServiceError> {
    let found = state
        .directory
        .domains
        .read()
        .get(&name.to_ascii_lowercase())
        .cloned();
    found
        .filter(|it| it.account == context.account && it.region == context.region)
        .ok_or_else(|| error::not_found("domain name", name))
}

/// Keeps a domain, and then serves it.
pub async fn save(
    state: &ApiGatewayV2,
    context: &RequestContext,
    record: Domain,
) -> Result<Arc<Domain>, ServiceError> {
    let key = (
        context.account.as_str(),
        context.region.as_str(),
        record.domain_name.as_str(),
    );
    let mut batch = Batch::new();
    let put = DOMAINS.put(&mut batch, key, &record);
    state.commit(put.map(|()| batch)).await?;
    let record = Arc::new(record);
    let owned = OwnedDomain {
        account: context.account,
        region: context.region.clone(),
        record: Arc::clone(&record),
    };
    let mut domains = state.directory.domains.write();
    domains.insert(record.domain_name.clone(), owned);
    Ok(record)
}

fn complete(context: &RequestContext, domain: &mut Domain) -> Result<(), ServiceError> {
    if domain.domain_name_configurations.len() > 1 {
        return Err(error::bad_request(
            "A domain name has at most one configuration",
        ));
    }
    if domain.mutual_tls_authentication.is_some() {
        return Err(error::not_yet("mutual TLS of custom domains"));
    }
    if domain
        .routing_mode
        .as_deref()
        .is_some_and(|mode| mode != "API_MAPPING_ONLY")
    {
        return Err(error::not_yet("routing rules of custom domains"));
    }
    if domain.domain_name_configurations.is_empty() {
        domain
            .domain_name_configurations
            .push(DomainConfiguration::default());
    }
    for configuration in &mut domain.domain_name_configurations {
        let endpoint = configuration
            .endpoint_type
            .get_or_insert_with(|| "REGIONAL".to_owned());
        if endpoint != "REGIONAL" {
            return Err(error::bad_request(
                "HTTP and WebSocket APIs support the endpoint type REGIONAL only",
            ));
        }
        let name = format!(
            "d-{}.execute-api.{}.amazonaws.com",
            fresh_id(10),
            context.region
        );
        configuration.api_gateway_domain_name.get_or_insert(name);
        configuration.domain_name_status = Some("AVAILABLE".to_owned());
        configuration
            .security_policy
            .get_or_insert_with(|| "TLS_1_2".to_owned());
        configuration
            .ip_address_type
            .get_or_insert_with(|| "ipv4".to_owned());
        configuration
            .hosted_zone_id
            .get_or_insert_with(|| "Z1UJRXOUMOOFQ8".to_owned());
    }
    Ok(())
}

/// Labels of letters, digits and hyphens; a `*` may stand first. Names of this server's own are not
/// to be had.
fn check_name(name: &str) -> Result<(), ServiceError> {
    let plain = name.strip_prefix("*.").unwrap_or(name);
    let is_label = |label: &str| {
        !label.is_empty()
            && label
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    let is_name = plain.contains('.')
        && plain.split('.').all(is_label)
        && plain.parse::<std::net::IpAddr>().is_err();
    let is_own = ["localhost.localstack.cloud", "amazonaws.com", "on.aws"]
        .iter()
        .any(|own| plain == *own || plain.ends_with(&format!(".{own}")));
    if is_name && !is_own && !is_own_localhost(plain) {
        return Ok(());
    }
    Err(error::bad_request(format!(
        "The provided domain name {name} is invalid"
    )))
}

/// Hosts below `localhost` by which this server knows services, buckets, APIs and functions.
fn is_own_localhost(name: &str) -> bool {
    let Some(labels) = name.strip_suffix(".localhost") else {
        return false;
    };
    let labels: Vec<&str> = labels.split('.').collect();
    let special = ["s3", "execute-api", "lambda-url", "queue"];
    match labels[..] {
        [_] => true,
        [_, region] if region.contains('-') => true,
        _ => labels.iter().any(|label| special.contains(label)),
    }
}

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut domain: Domain = shape::record(shape::members(input))?;
    domain.domain_name.make_ascii_lowercase();
    check_name(&domain.domain_name)?;
    complete(&context, &mut domain)?;
    domain.mappings.clear();
    domain.api_mapping_selection_expression = Some("$request.basepath".to_owned());
    domain
        .routing_mode
        .get_or_insert_with(|| "API_MAPPING_ONLY".to_owned());
    domain.tags.get_or_insert_with(Texts::new);
    domain.domain_name_arn = Some(format!(
        "arn:{}:apigateway:{}::/domainnames/{}",
        context.region.partition(),
        context.region,
        domain.domain_name
    ));
    let _alone = state.writer.lock().await;
    if state
        .directory
        .domains
        .read()
        .contains_key(&domain.domain_name)
    {
        return Err(error::conflict(
            "The domain name you provided already exists.",
        ));
    }
    let domain = save(&state, &context, domain).await?;
    Ok(shape::shown(&*domain))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let domain = find(&state, &context, text(&input, "DomainName"))?;
    Ok(shape::shown(&*domain.record))
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let mut domains: Vec<_> = {
        let domains = state.directory.domains.read();
        let own = domains
            .iter()
            .filter(|(_, it)| it.account == context.account && it.region == context.region);
        own.map(|(name, it)| (name.clone(), Arc::clone(&it.record)))
            .collect()
    };
    domains.sort_by(|(one, _), (other, _)| one.cmp(other));
    paged_as(&input, domains, |domain| shape::shown(&*domain))
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let name = shape::take_text(&mut members, "DomainName");
    let _alone = state.writer.lock().await;
    let before = find(&state, &context, &name)?;
    let mut domain: Domain = shape::changed(&*before.record, members, &[])?;
    complete(&context, &mut domain)?;
    let domain = save(&state, &context, domain).await?;
    Ok(shape::shown(&*domain))
}

/// With its mappings.
pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let _alone = state.writer.lock().await;
    let domain = find(&state, &context, text(&input, "DomainName"))?;
    let name = &domain.record.domain_name;
    let mut batch = Batch::new();
    let key = (
        context.account.as_str(),
        context.region.as_str(),
        name.as_str(),
    );
    DOMAINS.delete(&mut batch, key);
    state.commit(Ok(batch)).await?;
    state.directory.domains.write().remove(name);
    Ok(nothing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_of_this_servers_own_are_not_to_be_had() {
        for name in ["api.example.org", "*.example.org", "api.shop.localhost"] {
            assert!(check_name(name).is_ok(), "{name}");
        }
        for name in [
            "localhost",
            "s3.localhost",
            "sqs.us-east-1.localhost",
            "b.s3.eu-west-1.localhost",
            "x.localhost.localstack.cloud",
            "sqs.us-east-1.amazonaws.com",
            "127.0.0.1",
            "a..b",
            "-a.example.org",
            "a_b.example.org",
        ] {
            assert!(check_name(name).is_err(), "{name}");
        }
    }
}
