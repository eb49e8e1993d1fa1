//! GetLayerVersion, GetLayerVersionByArn, ListLayers, ListLayerVersions, DeleteLayerVersion.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetLayerVersion.html>

use std::sync::Arc;

use base::Arn;
use service::{Principal, RequestContext, ServiceError};
use wire::Unit;

use super::get_function::code_url;
use super::place;
use crate::code::shown_sha256;
use crate::domain::layer::{self, Filter, LayerName, LayerVersionName};
use crate::domain::marker::{self, MAX_PAGE, PageRequest};
use crate::generated::{
    Architecture, DeleteLayerVersionRequest, GetLayerVersionByArnRequest, GetLayerVersionRequest,
    GetLayerVersionResponse, LayerVersionContentOutput, LayerVersionsListItem, LayersListItem,
    ListLayerVersionsRequest, ListLayerVersionsResponse, ListLayersRequest, ListLayersResponse,
};
use crate::layers::{Layer, admits};
use crate::records::layer::LayerVersionRecord;
use crate::{Lambda, error};

pub async fn get_layer_version(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetLayerVersionRequest,
) -> Result<GetLayerVersionResponse, ServiceError> {
    let name = LayerVersionName {
        layer: layer_named(&context, &input.layer_name),
        version: layer::version(input.version_number)?,
    };
    get(&lambda, &context, &name)
}

pub async fn get_layer_version_by_arn(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetLayerVersionByArnRequest,
) -> Result<GetLayerVersionResponse, ServiceError> {
    let arn: Option<Arn> = input.arn.parse().ok();
    let name = arn.and_then(|arn| LayerVersionName::of_arn(&arn));
    get(
        &lambda,
        &context,
        &name.ok_or_else(error::no_such_resource)?,
    )
}

fn get(
    lambda: &Lambda,
    context: &RequestContext,
    name: &LayerVersionName,
) -> Result<GetLayerVersionResponse, ServiceError> {
    let found = lambda.layers.version(&name.layer, name.version);
    let is_near = name.layer.place.region == context.region;
    let found = found.filter(|_| is_near);
    let is_own = name.layer.place.account == context.account;
    let found = match found {
        Some(version) if admits(&version, context.account) => version,
        None if is_own => return Err(error::no_such_resource()),
        _ => {
            let arn = name.layer.version_arn(name.version.cast_signed());
            let caller = caller(context);
            return Err(error::layer_denied(caller, "lambda:GetLayerVersion", &arn));
        }
    };
    Ok(GetLayerVersionResponse {
        content: Some(content(lambda, context, &found)),
        layer_arn: Some(found.layer_arn().to_string()),
        layer_version_arn: Some(found.arn().to_string()),
        description: Some(found.description.clone()),
        created_date: Some(found.created.lambda_date()),
        version: Some(found.version.cast_signed()),
        compatible_architectures: shown_architectures(&found),
        compatible_runtimes: found.compatible_runtimes.clone(),
        license_info: found.license_info.clone(),
    })
}

/// Of each layer the newest version that the filter admits.
pub async fn list_layers(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListLayersRequest,
) -> Result<ListLayersResponse, ServiceError> {
    let filter = filter(
        input.compatible_runtime.as_deref(),
        input.compatible_architecture,
    )?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let layers = lambda.layers.list(&place(&context), page.after.as_deref());
    let matching = layers.iter().filter_map(|layer| {
        let newest = admitted(layer, &filter).next()?;
        Some((layer, newest))
    });
    let matching = matching.take(page.limit + 1).collect();
    let (matching, next_marker) = page.cut(matching, |(layer, _)| layer.record.name.clone());
    let shown = matching.into_iter().map(|(layer, newest)| LayersListItem {
        layer_name: Some(layer.record.name.clone()),
        layer_arn: Some(newest.layer_arn().to_string()),
        latest_matching_version: Some(listed(newest)),
    });
    Ok(ListLayersResponse {
        next_marker,
        layers: Some(shown.collect()),
    })
}

/// Newest first.
pub async fn list_layer_versions(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: ListLayerVersionsRequest,
) -> Result<ListLayerVersionsResponse, ServiceError> {
    let filter = filter(
        input.compatible_runtime.as_deref(),
        input.compatible_architecture,
    )?;
    let page = PageRequest::of(input.marker.as_deref(), input.max_items, MAX_PAGE)?;
    let after = page.after.as_deref().map(str::parse::<u64>).transpose();
    let after = after.map_err(|_| marker::invalid())?;
    let name = layer_named(&context, &input.layer_name);
    own(&context, &name, "lambda:ListLayerVersions", || {
        name.place.layer_arn(&name.name)
    })?;
    // A layer that does not exist has no versions.
    let layer = lambda.layers.get(&name);
    let versions = layer.iter().flat_map(|layer| admitted(layer, &filter));
    let versions = versions
        .filter(|version| after.is_none_or(|after| version.version < after))
        .take(page.limit + 1)
        .collect();
    let (versions, next_marker) = page.cut(versions, |version| version.version.to_string());
    Ok(ListLayerVersionsResponse {
        next_marker,
        layer_versions: Some(versions.into_iter().map(listed).collect()),
    })
}

/// What does not exist is deleted. Functions that have the version keep it.
pub async fn delete_layer_version(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteLayerVersionRequest,
) -> Result<Unit, ServiceError> {
    let version = layer::version(input.version_number)?;
    let name = layer_named(&context, &input.layer_name);
    own(&context, &name, "lambda:DeleteLayerVersion", || {
        name.version_arn(input.version_number)
    })?;
    let deleted = {
        let changing = lambda.layers.change().await;
        let Some(deleted) = lambda.layers.version(&name, version) else {
            return Ok(Unit {});
        };
        changing.delete(&deleted).await?;
        deleted
    };
    let _settled = lambda.layers.settled().await;
    lambda.code.give_up(&deleted.code, &lambda.functions).await;
    Ok(Unit {})
}

fn filter(
    runtime: Option<&str>,
    architecture: Option<Architecture>,
) -> Result<Filter<'_>, ServiceError> {
    layer::check_runtime(runtime)?;
    Ok(Filter {
        runtime,
        architecture,
    })
}

/// Newest first.
fn admitted<'a>(
    layer: &'a Layer,
    filter: &Filter<'_>,
) -> impl Iterator<Item = &'a Arc<LayerVersionRecord>> {
    layer.versions.values().rev().filter(|version| {
        filter.admits(
            version.compatible_runtimes.as_deref(),
            version.compatible_architectures.as_deref(),
        )
    })
}

fn listed(version: &Arc<LayerVersionRecord>) -> LayerVersionsListItem {
    LayerVersionsListItem {
        layer_version_arn: Some(version.arn().to_string()),
        version: Some(version.version.cast_signed()),
        description: Some(version.description.clone()).filter(|text| !text.is_empty()),
        created_date: Some(version.created.lambda_date()),
        compatible_architectures: shown_architectures(version),
        compatible_runtimes: version.compatible_runtimes.clone(),
        license_info: version.license_info.clone(),
    }
}

pub fn content(
    lambda: &Lambda,
    context: &RequestContext,
    version: &LayerVersionRecord,
) -> LayerVersionContentOutput {
    LayerVersionContentOutput {
        location: Some(code_url(lambda, context, &version.code)),
        code_sha256: Some(shown_sha256(&version.code)),
        code_size: Some(version.code.size() as i64),
        ..LayerVersionContentOutput::default()
    }
}

pub fn shown_architectures(version: &LayerVersionRecord) -> Option<Vec<Architecture>> {
    let names = version.compatible_architectures.as_ref()?;
    Some(
        names
            .iter()
            .filter_map(|name| Architecture::parse(name))
            .collect(),
    )
}

/// A layer as the caller means it.
pub fn layer_named(context: &RequestContext, text: &str) -> LayerName {
    LayerName::parse(text, &place(context))
}

/// Refuses what only a layer's own account may do, and in its region.
pub fn own(
    context: &RequestContext,
    name: &LayerName,
    action: &str,
    resource: impl FnOnce() -> Arn,
) -> Result<(), ServiceError> {
    if name.place == place(context) {
        return Ok(());
    }
    Err(error::layer_denied(caller(context), action, &resource()))
}

/// Who calls, as an ARN or a service's name.
pub fn caller(context: &RequestContext) -> String {
    match &context.principal {
        Principal::Root { account } => {
            format!("arn:{}:iam::{account}:root", context.region.partition())
        }
        Principal::User { arn, .. } | Principal::Session { arn, .. } => arn.to_string(),
        Principal::Service { name, .. } => (*name).to_owned(),
    }
}
