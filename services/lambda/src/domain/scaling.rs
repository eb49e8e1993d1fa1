//! How many environments a version on a capacity provider has.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-scaling.html>

use serde::{Deserialize, Serialize};
use service::ServiceError;

use crate::error;
use crate::generated::FunctionScalingConfig;

/// Environments that are initialised before a version is Active.
const DEFAULT_MINIMUM: u32 = 3;

/// What was asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scaling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub minimum: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub maximum: Option<u32>,
}

impl Scaling {
    /// Reads a configuration whose numbers the model's bounds have been checked against.
    ///
    /// # Errors
    /// A minimum above the maximum.
    pub fn of(given: Option<&FunctionScalingConfig>) -> Result<Self, ServiceError> {
        let bound = |bound: Option<i32>| bound.map(i32::unsigned_abs);
        let this = given.map_or_else(Self::default, |given| Self {
            minimum: bound(given.min_execution_environments),
            maximum: bound(given.max_execution_environments),
        });
        match (this.minimum, this.maximum) {
            (Some(minimum), Some(maximum)) if minimum > maximum => {
                Err(error::invalid_parameter(format!(
                    "MinExecutionEnvironments ({minimum}) must be less than or equal to \
                     MaxExecutionEnvironments ({maximum})."
                )))
            }
            _ => Ok(this),
        }
    }

    /// How many environments are kept initialised.
    pub fn least(self) -> u32 {
        let default = DEFAULT_MINIMUM.min(self.most());
        self.minimum.unwrap_or(default)
    }

    /// How many there are at most.
    pub fn most(self) -> u32 {
        self.maximum.unwrap_or(u32::MAX)
    }

    /// Whether there is to be none at all.
    pub fn is_off(self) -> bool {
        self.most() == 0
    }

    pub fn shown(self) -> FunctionScalingConfig {
        FunctionScalingConfig {
            min_execution_environments: Some(self.least().cast_signed()),
            max_execution_environments: self.maximum.map(u32::cast_signed),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(minimum: Option<i32>, maximum: Option<i32>) -> Result<Scaling, ServiceError> {
        Scaling::of(Some(&FunctionScalingConfig {
            min_execution_environments: minimum,
            max_execution_environments: maximum,
        }))
    }

    #[test]
    fn what_is_not_given_is_lambdas() {
        let default = Scaling::of(None).unwrap();
        assert_eq!((default.least(), default.most()), (3, u32::MAX));
        assert_eq!(of(None, Some(2)).unwrap().least(), 2);
        assert_eq!(of(Some(5), None).unwrap().least(), 5);
        assert!(of(Some(0), Some(0)).unwrap().is_off());
        assert!(!of(Some(0), None).unwrap().is_off());
    }

    #[test]
    fn the_minimum_is_no_more_than_the_maximum() {
        assert!(of(Some(2), Some(1)).is_err());
        assert!(of(Some(2), Some(2)).is_ok());
    }
}
