//! PublishLayerVersion.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_PublishLayerVersion.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::layer::{content, layer_named, own, shown_architectures};
use super::revision;
use crate::code::{Fetched, unzipped};
use crate::domain::code_source::{CodeSource, Given};
use crate::domain::layer::{self, LayerName};
use crate::generated::{
    Architecture, PublishLayerVersionRequest, PublishLayerVersionResponse, S3ObjectStorageMode,
};
use crate::records::Code;
use crate::records::layer::LayerVersionRecord;
use crate::{Lambda, error};

pub async fn publish_layer_version(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: PublishLayerVersionRequest,
) -> Result<PublishLayerVersionResponse, ServiceError> {
    layer::check_runtimes(input.compatible_runtimes.as_deref())?;
    let name = layer_named(&context, &input.layer_name);
    own(&context, &name, "lambda:PublishLayerVersion", || {
        name.place.layer_arn(&name.name)
    })?;
    let given = input.content;
    if given.s3_object_storage_mode == Some(S3ObjectStorageMode::Reference) {
        return Err(error::not_yet("packages that stay in S3"));
    }
    let given = Given {
        zip_file: given.zip_file,
        s3_bucket: given.s3_bucket,
        s3_key: given.s3_key,
        s3_object_version: given.s3_object_version,
        image_uri: None,
    };
    // Folders of this machine are code of functions alone.
    let source = CodeSource::of(given, "PublishLayerVersion", false)?;
    let fetched = lambda.code.fetch(source, &context).await?;
    let unzipped = match &fetched {
        Fetched::Zip { image, .. } => unzipped(image).await?,
        Fetched::Folder(_) | Fetched::Container(_) => 0,
    };
    let code = lambda.code.keep(&fetched).await?;
    let architectures = input.compatible_architectures;
    let record = LayerVersionRecord {
        account: name.place.account,
        region: name.place.region.clone(),
        name: name.name.clone(),
        version: 0,
        description: input.description.unwrap_or_default(),
        license_info: input.license_info,
        compatible_runtimes: input.compatible_runtimes,
        compatible_architectures: architectures.map(|given| {
            let names = given.into_iter().map(Architecture::as_str);
            names.map(str::to_owned).collect()
        }),
        code: code.clone(),
        unzipped,
        policy: Vec::new(),
        revision_id: revision(),
        created: lambda.clock.now(),
    };
    match put(&lambda, &name, record).await {
        Ok(version) => Ok(PublishLayerVersionResponse {
            content: Some(content(&lambda, &context, &version)),
            layer_arn: Some(version.layer_arn().to_string()),
            layer_version_arn: Some(version.arn().to_string()),
            description: Some(version.description.clone()),
            created_date: Some(version.created.lambda_date()),
            version: Some(version.version.cast_signed()),
            compatible_architectures: shown_architectures(&version),
            compatible_runtimes: version.compatible_runtimes.clone(),
            license_info: version.license_info.clone(),
        }),
        Err(error) => {
            give_up(&lambda, fetched, &code).await;
            Err(error)
        }
    }
}

async fn put(
    lambda: &Lambda,
    name: &LayerName,
    record: LayerVersionRecord,
) -> Result<Arc<LayerVersionRecord>, ServiceError> {
    let changing = lambda.layers.change().await;
    let functions = lambda.functions.totals(&name.place).code_bytes;
    let stored = functions + lambda.layers.code_bytes(&name.place);
    if stored + record.code.size() > lambda.limits.code_storage {
        return Err(error::code_storage_exceeded());
    }
    let version = changing.next_version(name);
    changing
        .publish(LayerVersionRecord { version, ..record })
        .await
}

/// Our own hold on what was fetched goes first, so that the image can.
async fn give_up(lambda: &Lambda, fetched: Fetched, code: &Code) {
    drop(fetched);
    lambda.code.give_up(code, &lambda.functions).await;
}
