//! GetFunctionCodeSigningConfig, which Terraform asks of every function. There are no code signing
//! configurations, so that none has one, which an empty ARN says.

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::Lambda;
use crate::generated::{GetFunctionCodeSigningConfigRequest, GetFunctionCodeSigningConfigResponse};

pub async fn get_function_code_signing_config(
    lambda: Arc<Lambda>,
    context: RequestContext,
    input: GetFunctionCodeSigningConfigRequest,
) -> Result<GetFunctionCodeSigningConfigResponse, ServiceError> {
    let (function, _) = lambda.resolve(&context, &input.function_name, None)?;
    Ok(GetFunctionCodeSigningConfigResponse {
        code_signing_config_arn: String::new(),
        function_name: function.record.name.clone(),
    })
}
