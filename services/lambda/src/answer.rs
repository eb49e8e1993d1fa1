//! A version of a function as the API shows it.

use base::Arn;
use sha2::{Digest, Sha256};

use crate::code::shown_sha256;
use crate::domain::{durable_config, image_settings, tenancy};
use crate::function::{Preparation, Version};
use crate::generated::{
    Architecture, DeadLetterConfig, EnvironmentResponse, EphemeralStorage, FunctionConfiguration,
    ImageConfigResponse, LastUpdateStatus, LastUpdateStatusReasonCode, Layer, PackageType,
    RuntimeVersionConfig, SnapStartApplyOn, SnapStartOptimizationStatus, SnapStartResponse, State,
    StateReasonCode, TracingConfigResponse, TracingMode, VpcConfigResponse,
};
use crate::records::VersionRecord;
use crate::records::layer::LayerReference;

const BEING_CREATED: &str = "The function is being created.";

/// The configuration without its states, as lists show it. `arn` is qualified where the caller's
/// was.
pub fn listed(version: &Version, arn: &Arn) -> FunctionConfiguration {
    let record = &version.record;
    let settings = &record.settings;
    let is_image = record.code.container().is_some();
    FunctionConfiguration {
        function_name: Some(record.name.clone()),
        function_arn: Some(arn.to_string()),
        runtime: Some(settings.runtime.clone()).filter(|_| !is_image),
        role: Some(settings.role.to_string()),
        handler: Some(settings.handler.clone()).filter(|_| !is_image),
        code_size: Some(record.code.size() as i64),
        description: Some(record.description().to_owned()),
        timeout: Some(settings.timeout.cast_signed()),
        memory_size: Some(settings.memory_size.cast_signed()),
        last_modified: Some(record.last_modified.lambda_date()),
        code_sha256: Some(shown_sha256(&record.code)),
        version: Some(record.version.to_string()),
        vpc_config: settings.vpc.as_ref().map(|vpc| VpcConfigResponse {
            subnet_ids: Some(vpc.subnet_ids.clone()),
            security_group_ids: Some(vpc.security_group_ids.clone()),
            // There are no networks to look the subnets up in.
            vpc_id: Some(String::new()),
            ipv6_allowed_for_dual_stack: Some(vpc.ipv6_allowed_for_dual_stack),
        }),
        environment: settings
            .environment
            .clone()
            .map(|variables| EnvironmentResponse {
                variables: Some(variables),
                error: None,
            }),
        kms_key_arn: settings.kms_key_arn.clone(),
        layers: Some(layers(&settings.layers)).filter(|layers| !layers.is_empty()),
        dead_letter_config: settings.dead_letter.as_ref().map(|arn| DeadLetterConfig {
            target_arn: Some(arn.to_string()),
        }),
        tracing_config: Some(TracingConfigResponse {
            mode: TracingMode::parse(&settings.tracing_mode),
        }),
        revision_id: Some(record.revision_id.clone()),
        package_type: Some(if is_image {
            PackageType::Image
        } else {
            PackageType::Zip
        }),
        image_config_response: settings.image.as_ref().map(|image| ImageConfigResponse {
            image_config: Some(image_settings::shown(image)),
            error: None,
        }),
        architectures: Architecture::parse(&record.architecture).map(|it| vec![it]),
        ephemeral_storage: Some(EphemeralStorage {
            size: settings.ephemeral_storage.cast_signed(),
        }),
        snap_start: Some(SnapStartResponse {
            apply_on: SnapStartApplyOn::parse(&settings.snap_start),
            optimization_status: Some(optimization(version)),
        })
        .filter(|_| settings.capacity.is_none()),
        capacity_provider_config: settings.capacity.as_ref().map(|it| it.shown(settings)),
        durable_config: settings.durable.as_ref().map(durable_config::shown),
        tenancy_config: tenancy::shown(settings),
        logging_config: Some(settings.logging.shown(&settings.log_group)),
        ..FunctionConfiguration::default()
    }
}

fn layers(layers: &[LayerReference]) -> Vec<Layer> {
    let shown = layers.iter().map(|layer| Layer {
        arn: Some(layer.arn.to_string()),
        code_size: Some(layer.code.size() as i64),
        ..Layer::default()
    });
    shown.collect()
}

fn optimization(version: &Version) -> SnapStartOptimizationStatus {
    if version.snap_starts() && version.preparation() == Preparation::Done {
        SnapStartOptimizationStatus::On
    } else {
        SnapStartOptimizationStatus::Off
    }
}

/// The configuration with its states. `note` says what is unusual about the runtime.
pub fn current(version: &Version, arn: &Arn, note: Option<String>) -> FunctionConfiguration {
    let (reason, code) = match version.preparation() {
        Preparation::Done => (note, None),
        Preparation::UnderWay => (
            Some(BEING_CREATED.to_owned()),
            Some(StateReasonCode::Creating),
        ),
        Preparation::NoImage { code, why } => (Some(why), Some(code)),
        Preparation::Failed(why) => (Some(why), Some(StateReasonCode::FunctionError)),
    };
    FunctionConfiguration {
        state: Some(state(version)),
        state_reason: reason,
        state_reason_code: code,
        last_update_status: Some(LastUpdateStatus::Successful),
        ..with_runtime_version(version, arn)
    }
}

/// What may be done with a version now.
pub fn state(version: &Version) -> State {
    match version.preparation() {
        Preparation::UnderWay => State::Pending,
        Preparation::NoImage { .. } | Preparation::Failed(_) => State::Failed,
        Preparation::Done => version.state_on_provider().unwrap_or(State::Active),
    }
}

/// The answer that creates a function or publishes a version. By the time it is read either is
/// ready, unless SnapStart prepares it; clients wait for that as they do for Lambda.
pub fn created(version: &Version, arn: &Arn) -> FunctionConfiguration {
    FunctionConfiguration {
        state: Some(State::Pending),
        state_reason: Some(BEING_CREATED.to_owned()),
        state_reason_code: Some(StateReasonCode::Creating),
        ..with_runtime_version(version, arn)
    }
}

/// The answer to an update, likewise. Lambda's words are those of a creation.
pub fn updated(latest: &Version, note: Option<String>) -> FunctionConfiguration {
    FunctionConfiguration {
        last_update_status: Some(LastUpdateStatus::InProgress),
        last_update_status_reason: Some(BEING_CREATED.to_owned()),
        // The model's set lacks the code that Lambda sends.
        last_update_status_reason_code: None::<LastUpdateStatusReasonCode>,
        ..current(latest, &latest.record.function_arn(), note)
    }
}

/// The one version of its runtime that this machine has.
pub fn runtime_version_arn(record: &VersionRecord) -> String {
    let digest = hex::encode(Sha256::digest(&record.settings.runtime));
    let (partition, region) = (record.region.partition(), &record.region);
    format!("arn:{partition}:lambda:{region}::runtime:{digest}")
}

fn with_runtime_version(version: &Version, arn: &Arn) -> FunctionConfiguration {
    let record: &VersionRecord = &version.record;
    // An image brings its own.
    let has_runtime = record.code.container().is_none();
    FunctionConfiguration {
        runtime_version_config: has_runtime.then(|| RuntimeVersionConfig {
            runtime_version_arn: Some(runtime_version_arn(record)),
            error: None,
        }),
        ..listed(version, arn)
    }
}
