//! SetSMSAttributes, GetSMSAttributes; and what would have left this machine.

use std::time::Duration;

use base::Timestamp;
use serde_json::json;
use service::{RequestContext, ServiceError};
use store::{Batch, Store, StoreError};

use super::State;
use crate::error;
use crate::generated as g;
use crate::records::{OUTGOING, SMS};

const ATTRIBUTES: [&str; 6] = [
    "MonthlySpendLimit",
    "DeliveryStatusIAMRole",
    "DeliveryStatusSuccessSamplingRate",
    "DefaultSenderID",
    "DefaultSMSType",
    "UsageReportS3Bucket",
];
/// How long messages stay that would have left this machine; older ones go with the next start.
const KEPT: Duration = Duration::from_hours(7 * 24);
/// Messages shown at once.
const SHOWN: usize = 1_000;

pub async fn set_attributes(
    sns: State,
    context: RequestContext,
    input: g::SetSMSAttributesInput,
) -> Result<g::SetSMSAttributesResponse, ServiceError> {
    let unknown = |name: &&String| !ATTRIBUTES.contains(&name.as_str());
    if let Some(name) = input.attributes.keys().find(unknown) {
        return Err(error::invalid(format!("{name} is not a valid attribute")));
    }
    if let Some(kind) = input.attributes.get("DefaultSMSType")
        && !["Promotional", "Transactional"].contains(&kind.as_str())
    {
        return Err(error::invalid("DefaultSMSType is invalid"));
    }
    let _one_writer = sns.writer.lock().await;
    let key = (context.account.as_str(), context.region.as_str());
    let stored = SMS.get(&*sns.store, key).await;
    let mut set = stored
        .map_err(|error| error::unavailable(&error))?
        .unwrap_or_default();
    set.extend(input.attributes);
    let mut batch = Batch::new();
    let put = SMS.put(&mut batch, key, &set);
    sns.commit(put.map(|()| batch)).await?;
    Ok(g::SetSMSAttributesResponse {})
}

pub async fn get_attributes(
    sns: State,
    context: RequestContext,
    input: g::GetSMSAttributesInput,
) -> Result<g::GetSMSAttributesResponse, ServiceError> {
    let key = (context.account.as_str(), context.region.as_str());
    let stored = SMS.get(&*sns.store, key).await;
    let mut set = stored
        .map_err(|error| error::unavailable(&error))?
        .unwrap_or_default();
    if let Some(wanted) = input.attributes.filter(|wanted| !wanted.is_empty()) {
        set.retain(|name, _| wanted.contains(name));
    }
    Ok(g::GetSMSAttributesResponse {
        attributes: Some(set),
    })
}

/// Removes what has been written down for a week.
pub async fn forget_old(store: &dyn Store, now: Timestamp) -> Result<(), StoreError> {
    let kept_since = now - KEPT;
    let mut after = None;
    loop {
        let page = OUTGOING.scan(store, (), after.as_ref(), SHOWN).await?;
        let mut batch = Batch::new();
        for row in &page.rows {
            let mut parts = row.key.reader();
            // Account and region come first.
            let (_, _, at) = (parts.text()?, parts.text()?, parts.i64()?);
            if at < kept_since.millis() {
                OUTGOING.delete(&mut batch, &row.key);
            }
        }
        if !batch.is_empty() {
            store.commit(batch).await?;
        }
        after = page.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

pub async fn outgoing(store: &dyn Store) -> Result<Vec<serde_json::Value>, StoreError> {
    let page = OUTGOING.scan_reversed(store, (), None, SHOWN).await?;
    let mut shown = page
        .rows
        .into_iter()
        .map(|row| {
            let mut parts = row.key.reader();
            let (account, region) = (parts.text()?, parts.text()?);
            let at = Timestamp::from_millis(parts.i64()?);
            let one = row.value;
            let message = json!({
                "account": account,
                "region": region,
                "time": at.iso8601_millis(),
                "protocol": one.protocol,
                "endpoint": one.endpoint,
                "subject": one.subject,
                "message": one.message,
            });
            Ok((at, message))
        })
        .collect::<Result<Vec<_>, StoreError>>()?;
    shown.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    Ok(shown.into_iter().map(|(_, message)| message).collect())
}
