//! DeleteFunction.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_DeleteFunction.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::named;
use crate::domain::function_name::{FunctionName, Qualifier};
use crate::generated::{DeleteFunctionRequest, DeleteFunctionResponse};
use crate::{Lambda, error};

/// Event source mappings stay, as on Lambda, and report what they meet.
pub async fn delete_function(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: DeleteFunctionRequest,
) -> Result<DeleteFunctionResponse, ServiceError> {
    let name = named(&context, &input.function_name, input.qualifier.as_deref())?;
    let whole = FunctionName {
        qualifier: None,
        ..name.clone()
    };
    let function = lambda.functions.get(&whole)?;
    match &name.qualifier {
        None => {}
        Some(Qualifier::Latest) => {
            return Err(error::invalid_parameter(
                "$LATEST version cannot be deleted without deleting the function.",
            ));
        }
        Some(Qualifier::Version(_)) => return Err(error::function_not_found(&name.arn())),
        Some(Qualifier::Alias(_)) => {
            return Err(error::invalid_parameter(
                "Deletion of aliases is not currently supported.",
            ));
        }
    }
    drop(function);
    let deleted = {
        let changing = lambda.functions.change(&whole.place).await;
        let function = changing.get(&whole)?;
        changing.delete(&function.record).await?;
        function
    };
    let record = &deleted.record;
    lambda.runner.retire(record);
    lambda.tell_reserved(&whole.place);
    if let Err(error) = lambda.entrance.queue.purge(&record.arn()).await {
        // They end by themselves when their turn comes and there is no function.
        tracing::warn!(%error, function = %record.arn(), "lambda: forget waiting events");
    }
    lambda
        .code
        .give_up(&record.code, |image| lambda.functions.uses_image(image))
        .await;
    Ok(DeleteFunctionResponse {
        status_code: Some(204),
    })
}
