//! DeleteFunction: of a whole function, or of one published version.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::named;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::domain::version::VersionId;
use crate::function::Function;
use crate::generated::{DeleteFunctionRequest, DeleteFunctionResponse};
use crate::records::Code;
use crate::{Lambda, error};

pub async fn delete_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let whole = name.whole();
    lambda.functions.get(&whole)?;
    match &name.qualifier {
        None => delete_whole(&lambda, &whole).await?,
        Some(Qualifier::Latest) => {
            return Err(error::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(Qualifier::Version(text)) => {
            let version = text
                .parse()
                .map_err(|_| error::function_not_found(&name.arn()))?;
            delete_version(&lambda, &name, version).await?;
        }
        Some(Qualifier::Alias(_)) => {
            return Err(error::invalid_parameter(
                "Deletion of aliases is not currently supported.",
            ));
        }
    }
    Ok(DeleteFunctionResponse {
        status_code: Some(204),
    })
}

/// Event source mappings stay, as on Lambda, and report what they meet.
async fn delete_whole(lambda: &Lambda, name: &FunctionName) -> Result<(), ServiceError> {
    let deleted = {
        let changing = lambda.functions.change(&name.place).await;
        let function = changing.get(name)?;
        changing.delete(&function.record).await?;
        function
    };
    let arn = deleted.record.arn();
    for version in deleted.all_versions() {
        lambda.provisioning.end(version);
    }
    lambda.tell_reserved(&name.place);
    if deleted.record.settings.durable.is_some() {
        lambda.durable.forget_function(name.clone());
    }
    if let Err(error) = lambda.entrance.queue.purge(&arn).await {
        // They end by themselves when their turn comes and there is no function.
        tracing::warn!(%error, function = %arn, "lambda: forget waiting events");
    }
    let has_layers = deleted.all_versions().any(|it| !it.layers().is_empty());
    let _settled = if has_layers {
        Some(lambda.layers.settled().await)
    } else {
        None
    };
    for code in distinct(&deleted) {
        lambda.code.give_up(code, &lambda.functions).await;
    }
    for version in deleted.all_versions() {
        let layers = version.layers();
        lambda.code.give_up_stack(layers, &lambda.functions);
    }
    Ok(())
}

/// Versions often share a package, which can be deleted once.
fn distinct(function: &Function) -> Vec<&Code> {
    let mut codes: Vec<&Code> = Vec::new();
    for code in function.all_codes() {
        if !codes.contains(&code) {
            codes.push(code);
        }
    }
    codes
}

async fn delete_version(
    lambda: &Lambda,
    name: &FunctionName,
    version: VersionId,
) -> Result<(), ServiceError> {
    let deleted = {
        let changing = lambda.functions.change(&name.place).await;
        let function = changing.get(name)?;
        let Some(deleted) = function.version(version) else {
            return Err(error::function_not_found(&name.arn()));
        };
        let referring: Vec<&str> = function
            .aliases
            .values()
            .filter(|alias| alias.record.routing.versions().any(|it| it == version))
            .map(|alias| alias.record.name.as_str())
            .collect();
        if !referring.is_empty() {
            return Err(error::conflict(format!(
                "Unable to delete version because the following aliases reference it: [{}]",
                referring.join(", ")
            )));
        }
        changing.delete_version(&function, deleted).await?;
        Arc::clone(deleted)
    };
    lambda.provisioning.end(&deleted);
    let (code, functions) = (&lambda.code, &lambda.functions);
    code.give_up(&deleted.record.code, functions).await;
    code.give_up_layers(deleted.layers(), functions).await;
    Ok(())
}
