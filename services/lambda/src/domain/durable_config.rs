//! `DurableConfig`: whether a function is durable, for how long, and how long it is remembered.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/durable-configuration.html>

use serde::{Deserialize, Serialize};
use service::ServiceError;

use crate::error;
use crate::generated::DurableConfig;

const DEFAULT_RETENTION: u32 = 14;

/// Of a durable function.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DurableSettings {
    /// In seconds.
    pub execution_timeout: u32,
    pub retention_days: u32,
}

/// Of a new function; `None` if it is not durable.
///
/// # Errors
/// No timeout; a key of the customer's own.
pub fn of_new(given: Option<&DurableConfig>) -> Result<Option<DurableSettings>, ServiceError> {
    let Some(given) = given else {
        return Ok(None);
    };
    check_key(given)?;
    let Some(execution_timeout) = given.execution_timeout.and_then(|it| it.try_into().ok()) else {
        return Err(error::invalid_parameter(
            "You cannot create a function with a durable configuration without an \
             executionTimeout",
        ));
    };
    let retention = given
        .retention_period_in_days
        .and_then(|it| it.try_into().ok());
    Ok(Some(DurableSettings {
        execution_timeout,
        retention_days: retention.unwrap_or(DEFAULT_RETENTION),
    }))
}

/// After an update: what is left out stays. A function is durable from the start or never.
///
/// # Errors
/// The function is not durable; a key of the customer's own.
pub fn updated(
    before: Option<&DurableSettings>,
    given: Option<&DurableConfig>,
) -> Result<Option<DurableSettings>, ServiceError> {
    let Some(given) = given else {
        return Ok(before.cloned());
    };
    check_key(given)?;
    let Some(before) = before else {
        return Err(error::invalid_parameter(
            "You cannot add a durable configuration to an existing function.",
        ));
    };
    let timeout = given.execution_timeout.and_then(|it| it.try_into().ok());
    let retention = given
        .retention_period_in_days
        .and_then(|it| it.try_into().ok());
    Ok(Some(DurableSettings {
        execution_timeout: timeout.unwrap_or(before.execution_timeout),
        retention_days: retention.unwrap_or(before.retention_days),
    }))
}

pub fn shown(settings: &DurableSettings) -> DurableConfig {
    DurableConfig {
        kms_key_arn: None,
        retention_period_in_days: Some(settings.retention_days.cast_signed()),
        execution_timeout: Some(settings.execution_timeout.cast_signed()),
    }
}

fn check_key(given: &DurableConfig) -> Result<(), ServiceError> {
    match &given.kms_key_arn {
        Some(key) if !key.is_empty() => {
            Err(error::not_yet("customer managed keys of durable functions"))
        }
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(timeout: Option<i32>, retention: Option<i32>) -> DurableConfig {
        DurableConfig {
            kms_key_arn: None,
            retention_period_in_days: retention,
            execution_timeout: timeout,
        }
    }

    #[test]
    fn a_function_is_durable_from_the_start() {
        assert_eq!(of_new(None).unwrap(), None);
        let error = of_new(Some(&config(None, Some(3)))).unwrap_err();
        assert!(error.message.ends_with("without an executionTimeout"));
        let settings = of_new(Some(&config(Some(60), None))).unwrap().unwrap();
        assert_eq!(settings.retention_days, 14);
        let later = updated(Some(&settings), Some(&config(None, Some(3))));
        let later = later.unwrap().unwrap();
        assert_eq!((later.execution_timeout, later.retention_days), (60, 3));
        assert_eq!(updated(Some(&later), None).unwrap(), Some(later));
        assert!(updated(None, Some(&config(Some(60), None))).is_err());
        let keyed = DurableConfig {
            kms_key_arn: Some("arn:aws:kms:us-east-1:000000000000:key/k".to_owned()),
            ..config(Some(60), None)
        };
        assert!(of_new(Some(&keyed)).is_err());
    }
}
