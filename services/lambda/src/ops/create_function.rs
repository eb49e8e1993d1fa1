//! CreateFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_CreateFunction.html>

use std::collections::BTreeMap;
use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::layer::caller;
use super::publish_version::{Publishing, check_storage};
use super::{named, revision};
use crate::attached::Attached;
use crate::domain::code_source::{CodeSource, Given};
use crate::domain::function_name::FunctionName;
use crate::domain::{architecture, settings, tags};
use crate::function::Function;
use crate::generated::{CreateFunctionRequest, FunctionConfiguration, PackageType};
use crate::records::FunctionRecord;
use crate::{Lambda, answer, error};

pub async fn create_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: CreateFunctionRequest,
) -> Result<FunctionConfiguration, ServiceError> {
    let is_image = input.package_type == Some(PackageType::Image);
    let name = named(&context, &input.function_name, None)?.whole();
    let signing = input.code_signing_config_arn.clone();
    lambda
        .code_signing
        .check(signing.as_deref(), &name.place, &name.arn())?;
    let mut settings = settings::of_new(&name.name, &input, &lambda.limits)?;
    let architecture = architecture::choose(input.architectures.as_deref())?;
    let tags = tags::with(&BTreeMap::new(), input.tags.unwrap_or_default())?;
    let publishing = Publishing::of(input.publish, input.publish_to);
    let code = input.code;
    let source_key = code.source_kms_key_arn;
    let given = Given {
        zip_file: code.zip_file,
        s3_bucket: code.s3_bucket,
        s3_key: code.s3_key,
        s3_object_version: code.s3_object_version,
        image_uri: code.image_uri,
    };
    let source = CodeSource::of(given, "CreateFunction", lambda.hot_reload)?;
    source.check_kind(is_image, "creating")?;
    if lambda.functions.get(&name).is_ok() {
        return Err(already_exists(&name));
    }
    lambda
        .check_role(&settings.role, &name.arn(), &name.place)
        .await?;

    let (layers, caller) = (input.layers.unwrap_or_default(), caller(&context));
    let _settling = lambda.layers.settle(&layers).await;
    settings.layers = lambda.layers.resolve(&layers, &name.place, &caller)?;
    let layers = &settings.layers;
    let fetched = lambda
        .code
        .fetch_beside(layers, source, &context, &lambda.functions)
        .await?;
    let code = lambda.code.keep(&fetched).await?.with_key(source_key);
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
        attached: Attached {
            code_signing_config: signing,
            ..Attached::default()
        },
        last_version: 0,
        revision_id: revision(),
        environment_revision: revision(),
        last_modified: lambda.clock.now(),
    };
    publishing.check(&record)?;
    match put_new(&lambda, &name, record, publishing).await {
        Ok(function) => {
            lambda.runner.begin_pull(&function.latest);
            lambda.runner.expect(&function.latest);
            let version = if publishing.is_wanted() {
                publishing.published(&lambda, &function)
            } else {
                &function.latest
            };
            // Unqualified even then.
            Ok(answer::created(version, &name.arn()))
        }
        Err(error) => {
            lambda.code.give_up(&code, &lambda.functions).await;
            Err(error)
        }
    }
}

async fn put_new(
    lambda: &Lambda,
    name: &FunctionName,
    record: FunctionRecord,
    publishing: Publishing,
) -> Result<Arc<Function>, ServiceError> {
    let _unchanging = lambda.code_signing.hold().await;
    if let Some(arn) = &record.attached.code_signing_config
        && lambda.code_signing.find(arn, &name.place).is_none()
    {
        return Err(error::code_signing_config_not_found(arn));
    }
    let _providers = lambda.capacity_providers.hold_for(&record).await;
    publishing.check_capacity(lambda, &record, None)?;
    let changing = lambda.functions.change(&name.place).await;
    if changing.find(&name.name).is_some() {
        return Err(already_exists(name));
    }
    let copies = if publishing.is_wanted() { 2 } else { 1 };
    check_storage(lambda, &changing, record.code.size() * copies)?;
    if !publishing.is_wanted() {
        return changing.put(record).await;
    }
    let now = lambda.clock.now();
    let (record, version) = publishing.next(record, None, None, now);
    changing.put_with(record, Some(version)).await
}

fn already_exists(name: &FunctionName) -> ServiceError {
    error::conflict(format!("Function already exist: {}", name.name))
}
