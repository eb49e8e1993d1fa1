//! Where an alias leads: to one version, or, by weight, to two.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/configuring-alias-routing.html>

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use service::ServiceError;

use super::version::VersionId;
use crate::error;
use crate::generated::AliasRoutingConfiguration;

/// What an alias leads to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Routing {
    pub version: VersionId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub additional: Option<Additional>,
}

/// The second version of an alias.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Additional {
    pub version: u64,
    /// The part of all invocations that go to it, 0 to 1.
    pub weight: f64,
}

impl Routing {
    /// Reads a RoutingConfig whose numbers the model's bounds have been checked against. An empty
    /// one leaves all to `version`.
    ///
    /// # Errors
    /// More than one further version, the same version twice, `$LATEST` beside another.
    pub fn of(
        version: VersionId,
        config: Option<&AliasRoutingConfiguration>,
    ) -> Result<Self, ServiceError> {
        let weights = config.and_then(|config| config.additional_version_weights.as_ref());
        let mut weights = weights.into_iter().flatten();
        let first = weights.next();
        if weights.next().is_some() {
            return Err(error::invalid_parameter(
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ));
        }
        let Some((text, weight)) = first else {
            return Ok(Self {
                version,
                additional: None,
            });
        };
        let Ok(VersionId::Published(additional)) = text.parse() else {
            return Err(error::invalid_parameter(format!(
                "Invalid function version {text}."
            )));
        };
        let weight = *weight;
        Self::with(
            version,
            Some(Additional {
                version: additional,
                weight,
            }),
        )
    }

    /// The two versions, if they may stand beside each other.
    pub fn with(version: VersionId, additional: Option<Additional>) -> Result<Self, ServiceError> {
        if let Some(additional) = additional {
            match version {
                VersionId::Latest | VersionId::LatestPublished => {
                    return Err(error::invalid_parameter(format!(
                        "{version} is not supported for an alias pointing to more than 1 version"
                    )));
                }
                VersionId::Published(number) if number == additional.version => {
                    return Err(error::invalid_parameter(format!(
                        "Invalid function version {number}. Function version {number} is already \
                         included in routing configuration."
                    )));
                }
                VersionId::Published(_) => {}
            }
        }
        Ok(Self {
            version,
            additional,
        })
    }

    /// Every version that an invocation may go to.
    pub fn versions(&self) -> impl Iterator<Item = VersionId> {
        let additional = self
            .additional
            .map(|additional| VersionId::Published(additional.version));
        std::iter::once(self.version).chain(additional)
    }

    /// The version for an invocation that has drawn a number of at least 0 and below 1.
    pub fn pick(&self, drawn: f64) -> VersionId {
        match self.additional {
            Some(additional) if drawn < additional.weight => {
                VersionId::Published(additional.version)
            }
            _ => self.version,
        }
    }

    /// As the API shows it.
    pub fn config(&self) -> Option<AliasRoutingConfiguration> {
        let additional = self.additional?;
        let weights = BTreeMap::from([(additional.version.to_string(), additional.weight)]);
        Some(AliasRoutingConfiguration {
            additional_version_weights: Some(weights),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(version: &str, weights: &[(&str, f64)]) -> Result<Routing, ServiceError> {
        let weights = weights
            .iter()
            .map(|(version, weight)| ((*version).to_owned(), *weight));
        let config = AliasRoutingConfiguration {
            additional_version_weights: Some(weights.collect()),
        };
        Routing::of(version.parse().unwrap(), Some(&config))
    }

    #[test]
    fn an_alias_leads_to_at_most_two_published_versions() {
        assert_eq!(of("1", &[]).unwrap().additional, None);
        assert!(of("$LATEST", &[]).is_ok());
        let two = of("1", &[("2", 0.25)]).unwrap();
        let versions: Vec<_> = two.versions().collect();
        assert_eq!(versions, [VersionId::Published(1), VersionId::Published(2)]);
        for (refused, message) in [
            (
                of("1", &[("2", 0.1), ("3", 0.1)]),
                "Number of items in AdditionalVersionWeights cannot be greater than 1",
            ),
            (
                of("1", &[("1", 0.1)]),
                "Invalid function version 1. Function version 1 is already included in routing \
                 configuration.",
            ),
            (
                of("$LATEST", &[("1", 0.1)]),
                "$LATEST is not supported for an alias pointing to more than 1 version",
            ),
        ] {
            assert_eq!(refused.unwrap_err().message, message);
        }
    }

    #[test]
    fn the_weight_is_the_part_that_goes_to_the_second_version() {
        let routing = of("1", &[("2", 0.25)]).unwrap();
        assert_eq!(routing.pick(0.0), VersionId::Published(2));
        assert_eq!(routing.pick(0.249), VersionId::Published(2));
        assert_eq!(routing.pick(0.25), VersionId::Published(1));
        assert_eq!(
            of("1", &[("2", 0.0)]).unwrap().pick(0.0),
            VersionId::Published(1)
        );
        assert_eq!(
            of("1", &[("2", 1.0)]).unwrap().pick(0.999),
            VersionId::Published(2)
        );
    }
}
