//! CreateDomainName, GetDomainName, GetDomainNames, UpdateDomainName, DeleteDomainName.
//!
//! A request to the name, by its Host header, goes where its base path mappings say. Certificates are
//! kept by name only: TLS is not the domain's.

use service::{RequestContext, ServiceError};

use super::rest_apis::whole_seconds;
use super::{NOTHING, State, check_tags, entries, shown};
use crate::domain::{ids, patch, patches};
use crate::error::{bad_request, conflict, not_found};
use crate::g;

pub fn unknown() -> ServiceError {
    not_found("Invalid domain name identifier specified")
}

pub async fn create(
    service: State,
    context: RequestContext,
    input: g::CreateDomainNameRequest,
) -> Result<g::DomainName, ServiceError> {
    check_tags(input.tags.as_ref())?;
    let name = input.domain_name.to_ascii_lowercase();
    let fits = |c: char| c.is_ascii_alphanumeric() || "-.*".contains(c);
    if name.is_empty() || name.len() > 253 || !name.chars().all(fits) {
        return Err(bad_request("The domain name to be provided is invalid"));
    }
    if input.mutual_tls_authentication.is_some() {
        return Err(bad_request(
            "Kagero does not authenticate clients by certificate: a domain cannot have mutualTlsAuthentication yet",
        ));
    }
    let mut endpoint = input.endpoint_configuration.unwrap_or_default();
    endpoint
        .types
        .get_or_insert_with(|| vec![g::EndpointType::Edge]);
    endpoint
        .ip_address_type
        .get_or_insert(g::IpAddressType::Ipv4);
    let is_edge = endpoint
        .types
        .iter()
        .flatten()
        .any(|kind| *kind == g::EndpointType::Edge);
    // Requests reach the name through the server's own address.
    let target = Some(format!(
        "d-{}.execute-api.{}.localhost",
        ids::long(),
        context.region
    ));
    let has_certificate = input.certificate_arn.is_some() || input.certificate_name.is_some();
    let domain = g::DomainName {
        domain_name: Some(name.clone()),
        domain_name_arn: Some(format!(
            "arn:{}:apigateway:{}::/domainnames/{name}",
            context.region.partition(),
            context.region
        )),
        certificate_name: input.certificate_name,
        certificate_arn: input.certificate_arn,
        certificate_upload_date: has_certificate.then(|| whole_seconds(context.received_at)),
        regional_domain_name: target.clone().filter(|_| !is_edge),
        regional_certificate_name: input.regional_certificate_name,
        regional_certificate_arn: input.regional_certificate_arn,
        distribution_domain_name: target.filter(|_| is_edge),
        endpoint_configuration: Some(endpoint),
        domain_name_status: Some(g::DomainNameStatus::Available),
        security_policy: Some(input.security_policy.unwrap_or(g::SecurityPolicy::Tls1_2)),
        endpoint_access_mode: input.endpoint_access_mode,
        tags: entries(input.tags),
        ownership_verification_certificate_arn: input.ownership_verification_certificate_arn,
        policy: input.policy,
        routing_mode: input.routing_mode,
        ..g::DomainName::default()
    };
    if service.knows_domain(&name) {
        return Err(conflict("The domain name you provided already exists."));
    }
    service
        .change(&context, |inventory| {
            if inventory.domains.has(&name) {
                return Err(conflict("The domain name you provided already exists."));
            }
            Ok(super::replace(&mut inventory.domains, &name, domain))
        })
        .await
}

pub async fn get(
    service: State,
    context: RequestContext,
    input: g::GetDomainNameRequest,
) -> Result<g::DomainName, ServiceError> {
    let inventory = service.inventory(&context);
    let domain = inventory
        .domains
        .get(&input.domain_name)
        .ok_or_else(unknown)?;
    Ok(g::DomainName::clone(domain))
}

pub async fn list(
    service: State,
    context: RequestContext,
    input: g::GetDomainNamesRequest,
) -> Result<g::DomainNames, ServiceError> {
    let inventory = service.inventory(&context);
    let (items, position) = shown(&inventory.domains, input.position.as_deref(), input.limit)?;
    Ok(g::DomainNames {
        position,
        items: Some(items),
    })
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateDomainNameRequest,
) -> Result<g::DomainName, ServiceError> {
    service
        .change(&context, |inventory| {
            let before = inventory
                .domains
                .get(&input.domain_name)
                .ok_or_else(unknown)?;
            let rules = patches::DOMAIN_NAME;
            let domain = patch::patched(&**before, input.patch_operations, rules)?;
            Ok(super::replace(
                &mut inventory.domains,
                &input.domain_name,
                domain,
            ))
        })
        .await
}

/// With its mappings.
pub async fn delete(
    service: State,
    context: RequestContext,
    input: g::DeleteDomainNameRequest,
) -> Result<wire::Unit, ServiceError> {
    service
        .change(&context, |inventory| {
            inventory
                .domains
                .remove(&input.domain_name)
                .ok_or_else(unknown)?;
            let prefix = format!("{}/", input.domain_name);
            inventory
                .mappings
                .retain(|name, _| !name.starts_with(&prefix));
            Ok(NOTHING)
        })
        .await
}
