//! DescribeLimits and DescribeEndpoints.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_DescribeLimits.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::DynamoDb;
use crate::generated::{
    DescribeEndpointsRequest, DescribeEndpointsResponse, DescribeLimitsInput, DescribeLimitsOutput,
    Endpoint,
};

/// The quotas of a new account. No throughput is limited here.
const ACCOUNT_UNITS: i64 = 80_000;
const TABLE_UNITS: i64 = 40_000;

pub async fn describe_limits(
    _: Arc<DynamoDb>,
    _: RequestContext,
    _: DescribeLimitsInput,
) -> Result<DescribeLimitsOutput, ServiceError> {
    Ok(DescribeLimitsOutput {
        account_max_read_capacity_units: Some(ACCOUNT_UNITS),
        account_max_write_capacity_units: Some(ACCOUNT_UNITS),
        table_max_read_capacity_units: Some(TABLE_UNITS),
        table_max_write_capacity_units: Some(TABLE_UNITS),
    })
}

pub async fn describe_endpoints(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    _: DescribeEndpointsRequest,
) -> Result<DescribeEndpointsResponse, ServiceError> {
    let address = context
        .authority()
        .unwrap_or(&dynamodb.authority)
        .to_owned();
    Ok(DescribeEndpointsResponse {
        endpoints: vec![Endpoint {
            address,
            cache_period_in_minutes: 1440,
        }],
    })
}
