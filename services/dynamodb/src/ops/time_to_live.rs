//! UpdateTimeToLive and DescribeTimeToLive.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateTimeToLive.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError};

use crate::DynamoDb;
use crate::domain::table::{Definition, Expiry};
use crate::engine::rand_id;
use crate::error::{self, store_failed};
use crate::generated::{
    DescribeTimeToLiveInput, DescribeTimeToLiveOutput, TimeToLiveDescription, TimeToLiveStatus,
    UpdateTimeToLiveInput, UpdateTimeToLiveOutput,
};
use crate::records::Erasure;

/// Items that are there already are listed behind.
pub async fn update_time_to_live(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: UpdateTimeToLiveInput,
) -> Result<UpdateTimeToLiveOutput, ServiceError> {
    let asked = input.time_to_live_specification;
    let mut changing = dynamodb.changing(&context, &input.table_name).await?;
    match (asked.enabled, &changing.definition.expiry) {
        (true, Some(expiry)) if expiry.attribute == asked.attribute_name => {
            return Err(error::invalid("TimeToLive is already enabled"));
        }
        (_, Some(expiry)) if expiry.attribute != asked.attribute_name => {
            return Err(error::invalid(format!(
                "TimeToLive is active on a different AttributeName: current AttributeName is {}",
                expiry.attribute
            )));
        }
        (false, None) => return Err(error::invalid("TimeToLive is already disabled")),
        (true, _) => {
            changing.definition.expiry = Some(Expiry {
                id: rand_id(),
                attribute: asked.attribute_name.clone(),
                backfilling: true,
            });
        }
        (false, Some(expiry)) => {
            let erasure = Erasure {
                expiries: vec![expiry.id],
                ..Erasure::default()
            };
            dynamodb
                .plan_erasure(&mut changing.batch, &erasure)
                .map_err(store_failed)?;
            changing.definition.expiry = None;
        }
    }
    changing.save(&dynamodb).await?;
    if asked.enabled {
        dynamodb.backfill(&changing.table);
    } else {
        dynamodb.erase();
    }
    Ok(UpdateTimeToLiveOutput {
        time_to_live_specification: Some(asked),
    })
}

pub async fn describe_time_to_live(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeTimeToLiveInput,
) -> Result<DescribeTimeToLiveOutput, ServiceError> {
    let (_, definition) = dynamodb.named_table(&context, &input.table_name)?;
    Ok(DescribeTimeToLiveOutput {
        time_to_live_description: Some(describe(&definition)),
    })
}

pub fn describe(definition: &Definition) -> TimeToLiveDescription {
    match &definition.expiry {
        Some(expiry) => TimeToLiveDescription {
            time_to_live_status: Some(TimeToLiveStatus::Enabled),
            attribute_name: Some(expiry.attribute.clone()),
        },
        None => TimeToLiveDescription {
            time_to_live_status: Some(TimeToLiveStatus::Disabled),
            attribute_name: None,
        },
    }
}
