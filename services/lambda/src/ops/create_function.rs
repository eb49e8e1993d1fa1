//! CreateFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::{named, revision};
use crate::domain::code_source::{CodeSource, Given};
use crate::domain::function_name::FunctionName;
use crate::domain::{architecture, settings, tags};
use crate::functions::Function;
use crate::generated::{CreateFunctionRequest, FunctionConfiguration, PackageType};
use crate::records::FunctionRecord;
use crate::{Lambda, answer, error};

pub async fn create_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    if input.package_type == Some(PackageType::Image) {
        return Err(error::not_yet("functions from container images"));
    }
    if let Some(arn) = &input.code_signing_config_arn {
        return Err(error::code_signing_config_not_found(arn));
    }
    let name = FunctionName {
        qualifier: None,
        ..named(&context, &input.function_name, None)?
    };
    let settings = settings::of_new(&name.name, &input, &lambda.limits)?;
    let architecture = architecture::choose(input.architectures.as_deref())?;
    let tags = tags::with(&BTreeMap::new(), input.tags.unwrap_or_default())?;
    let code = input.code;
    let given = Given {
        zip_file: code.zip_file,
        s3_bucket: code.s3_bucket,
        s3_key: code.s3_key,
        s3_object_version: code.s3_object_version,
        image_uri: code.image_uri,
    };
    let source = CodeSource::of(given, "CreateFunction", lambda.hot_reload)?;
    if lambda.functions.get(&name).is_ok() {
        return Err(already_exists(&name));
    }
    lambda
        .check_role(&settings.role, &name.arn(), &name.place)
        .await?;

    let fetched = lambda.code.fetch(source, &context).await?;
    let code = lambda.code.keep(&fetched).await?;
    let record = FunctionRecord {
        account: name.place.account,
        region: name.place.region.clone(),
        name: name.name.clone(),
        settings,
        architecture: architecture.as_str().to_owned(),
        code: code.clone(),
        tags,
        policy: Vec::new(),
        reserved_concurrency: None,
        revision_id: revision(),
        environment_revision: revision(),
        last_modified: lambda.clock.now(),
    };
    match put_new(&lambda, &name, record).await {
        Ok(function) => Ok(answer::created(&function)),
        Err(error) => {
            lambda
                .code
                .give_up(&code, |image| lambda.functions.uses_image(image))
                .await;
            Err(error)
        }
    }
}

async fn put_new(
    lambda: &Lambda,
    name: &FunctionName,
    record: FunctionRecord,
) -> Result<Arc<Function>, ServiceError> {
    let changing = lambda.functions.change(&name.place).await;
    if changing.find(&name.name).is_some() {
        return Err(already_exists(name));
    }
    if changing.code_bytes() + record.code.size() > lambda.limits.code_storage {
        return Err(error::code_storage_exceeded());
    }
    changing.put(record).await
}

fn already_exists(name: &FunctionName) -> ServiceError {
    error::conflict(format!("Function already exist: {}", name.name))
}
