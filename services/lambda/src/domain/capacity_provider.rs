//! What a capacity provider says of its machines. There is one machine here, so that it is checked,
//! kept and shown, and nothing comes of it but the architecture of its functions.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-capacity-providers.html>

use std::collections::BTreeMap;

use base::Arn;
use serde::{Deserialize, Serialize};
use service::ServiceError;

use super::function_name::Place;
use crate::error;
use crate::generated::{
    Architecture, CapacityProviderLoggingConfig, CapacityProviderPermissionsConfig,
    CapacityProviderPredefinedMetricType, CapacityProviderScalingConfig,
    CapacityProviderScalingMode, CapacityProviderTelemetryConfig, CapacityProviderVpcConfig,
    CreateCapacityProviderRequest, InstanceRequirements, PropagateTags, PropagateTagsMode,
    SystemLogLevel, TargetTrackingScalingPolicy, UpdateCapacityProviderRequest,
};

/// Longest name; the model's longer bound is for ARNs.
const MAX_NAME: usize = 64;
const DEFAULT_ARCHITECTURE: Architecture = Architecture::X86_64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Instances {
    pub subnet_ids: Vec<String>,
    pub security_group_ids: Vec<String>,
    /// The operator's.
    pub role: Arn,
    /// As AWS names it.
    pub architecture: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allowed_types: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub excluded_types: Option<Vec<String>>,
    #[serde(default)]
    pub scaling: InstanceScaling,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kms_key_arn: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub propagated: Option<Propagated>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub telemetry: Option<Telemetry>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct InstanceScaling {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_vcpus: Option<u32>,
    /// Empty where Lambda decides: the mode is `Auto` then.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<(String, f64)>,
}

/// Tags for the machines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Propagated {
    pub mode: String,
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
}

/// Of the machines' own log.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Telemetry {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub level: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub log_group: Option<String>,
}

/// The ARN of what a caller in `from` named, by its name or its ARN.
///
/// # Errors
/// A name that is too long.
pub fn named(text: &str, from: &Place) -> Result<Arn, ServiceError> {
    if text.starts_with("arn:") {
        return text.parse().map_err(|_| error::no_capacity_provider(text));
    }
    check_name(text)?;
    Ok(from.capacity_provider_arn(text))
}

/// The name for a new provider, which may be given as the ARN that it will have.
///
/// # Errors
/// An ARN of somewhere else; a name that is too long.
pub fn new_name(text: &str, here: &Place) -> Result<String, ServiceError> {
    let arn = named(text, here)?;
    let name = arn.resource.strip_prefix("capacity-provider:");
    let name = name.filter(|name| arn == here.capacity_provider_arn(name));
    let name = name.ok_or_else(|| {
        let Place { account, region } = here;
        error::invalid_parameter(format!(
            "{text} is not the ARN of a capacity provider of account {account} in {region}."
        ))
    })?;
    check_name(name)?;
    Ok(name.to_owned())
}

fn check_name(name: &str) -> Result<(), ServiceError> {
    if name.len() > MAX_NAME {
        let constraint = format!("Member must have length less than or equal to {MAX_NAME}");
        return Err(error::constraint(name, "capacityProviderName", &constraint));
    }
    Ok(())
}

impl Instances {
    /// What a new provider says.
    ///
    /// # Errors
    /// Lists and policies that exclude each other.
    pub fn of_new(input: &CreateCapacityProviderRequest) -> Result<Self, ServiceError> {
        let requirements = input.instance_requirements.clone().unwrap_or_default();
        let is_list = |types: &Option<Vec<String>>| types.as_ref().is_some_and(|it| !it.is_empty());
        if is_list(&requirements.allowed_instance_types)
            && is_list(&requirements.excluded_instance_types)
        {
            return Err(error::invalid_parameter(
                "AllowedInstanceTypes and ExcludedInstanceTypes can't be specified together.",
            ));
        }
        let architectures = requirements.architectures.unwrap_or_default();
        let architecture = architectures.first().copied();
        let role = &input.permissions_config.capacity_provider_operator_role_arn;
        Ok(Self {
            subnet_ids: input.vpc_config.subnet_ids.clone(),
            security_group_ids: input.vpc_config.security_group_ids.clone(),
            role: role.parse().map_err(|_| error::role_not_assumable())?,
            architecture: architecture
                .unwrap_or(DEFAULT_ARCHITECTURE)
                .as_str()
                .to_owned(),
            allowed_types: requirements.allowed_instance_types,
            excluded_types: requirements.excluded_instance_types,
            scaling: scaling(input.capacity_provider_scaling_config.as_ref())?,
            kms_key_arn: input.kms_key_arn.clone().filter(|arn| !arn.is_empty()),
            propagated: input.propagate_tags.as_ref().map(propagated).transpose()?,
            telemetry: input.telemetry_config.as_ref().map(telemetry),
        })
    }

    /// After an update: what is left out stays.
    ///
    /// # Errors
    /// As for a new one.
    pub fn updated(mut self, input: &UpdateCapacityProviderRequest) -> Result<Self, ServiceError> {
        if let Some(given) = &input.capacity_provider_scaling_config {
            let before = self.scaling;
            let mut scaling = scaling(Some(given))?;
            scaling.max_vcpus = scaling.max_vcpus.or(before.max_vcpus);
            if given.scaling_mode.is_none() && given.scaling_policies.is_none() {
                scaling.policies = before.policies;
            }
            self.scaling = scaling;
        }
        if let Some(given) = &input.propagate_tags {
            self.propagated = Some(propagated(given)?);
        }
        if let Some(given) = &input.telemetry_config {
            self.telemetry = Some(telemetry(given));
        }
        Ok(self)
    }

    pub fn shown_network(&self) -> CapacityProviderVpcConfig {
        CapacityProviderVpcConfig {
            subnet_ids: self.subnet_ids.clone(),
            security_group_ids: self.security_group_ids.clone(),
        }
    }

    pub fn shown_permissions(&self) -> CapacityProviderPermissionsConfig {
        CapacityProviderPermissionsConfig {
            capacity_provider_operator_role_arn: self.role.to_string(),
        }
    }

    pub fn shown_requirements(&self) -> InstanceRequirements {
        InstanceRequirements {
            architectures: Architecture::parse(&self.architecture).map(|it| vec![it]),
            allowed_instance_types: self.allowed_types.clone(),
            excluded_instance_types: self.excluded_types.clone(),
        }
    }

    pub fn shown_scaling(&self) -> CapacityProviderScalingConfig {
        let scaling = &self.scaling;
        let policies: Vec<_> = scaling.policies.iter().filter_map(shown_policy).collect();
        let mode = if policies.is_empty() {
            CapacityProviderScalingMode::Auto
        } else {
            CapacityProviderScalingMode::Manual
        };
        CapacityProviderScalingConfig {
            max_v_cpu_count: scaling.max_vcpus.map(u32::cast_signed),
            scaling_mode: Some(mode),
            scaling_policies: Some(policies).filter(|policies| !policies.is_empty()),
        }
    }

    pub fn shown_propagated(&self) -> Option<PropagateTags> {
        self.propagated.as_ref().map(|propagated| PropagateTags {
            mode: PropagateTagsMode::parse(&propagated.mode),
            explicit_tags: Some(propagated.tags.clone()).filter(|tags| !tags.is_empty()),
        })
    }

    /// With the group that there would be, if no other has been named.
    pub fn shown_telemetry(&self, name: &str) -> Option<CapacityProviderTelemetryConfig> {
        let telemetry = self.telemetry.as_ref()?;
        let group = telemetry.log_group.clone();
        let group = group.unwrap_or_else(|| format!("/aws/lambda/capacity-provider/{name}"));
        let level = telemetry.level.as_deref().unwrap_or("INFO");
        Some(CapacityProviderTelemetryConfig {
            logging_config: Some(CapacityProviderLoggingConfig {
                system_log_level: SystemLogLevel::parse(level),
                log_group: Some(group),
            }),
        })
    }
}

fn scaling(given: Option<&CapacityProviderScalingConfig>) -> Result<InstanceScaling, ServiceError> {
    let Some(given) = given else {
        return Ok(InstanceScaling::default());
    };
    let policies = given.scaling_policies.as_deref().unwrap_or_default();
    let is_manual = match given.scaling_mode {
        Some(mode) => mode == CapacityProviderScalingMode::Manual,
        None => !policies.is_empty(),
    };
    if !is_manual && !policies.is_empty() {
        return Err(error::invalid_parameter(
            "A scaling policy can't be specified when the scalingMode is set to Auto",
        ));
    }
    if is_manual && policies.is_empty() {
        return Err(error::invalid_parameter(
            "A scaling policy must be specified when the scalingMode is set to Manual",
        ));
    }
    let policy = |it: &TargetTrackingScalingPolicy| {
        (
            it.predefined_metric_type.as_str().to_owned(),
            it.target_value,
        )
    };
    Ok(InstanceScaling {
        max_vcpus: given.max_v_cpu_count.map(i32::unsigned_abs),
        policies: policies.iter().map(policy).collect(),
    })
}

fn shown_policy((metric, target): &(String, f64)) -> Option<TargetTrackingScalingPolicy> {
    Some(TargetTrackingScalingPolicy {
        predefined_metric_type: CapacityProviderPredefinedMetricType::parse(metric)?,
        target_value: *target,
    })
}

fn propagated(given: &PropagateTags) -> Result<Propagated, ServiceError> {
    let mode = given.mode.unwrap_or(PropagateTagsMode::None);
    let tags = given.explicit_tags.clone().unwrap_or_default();
    if mode == PropagateTagsMode::None && !tags.is_empty() {
        return Err(error::invalid_parameter(
            "ExplicitTags can't be specified when the Mode is set to None",
        ));
    }
    Ok(Propagated {
        mode: mode.as_str().to_owned(),
        tags,
    })
}

fn telemetry(given: &CapacityProviderTelemetryConfig) -> Telemetry {
    let logging = given.logging_config.clone().unwrap_or_default();
    Telemetry {
        level: logging.system_log_level.map(|it| it.as_str().to_owned()),
        log_group: logging.log_group,
    }
}
