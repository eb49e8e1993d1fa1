//! UpdateContributorInsights, DescribeContributorInsights and ListContributorInsights: the settings
//! are kept and shown, and nothing is drawn from them.
//!
//! <https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_UpdateContributorInsights.html>

use std::sync::Arc;

use service::{RequestContext, ServiceError, page};

use crate::DynamoDb;
use crate::domain::table::{Definition, Insights};
use crate::error;
use crate::generated::{
    ContributorInsightsAction, ContributorInsightsMode, ContributorInsightsStatus,
    ContributorInsightsSummary, DescribeContributorInsightsInput,
    DescribeContributorInsightsOutput, ListContributorInsightsInput, ListContributorInsightsOutput,
    UpdateContributorInsightsInput, UpdateContributorInsightsOutput,
};

const PAGE: usize = 100;

pub async fn update_contributor_insights(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: UpdateContributorInsightsInput,
) -> Result<UpdateContributorInsightsOutput, ServiceError> {
    let mut changing = dynamodb.changing(&context, &input.table_name).await?;
    let index = checked_index(&changing.definition, input.index_name.as_deref())?;
    let old = changing.definition.insights.get(&index).copied();
    let insights = Insights {
        enabled: input.contributor_insights_action == ContributorInsightsAction::Enable,
        only_throttled: match input.contributor_insights_mode {
            Some(mode) => mode == ContributorInsightsMode::ThrottledKeys,
            None => old.is_some_and(|old| old.only_throttled),
        },
        changed_at: dynamodb.clock.now(),
    };
    changing.definition.insights.insert(index, insights);
    changing.save(&dynamodb).await?;
    Ok(UpdateContributorInsightsOutput {
        table_name: Some(changing.table.name.name.clone()),
        index_name: input.index_name,
        contributor_insights_status: Some(if insights.enabled {
            ContributorInsightsStatus::Enabling
        } else {
            ContributorInsightsStatus::Disabling
        }),
        contributor_insights_mode: Some(mode(insights)),
    })
}

pub async fn describe_contributor_insights(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: DescribeContributorInsightsInput,
) -> Result<DescribeContributorInsightsOutput, ServiceError> {
    let (table, definition) = dynamodb.named_table(&context, &input.table_name)?;
    let index = checked_index(&definition, input.index_name.as_deref())?;
    let insights = definition.insights.get(&index).copied();
    Ok(DescribeContributorInsightsOutput {
        table_name: Some(table.name.name.clone()),
        index_name: input.index_name,
        contributor_insights_rule_list: Some(Vec::new()),
        contributor_insights_status: Some(status(insights)),
        last_update_date_time: insights.map(|insights| insights.changed_at),
        failure_exception: None,
        contributor_insights_mode: insights.map(mode),
    })
}

pub async fn list_contributor_insights(
    dynamodb: Arc<DynamoDb>,
    context: RequestContext,
    input: ListContributorInsightsInput,
) -> Result<ListContributorInsightsOutput, ServiceError> {
    let tables = match &input.table_name {
        Some(given) => vec![dynamodb.named_table(&context, given)?.0],
        None => dynamodb.tables.all(),
    };
    let mut settings = Vec::new();
    for table in tables {
        let name = &table.name;
        if name.account != context.account || name.region != context.region {
            continue;
        }
        for (index, insights) in table.definition().iter().flat_map(|it| &it.insights) {
            let summary = ContributorInsightsSummary {
                table_name: Some(name.name.clone()),
                index_name: Some(index.clone()).filter(|index| !index.is_empty()),
                contributor_insights_status: Some(status(Some(*insights))),
                contributor_insights_mode: Some(mode(*insights)),
            };
            settings.push((format!("{}/{index}", name.name), summary));
        }
    }
    let most = input
        .max_results
        .and_then(|most| usize::try_from(most).ok());
    let cut = page::cut(settings, input.next_token.as_deref(), most.unwrap_or(PAGE));
    let (page, next_token) = cut.ok_or_else(|| error::invalid("Invalid NextToken"))?;
    let summaries = page.into_iter().map(|(_, summary)| summary).collect();
    Ok(ListContributorInsightsOutput {
        contributor_insights_summaries: Some(summaries),
        next_token,
    })
}

/// The name of an index, or nothing for the table.
fn checked_index(definition: &Definition, index: Option<&str>) -> Result<String, ServiceError> {
    match index {
        None => Ok(String::new()),
        Some(name) if definition.index(name).is_some() => Ok(name.to_owned()),
        Some(name) => Err(error::not_found(format!(
            "Requested resource not found: Index: {name} not found"
        ))),
    }
}

fn status(insights: Option<Insights>) -> ContributorInsightsStatus {
    if insights.is_some_and(|insights| insights.enabled) {
        ContributorInsightsStatus::Enabled
    } else {
        ContributorInsightsStatus::Disabled
    }
}

fn mode(insights: Insights) -> ContributorInsightsMode {
    if insights.only_throttled {
        ContributorInsightsMode::ThrottledKeys
    } else {
        ContributorInsightsMode::AccessedAndThrottledKeys
    }
}
