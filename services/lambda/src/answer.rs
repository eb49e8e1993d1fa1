//! A function as the API shows it.

use base::Arn;
use sha2::{Digest, Sha256};

use crate::code::shown_sha256;
use crate::functions::Function;
use crate::generated::{
    Architecture, EnvironmentResponse, EphemeralStorage, FunctionConfiguration, LastUpdateStatus,
    LastUpdateStatusReasonCode, LogFormat, LoggingConfig, PackageType, RuntimeVersionConfig,
    SnapStartApplyOn, SnapStartOptimizationStatus, SnapStartResponse, State, StateReasonCode,
    TracingConfigResponse, TracingMode, VpcConfigResponse,
};
use crate::records::FunctionRecord;
use crate::runner::LATEST;

const BEING_CREATED: &str = "The function is being created.";

/// The configuration without its states, as lists show it. `arn` is qualified where the caller's
/// was.
pub fn listed(record: &FunctionRecord, arn: &Arn) -> FunctionConfiguration {
    let settings = &record.settings;
    FunctionConfiguration {
        function_name: Some(record.name.clone()),
        function_arn: Some(arn.to_string()),
        runtime: Some(settings.runtime.clone()),
        role: Some(settings.role.to_string()),
        handler: Some(settings.handler.clone()),
        code_size: Some(record.code.size() as i64),
        description: Some(settings.description.clone()),
        timeout: Some(settings.timeout.cast_signed()),
        memory_size: Some(settings.memory_size.cast_signed()),
        last_modified: Some(record.last_modified.lambda_date()),
        code_sha256: Some(shown_sha256(&record.code)),
        version: Some(LATEST.to_owned()),
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
        tracing_config: Some(TracingConfigResponse {
            mode: TracingMode::parse(&settings.tracing_mode),
        }),
        revision_id: Some(record.revision_id.clone()),
        package_type: Some(PackageType::Zip),
        architectures: Architecture::parse(&record.architecture).map(|it| vec![it]),
        ephemeral_storage: Some(EphemeralStorage {
            size: settings.ephemeral_storage.cast_signed(),
        }),
        snap_start: Some(SnapStartResponse {
            apply_on: SnapStartApplyOn::parse(&settings.snap_start),
            optimization_status: Some(SnapStartOptimizationStatus::Off),
        }),
        logging_config: Some(LoggingConfig {
            log_format: Some(LogFormat::Text),
            log_group: Some(settings.log_group.clone()),
            ..LoggingConfig::default()
        }),
        ..FunctionConfiguration::default()
    }
}

/// The configuration of a function that is ready. `note` says what is unusual about its runtime.
pub fn ready(function: &Function, arn: &Arn, note: Option<String>) -> FunctionConfiguration {
    FunctionConfiguration {
        state: Some(State::Active),
        state_reason: note,
        last_update_status: Some(LastUpdateStatus::Successful),
        ..with_runtime_version(&function.record, arn)
    }
}

/// The answer to CreateFunction. By the time it is read the function is ready; clients wait for
/// that as they do for Lambda.
pub fn created(function: &Function) -> FunctionConfiguration {
    FunctionConfiguration {
        state: Some(State::Pending),
        state_reason: Some(BEING_CREATED.to_owned()),
        state_reason_code: Some(StateReasonCode::Creating),
        ..with_runtime_version(&function.record, &function.record.arn())
    }
}

/// The answer to an update, likewise. Lambda's words are those of a creation.
pub fn updated(function: &Function, note: Option<String>) -> FunctionConfiguration {
    FunctionConfiguration {
        last_update_status: Some(LastUpdateStatus::InProgress),
        last_update_status_reason: Some(BEING_CREATED.to_owned()),
        // The model's set lacks the code that Lambda sends.
        last_update_status_reason_code: None::<LastUpdateStatusReasonCode>,
        ..ready(function, &function.record.arn(), note)
    }
}

fn with_runtime_version(record: &FunctionRecord, arn: &Arn) -> FunctionConfiguration {
    let version = hex::encode(Sha256::digest(&record.settings.runtime));
    let (partition, region) = (record.region.partition(), &record.region);
    let version_arn = format!("arn:{partition}:lambda:{region}::runtime:{version}");
    FunctionConfiguration {
        runtime_version_config: Some(RuntimeVersionConfig {
            runtime_version_arn: Some(version_arn),
            error: None,
        }),
        ..listed(record, arn)
    }
}
