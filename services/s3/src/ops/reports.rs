//! Analytics, inventory, metrics and intelligent tiering, of which a bucket has several by ids:
//! kept and given back, and not acted on.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/API_PutBucketInventoryConfiguration.html>

use std::sync::Arc;

use http::StatusCode;
use s3s::dto::{
    DeleteBucketAnalyticsConfigurationInput, DeleteBucketAnalyticsConfigurationOutput,
    DeleteBucketIntelligentTieringConfigurationInput,
    DeleteBucketIntelligentTieringConfigurationOutput, DeleteBucketInventoryConfigurationInput,
    DeleteBucketInventoryConfigurationOutput, DeleteBucketMetricsConfigurationInput,
    DeleteBucketMetricsConfigurationOutput, GetBucketAnalyticsConfigurationInput,
    GetBucketAnalyticsConfigurationOutput, GetBucketIntelligentTieringConfigurationInput,
    GetBucketIntelligentTieringConfigurationOutput, GetBucketInventoryConfigurationInput,
    GetBucketInventoryConfigurationOutput, GetBucketMetricsConfigurationInput,
    GetBucketMetricsConfigurationOutput, ListBucketAnalyticsConfigurationsInput,
    ListBucketAnalyticsConfigurationsOutput, ListBucketIntelligentTieringConfigurationsInput,
    ListBucketIntelligentTieringConfigurationsOutput, ListBucketInventoryConfigurationsInput,
    ListBucketInventoryConfigurationsOutput, ListBucketMetricsConfigurationsInput,
    ListBucketMetricsConfigurationsOutput, PutBucketAnalyticsConfigurationInput,
    PutBucketAnalyticsConfigurationOutput, PutBucketIntelligentTieringConfigurationInput,
    PutBucketIntelligentTieringConfigurationOutput, PutBucketInventoryConfigurationInput,
    PutBucketInventoryConfigurationOutput, PutBucketMetricsConfigurationInput,
    PutBucketMetricsConfigurationOutput,
};

use super::fields::named;
use crate::call::Call;
use crate::configurations::{Kind, Named, listed};
use crate::domain::page_token;
use crate::error::Error;
use crate::state::State;

/// Longest id.
const MAX_ID: usize = 64;

fn check_id(asked: &str, given: &str) -> Result<(), Error> {
    let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
    let is_legal = !given.is_empty() && given.len() <= MAX_ID && given.bytes().all(legal);
    if asked == given && is_legal {
        return Ok(());
    }
    let message = "The specified configuration id is invalid.";
    Err(Error::bad_request("InvalidConfigurationId", message).with("ConfigurationId", given))
}

fn no_such(id: &str) -> Error {
    let message = "The specified configuration does not exist.";
    Error::new("NoSuchConfiguration", StatusCode::NOT_FOUND, message).with("ConfigurationId", id)
}

/// The four operations of one kind.
macro_rules! operations {
    ($kind:ident, $member:ident, $list:ident, $named:ident;
     $put:ident($put_input:ident) -> $put_output:expr, $put_type:ty;
     $get:ident($get_input:ident) -> $get_output:ident;
     $delete:ident($delete_input:ident) -> $delete_output:expr, $delete_type:ty;
     $list_all:ident($list_input:ident) -> $list_output:ident;) => {
        pub async fn $put(
            state: Arc<State>,
            call: Arc<Call>,
            input: $put_input,
        ) -> Result<$put_type, Error> {
            let value = &input.$member;
            check_id(&input.id, &value.id)?;
            listed::put(&state, &call, $named!(input), Kind::$kind, &input.id, value).await?;
            Ok($put_output)
        }

        pub async fn $get(
            state: Arc<State>,
            call: Arc<Call>,
            input: $get_input,
        ) -> Result<$get_output, Error> {
            let found = listed::get(&state, &call, $named!(input), Kind::$kind, &input.id).await?;
            Ok($get_output {
                $member: Some(found.ok_or_else(|| no_such(&input.id))?),
            })
        }

        pub async fn $delete(
            state: Arc<State>,
            call: Arc<Call>,
            input: $delete_input,
        ) -> Result<$delete_type, Error> {
            let kind = Kind::$kind;
            if !listed::delete(&state, &call, $named!(input), kind, &input.id).await? {
                return Err(no_such(&input.id));
            }
            Ok($delete_output)
        }

        pub async fn $list_all(
            state: Arc<State>,
            call: Arc<Call>,
            input: $list_input,
        ) -> Result<$list_output, Error> {
            let token = input.continuation_token.as_deref();
            let after = token.map(page_token::decode).transpose()?;
            let kind = Kind::$kind;
            let (values, next) =
                listed::list(&state, &call, $named!(input), kind, after.as_deref()).await?;
            Ok($list_output {
                continuation_token: input.continuation_token,
                is_truncated: Some(next.is_some()),
                next_continuation_token: next.as_deref().map(page_token::encode),
                $list: Some(values),
            })
        }
    };
}

/// S3 asks nobody who they think owns the bucket, for this kind.
macro_rules! named_alone {
    ($input:expr) => {
        Named {
            bucket: &$input.bucket,
            expected_owner: None,
        }
    };
}

operations! {
    Analytics, analytics_configuration, analytics_configuration_list, named;
    put_bucket_analytics_configuration(PutBucketAnalyticsConfigurationInput)
        -> PutBucketAnalyticsConfigurationOutput {}, PutBucketAnalyticsConfigurationOutput;
    get_bucket_analytics_configuration(GetBucketAnalyticsConfigurationInput)
        -> GetBucketAnalyticsConfigurationOutput;
    delete_bucket_analytics_configuration(DeleteBucketAnalyticsConfigurationInput)
        -> DeleteBucketAnalyticsConfigurationOutput {}, DeleteBucketAnalyticsConfigurationOutput;
    list_bucket_analytics_configurations(ListBucketAnalyticsConfigurationsInput)
        -> ListBucketAnalyticsConfigurationsOutput;
}

operations! {
    Inventory, inventory_configuration, inventory_configuration_list, named;
    put_bucket_inventory_configuration(PutBucketInventoryConfigurationInput)
        -> PutBucketInventoryConfigurationOutput {}, PutBucketInventoryConfigurationOutput;
    get_bucket_inventory_configuration(GetBucketInventoryConfigurationInput)
        -> GetBucketInventoryConfigurationOutput;
    delete_bucket_inventory_configuration(DeleteBucketInventoryConfigurationInput)
        -> DeleteBucketInventoryConfigurationOutput {}, DeleteBucketInventoryConfigurationOutput;
    list_bucket_inventory_configurations(ListBucketInventoryConfigurationsInput)
        -> ListBucketInventoryConfigurationsOutput;
}

operations! {
    Metrics, metrics_configuration, metrics_configuration_list, named;
    put_bucket_metrics_configuration(PutBucketMetricsConfigurationInput)
        -> PutBucketMetricsConfigurationOutput {}, PutBucketMetricsConfigurationOutput;
    get_bucket_metrics_configuration(GetBucketMetricsConfigurationInput)
        -> GetBucketMetricsConfigurationOutput;
    delete_bucket_metrics_configuration(DeleteBucketMetricsConfigurationInput)
        -> DeleteBucketMetricsConfigurationOutput {}, DeleteBucketMetricsConfigurationOutput;
    list_bucket_metrics_configurations(ListBucketMetricsConfigurationsInput)
        -> ListBucketMetricsConfigurationsOutput;
}

operations! {
    IntelligentTiering, intelligent_tiering_configuration,
    intelligent_tiering_configuration_list, named_alone;
    put_bucket_intelligent_tiering_configuration(PutBucketIntelligentTieringConfigurationInput)
        -> PutBucketIntelligentTieringConfigurationOutput {},
        PutBucketIntelligentTieringConfigurationOutput;
    get_bucket_intelligent_tiering_configuration(GetBucketIntelligentTieringConfigurationInput)
        -> GetBucketIntelligentTieringConfigurationOutput;
    delete_bucket_intelligent_tiering_configuration(
        DeleteBucketIntelligentTieringConfigurationInput)
        -> DeleteBucketIntelligentTieringConfigurationOutput {},
        DeleteBucketIntelligentTieringConfigurationOutput;
    list_bucket_intelligent_tiering_configurations(
        ListBucketIntelligentTieringConfigurationsInput)
        -> ListBucketIntelligentTieringConfigurationsOutput;
}
