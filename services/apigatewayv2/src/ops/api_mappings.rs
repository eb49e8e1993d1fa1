//! CreateApiMapping, GetApiMapping, GetApiMappings, UpdateApiMapping, DeleteApiMapping.

use service::{RequestContext, ServiceError};
use wire::Value;

use super::{Answer, State, nothing, paged, text};
use crate::change::fresh_id;
use crate::ops::domains;
use crate::records::{ApiMapping, Domain};
use crate::{ApiGatewayV2, error, shape};

fn check(
    state: &ApiGatewayV2,
    context: &RequestContext,
    domain: &Domain,
    mapping: &ApiMapping,
) -> Result<(), ServiceError> {
    let api = state.api(context, &mapping.api_id)?;
    if !api.stages.contains_key(&mapping.stage) {
        return Err(error::bad_request(format!(
            "Invalid stage identifier specified {}",
            mapping.stage
        )));
    }
    let key = &mapping.api_mapping_key;
    let is_path = key.is_empty()
        || key.split('/').all(|segment| {
            let fits = |b: u8| b.is_ascii_alphanumeric() || b"$-_.+!*'()".contains(&b);
            !segment.is_empty() && segment.bytes().all(fits)
        });
    if !is_path {
        return Err(error::bad_request(
            "API mapping key should not start or end with '/', and contain characters of a path only",
        ));
    }
    let mut others = domain.mappings.values();
    if others.any(|it| it.api_mapping_key == *key && it.api_mapping_id != mapping.api_mapping_id) {
        return Err(error::conflict(format!(
            "ApiMapping key {key} already exists for this domain name"
        )));
    }
    Ok(())
}

fn find<'a>(domain: &'a Domain, id: &str) -> Result<&'a ApiMapping, ServiceError> {
    let found = domain.mappings.get(id);
    found.ok_or_else(|| error::not_found("API mapping", id))
}

pub async fn create(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let name = shape::take_text(&mut members, "DomainName");
    let mapping: ApiMapping = shape::record(members)?;
    save(&state, &context, &name, |_| {
        Ok(ApiMapping {
            api_mapping_id: fresh_id(6),
            ..mapping
        })
    })
    .await
}

async fn save(
    state: &State,
    context: &RequestContext,
    name: &str,
    make: impl FnOnce(&Domain) -> Result<ApiMapping, ServiceError> + Send,
) -> Answer {
    let _alone = state.writer.lock().await;
    let domain = domains::find(state, context, name)?;
    let mut record = (*domain.record).clone();
    let mapping = make(&record)?;
    check(state, context, &record, &mapping)?;
    let id = mapping.api_mapping_id.clone();
    record.mappings.insert(id, mapping.clone());
    domains::save(state, context, record).await?;
    Ok(shape::shown(&mapping))
}

pub async fn get(state: State, context: RequestContext, input: Value) -> Answer {
    let domain = domains::find(&state, &context, text(&input, "DomainName"))?;
    Ok(shape::shown(find(
        &domain.record,
        text(&input, "ApiMappingId"),
    )?))
}

pub async fn list(state: State, context: RequestContext, input: Value) -> Answer {
    let domain = domains::find(&state, &context, text(&input, "DomainName"))?;
    let mappings = domain.record.mappings.iter();
    let mappings = mappings.map(|(id, mapping)| (id.clone(), mapping));
    paged(&input, mappings)
}

pub async fn update(state: State, context: RequestContext, input: Value) -> Answer {
    let mut members = shape::members(input);
    let name = shape::take_text(&mut members, "DomainName");
    let id = shape::take_text(&mut members, "ApiMappingId");
    save(&state, &context, &name, |domain| {
        shape::changed(find(domain, &id)?, members, &[])
    })
    .await
}

pub async fn delete(state: State, context: RequestContext, input: Value) -> Answer {
    let _alone = state.writer.lock().await;
    let domain = domains::find(&state, &context, text(&input, "DomainName"))?;
    let id = text(&input, "ApiMappingId");
    find(&domain.record, id)?;
    let mut record = (*domain.record).clone();
    record.mappings.remove(id);
    domains::save(&state, &context, record).await?;
    Ok(nothing())
}
