//! GetAccount, UpdateAccount.

use service::{RequestContext, ServiceError};

use super::State;
use crate::domain::{patch, patches};
use crate::g;
use crate::records::Inventory;

/// There is one of it.
const ONLY: &str = "-";

/// AWS's own limits, which it shows everybody.
fn of(inventory: &Inventory) -> g::Account {
    let changed = inventory.account.get(ONLY);
    changed.map_or_else(
        || g::Account {
            cloudwatch_role_arn: None,
            throttle_settings: Some(g::ThrottleSettings {
                burst_limit: Some(5_000),
                rate_limit: Some(10_000.0),
            }),
            features: Some(vec!["UsagePlans".to_owned()]),
            api_key_version: Some("4".to_owned()),
        },
        |account| g::Account::clone(account),
    )
}

pub async fn get(
    service: State,
    context: RequestContext,
    _: g::GetAccountRequest,
) -> Result<g::Account, ServiceError> {
    Ok(of(&service.inventory(&context)))
}

pub async fn update(
    service: State,
    context: RequestContext,
    input: g::UpdateAccountRequest,
) -> Result<g::Account, ServiceError> {
    service
        .change(&context, |inventory| {
            let mut account =
                patch::patched(&of(inventory), input.patch_operations, patches::ACCOUNT)?;
            account.cloudwatch_role_arn = super::filled(account.cloudwatch_role_arn);
            Ok(super::replace(&mut inventory.account, ONLY, account))
        })
        .await
}
