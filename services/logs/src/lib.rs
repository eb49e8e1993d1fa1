//! Amazon CloudWatch Logs: groups, streams, events, and the way functions' lines get there.

mod domain;
mod error;
mod generated;
mod groups;
mod ingest;
mod ops;
mod records;
mod service;
mod streams;
mod subscriptions;

use std::sync::Arc;

use ::service::ports::ApiCaller;
use ::service::{Operation, operation};
use base::Clock;
use store::{Store, StoreError};

use generated as g;
pub use service::{Logs, LogsService};

/// Everything that CloudWatch Logs answers here.
pub static OPERATIONS: &[Operation<Logs>] = &[
    operation!(g::CreateLogGroup => ops::groups::create),
    operation!(g::CreateLogStream => ops::streams::create),
    operation!(g::DeleteLogGroup => ops::groups::delete),
    operation!(g::DeleteLogStream => ops::streams::delete),
    operation!(g::DeleteRetentionPolicy => ops::retention::delete),
    operation!(g::DeleteSubscriptionFilter => ops::subscription_filters::delete),
    operation!(g::DescribeLogGroups => ops::groups::describe),
    operation!(g::DescribeLogStreams => ops::describe_log_streams::answer),
    operation!(g::DescribeSubscriptionFilters => ops::subscription_filters::describe),
    operation!(g::FilterLogEvents => ops::filter_log_events::answer),
    operation!(g::GetLogEvents => ops::get_log_events::answer),
    operation!(g::ListTagsForResource => ops::tags::list_for_resource),
    operation!(g::ListTagsLogGroup => ops::tags::list_log_group),
    operation!(g::PutLogEvents => ops::put_log_events::answer),
    operation!(g::PutRetentionPolicy => ops::retention::put),
    operation!(g::PutSubscriptionFilter => ops::subscription_filters::put),
    operation!(g::TagLogGroup => ops::tags::tag_log_group),
    operation!(g::TagResource => ops::tags::tag_resource),
    operation!(g::TestMetricFilter => ops::test_metric_filter::answer),
    operation!(g::UntagLogGroup => ops::tags::untag_log_group),
    operation!(g::UntagResource => ops::tags::untag_resource),
];

/// What the service is made with.
pub struct Config {
    pub store: Arc<dyn Store>,
    pub clock: Clock,
    /// The functions that subscription filters name, and the question whether they may be invoked.
    pub api: Arc<dyn ApiCaller>,
}

/// The service, as those know it whom it sends to.
pub(crate) const SENDER: &str = "logs.amazonaws.com";

/// Starts the service: its log writer and its retention sweep need a tokio runtime, and end when
/// the last reference to the service is gone.
///
/// # Errors
/// When its subscription filters cannot be read.
pub async fn service(config: Config) -> Result<Arc<Logs>, StoreError> {
    Logs::start(config).await
}
