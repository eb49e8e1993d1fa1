//! GetAccountSettings.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use super::place;
use crate::Lambda;
use crate::domain::code_source::MAX_ZIPPED;
use crate::generated::{
    AccountLimit, AccountUsage, GetAccountSettingsRequest, GetAccountSettingsResponse,
};

pub async fn get_account_settings(
    lambda: Arc<Lambda>,
    context: RequestContext,
    _: GetAccountSettingsRequest,
) -> Result<GetAccountSettingsResponse, ServiceError> {
    let here = place(&context);
    let totals = lambda.functions.totals(&here);
    let stored = totals.code_bytes + lambda.layers.code_bytes(&here);
    let limits = &lambda.limits;
    let unreserved = u64::from(limits.concurrency).saturating_sub(totals.concurrency_set_aside);
    Ok(GetAccountSettingsResponse {
        account_limit: Some(AccountLimit {
            total_code_size: Some(limits.code_storage as i64),
            code_size_unzipped: Some(exec::MAX_UNZIPPED_BYTES as i64),
            code_size_zipped: Some(MAX_ZIPPED as i64),
            concurrent_executions: Some(limits.concurrency.cast_signed()),
            unreserved_concurrent_executions: Some(unreserved as i32),
        }),
        account_usage: Some(AccountUsage {
            total_code_size: Some(stored as i64),
            function_count: Some(totals.functions as i64),
        }),
    })
}
