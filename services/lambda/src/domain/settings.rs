//! The configuration of a function: defaults, bounds, and what an update changes.

use base::Arn;
use service::ServiceError;

use super::capacity::Capacity;
use super::logging::{LogSettings, Logging};
use super::{
    capacity, dead_letter, durable_config, environment_variables, image_settings, runtime,
    snap_start, tenancy,
};
use crate::error;
use crate::generated::{
    CreateFunctionRequest, EphemeralStorage, FileSystemConfig, PackageType, TracingConfig,
    TracingMode, UpdateFunctionConfigurationRequest, VpcConfig,
};
use crate::records::{Settings, Vpc};

/// Upper bounds that an operator may raise; by default Lambda's.
/// <https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html>
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of an invocation, in seconds.
    pub timeout: u32,
    /// Of an environment, in MB.
    pub memory: u32,
    /// Invocations at once in one account and region.
    pub concurrency: u32,
    /// All packages of one account and region, in bytes.
    pub code_storage: u64,
    /// A streamed response, in bytes.
    pub streamed_response: usize,
    /// An event or a response of a synchronous invocation, in bytes.
    pub payload: usize,
    /// An event of an asynchronous invocation, in bytes.
    pub async_payload: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout: 900,
            memory: 10_240,
            concurrency: 1_000,
            code_storage: 75 << 30,
            streamed_response: exec::MAX_STREAMED_BYTES,
            payload: exec::MAX_PAYLOAD_BYTES,
            async_payload: 1 << 20,
        }
    }
}

const DEFAULT_TIMEOUT: i32 = 3;
const DEFAULT_MEMORY: i32 = 128;
const DEFAULT_EPHEMERAL_STORAGE: i32 = 512;
/// In MB.
const MAX_EPHEMERAL_STORAGE: u32 = 10_240;

/// The settings of a new function.
///
/// # Errors
/// Values out of bounds, and features that are not there.
pub fn of_new(
    name: &str,
    input: &CreateFunctionRequest,
    limits: &Limits,
) -> Result<Settings, ServiceError> {
    let (runtime, handler) = program(input)?;
    let capacity = capacity::of_new(input)?;
    let logging = match capacity {
        Some(_) => Logging::json(),
        None => Logging::Text,
    };
    let log = LogSettings::of_new(name, logging).updated(input.logging_config.as_ref())?;
    let default_memory = match capacity {
        Some(_) => capacity::LEAST_MEMORY.cast_signed(),
        None => DEFAULT_MEMORY,
    };
    let settings = Settings {
        runtime,
        role: role(&input.role)?,
        handler,
        description: input.description.clone().unwrap_or_default(),
        timeout: timeout(input.timeout.unwrap_or(DEFAULT_TIMEOUT), limits)?,
        memory_size: memory(
            input.memory_size.unwrap_or(default_memory),
            limits,
            capacity.as_ref(),
        )?,
        ephemeral_storage: ephemeral_storage(input.ephemeral_storage.as_ref())?,
        environment: input
            .environment
            .as_ref()
            .map(|environment| environment.variables.clone().unwrap_or_default()),
        tracing_mode: tracing_mode(input.tracing_config.as_ref()),
        snap_start: snap_start::apply_on(input.snap_start.as_ref()),
        log_group: log.group,
        logging: log.logging,
        vpc: input.vpc_config.as_ref().map(vpc),
        kms_key_arn: input.kms_key_arn.clone().filter(|arn| !arn.is_empty()),
        // They are looked up by the operation.
        layers: Vec::new(),
        dead_letter: dead_letter::target(input.dead_letter_config.as_ref())?,
        durable: durable_config::of_new(input.durable_config.as_ref())?,
        image: match &input.image_config {
            Some(config) => image_settings::of(config)?,
            None => None,
        },
        per_tenant: tenancy::of_new(input.tenancy_config.as_ref()),
        capacity,
    };
    check(&settings, is_image(input))?;
    refuse(&[
        ("file systems", has_any(input.file_system_configs.as_ref())),
        ("accelerators", input.accelerator_config.is_some()),
        ("runtime configurations", input.runtime_config.is_some()),
    ])?;
    Ok(settings)
}

fn is_image(input: &CreateFunctionRequest) -> bool {
    input.package_type == Some(PackageType::Image)
}

/// What runs the function: a runtime and what it calls, or the image alone, which has neither.
fn program(input: &CreateFunctionRequest) -> Result<(String, String), ServiceError> {
    if is_image(input) {
        let has_program = input.runtime.is_some() || input.handler.is_some();
        let has_layers = input
            .layers
            .as_ref()
            .is_some_and(|layers| !layers.is_empty());
        image_settings::refuse_package_settings(has_program, has_layers)?;
        return Ok((String::new(), String::new()));
    }
    match (&input.runtime, &input.handler) {
        (Some(runtime), Some(handler)) => Ok((runtime.clone(), handler.clone())),
        _ => Err(error::invalid_parameter(
            "Runtime and Handler are mandatory parameters for functions created with deployment \
             packages.",
        )),
    }
}

/// The settings after an update. What the request leaves out stays.
///
/// # Errors
/// As for a new function.
pub fn updated(
    before: &Settings,
    input: &UpdateFunctionConfigurationRequest,
    limits: &Limits,
) -> Result<Settings, ServiceError> {
    let mut settings = before.clone();
    // Of an image: no function of a package is without a runtime.
    let is_image = before.runtime.is_empty();
    if is_image {
        let has_program = input.runtime.is_some() || input.handler.is_some();
        let has_layers = input
            .layers
            .as_ref()
            .is_some_and(|layers| !layers.is_empty());
        image_settings::refuse_package_settings(has_program, has_layers)?;
    }
    if let Some(config) = &input.image_config {
        settings.image = image_settings::of(config)?;
    }
    if let Some(given) = &input.role {
        settings.role = role(given)?;
    }
    if let Some(runtime) = &input.runtime {
        settings.runtime.clone_from(runtime);
    }
    if let Some(handler) = &input.handler {
        settings.handler.clone_from(handler);
    }
    if let Some(description) = &input.description {
        settings.description.clone_from(description);
    }
    if let Some(seconds) = input.timeout {
        settings.timeout = timeout(seconds, limits)?;
    }
    settings.capacity = capacity::updated(
        before.capacity.as_ref(),
        input.capacity_provider_config.as_ref(),
    )?;
    if let Some(megabytes) = input.memory_size {
        settings.memory_size = memory(megabytes, limits, settings.capacity.as_ref())?;
    }
    if input.ephemeral_storage.is_some() {
        settings.ephemeral_storage = ephemeral_storage(input.ephemeral_storage.as_ref())?;
    }
    if let Some(environment) = &input.environment {
        settings.environment = Some(environment.variables.clone().unwrap_or_default());
    }
    if input.tracing_config.is_some() {
        settings.tracing_mode = tracing_mode(input.tracing_config.as_ref());
    }
    if input.snap_start.is_some() {
        settings.snap_start = snap_start::apply_on(input.snap_start.as_ref());
    }
    let log = LogSettings {
        group: settings.log_group,
        logging: settings.logging,
    };
    let log = log.updated(input.logging_config.as_ref())?;
    (settings.log_group, settings.logging) = (log.group, log.logging);
    if let Some(given) = &input.vpc_config {
        settings.vpc = Some(vpc(given));
    }
    if let Some(arn) = &input.kms_key_arn {
        settings.kms_key_arn = Some(arn.clone()).filter(|arn| !arn.is_empty());
    }
    if input.dead_letter_config.is_some() {
        settings.dead_letter = dead_letter::target(input.dead_letter_config.as_ref())?;
    }
    settings.durable =
        durable_config::updated(before.durable.as_ref(), input.durable_config.as_ref())?;
    check(&settings, is_image)?;
    refuse(&[
        ("file systems", has_any(input.file_system_configs.as_ref())),
        ("accelerators", input.accelerator_config.is_some()),
        ("runtime configurations", input.runtime_config.is_some()),
    ])?;
    Ok(settings)
}

/// What concerns several settings, or their content.
fn check(settings: &Settings, is_image: bool) -> Result<(), ServiceError> {
    if is_image {
        if snap_start::is_on(settings) {
            return Err(snap_start::unsupported("PackageType Image"));
        }
    } else {
        runtime::parse(&settings.runtime)?;
        if settings.image.is_some() {
            return Err(error::invalid_parameter(
                "ImageConfig is not supported for functions created with deployment packages.",
            ));
        }
    }
    snap_start::check(settings)?;
    capacity::check(settings)?;
    tenancy::check_settings(settings)?;
    settings
        .environment
        .as_ref()
        .map_or(Ok(()), environment_variables::check)
}

/// Says which feature is missing, rather than to accept it and do nothing.
fn refuse(features: &[(&str, bool)]) -> Result<(), ServiceError> {
    match features.iter().find(|(_, is_asked)| *is_asked) {
        Some((feature, _)) => Err(error::not_yet(feature)),
        None => Ok(()),
    }
}

fn has_any(configs: Option<&Vec<FileSystemConfig>>) -> bool {
    configs.is_some_and(|configs| !configs.is_empty())
}

/// The model's pattern has been checked, so that this fails only on ARNs odd in other ways.
fn role(arn: &str) -> Result<Arn, ServiceError> {
    arn.parse().map_err(|_| error::role_not_assumable())
}

/// The model's own bounds are wider, for kinds of functions that are not here.
fn timeout(seconds: i32, limits: &Limits) -> Result<u32, ServiceError> {
    bounded(seconds, 1, limits.timeout, "timeout")
}

fn memory(
    megabytes: i32,
    limits: &Limits,
    capacity: Option<&Capacity>,
) -> Result<u32, ServiceError> {
    if capacity.is_none() {
        return bounded(megabytes, 128, limits.memory, "memorySize");
    }
    let least = capacity::LEAST_MEMORY;
    if megabytes < least.cast_signed() {
        return Err(ServiceError::bad_request(
            "ValidationException",
            format!(
                "Lambda Managed Instance functions must have memory size greater than or equal to \
                 {least}"
            ),
        ));
    }
    let most = limits.memory.max(capacity::MOST_MEMORY);
    bounded(megabytes, least, most, "memorySize")
}

fn bounded(value: i32, least: u32, most: u32, member: &str) -> Result<u32, ServiceError> {
    let bound = |relation: &str, bound: u32| {
        let constraint = format!("Member must have value {relation} than or equal to {bound}");
        error::constraint(value, member, &constraint)
    };
    match u32::try_from(value) {
        Ok(value) if value > most => Err(bound("less", most)),
        Ok(value) if value >= least => Ok(value),
        _ => Err(bound("greater", least)),
    }
}

fn ephemeral_storage(given: Option<&EphemeralStorage>) -> Result<u32, ServiceError> {
    let size = given.map_or(DEFAULT_EPHEMERAL_STORAGE, |storage| storage.size);
    bounded(size, 512, MAX_EPHEMERAL_STORAGE, "ephemeralStorage.size")
}

fn tracing_mode(given: Option<&TracingConfig>) -> String {
    let mode = given
        .and_then(|config| config.mode)
        .unwrap_or(TracingMode::PassThrough);
    mode.as_str().to_owned()
}

fn vpc(given: &VpcConfig) -> Vpc {
    Vpc {
        subnet_ids: given.subnet_ids.clone().unwrap_or_default(),
        security_group_ids: given.security_group_ids.clone().unwrap_or_default(),
        ipv6_allowed_for_dual_stack: given.ipv6_allowed_for_dual_stack.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generated::{DeadLetterConfig, Environment};

    fn new() -> CreateFunctionRequest {
        CreateFunctionRequest {
            function_name: "hello".to_owned(),
            runtime: Some("python3.12".to_owned()),
            role: "arn:aws:iam::000000000000:role/r".to_owned(),
            handler: Some("index.handler".to_owned()),
            ..CreateFunctionRequest::default()
        }
    }

    fn settings(input: &CreateFunctionRequest) -> Result<Settings, ServiceError> {
        of_new("hello", input, &Limits::default())
    }

    #[test]
    fn defaults_are_lambdas() {
        let settings = settings(&new()).unwrap();
        assert_eq!(
            (
                settings.timeout,
                settings.memory_size,
                settings.ephemeral_storage
            ),
            (3, 128, 512)
        );
        assert_eq!(settings.log_group, "/aws/lambda/hello");
        assert_eq!(settings.tracing_mode, "PassThrough");
        assert_eq!(settings.environment, None);
    }

    #[test]
    fn bounds_are_lambdas_and_not_the_models() {
        let long = CreateFunctionRequest {
            timeout: Some(901),
            ..new()
        };
        let error = settings(&long).unwrap_err();
        assert_eq!(error.code, "ValidationException");
        assert_eq!(
            error.message,
            "1 validation error detected: Value '901' at 'timeout' failed to satisfy constraint: \
             Member must have value less than or equal to 900"
        );
        let raised = Limits {
            timeout: 3_600,
            ..Limits::default()
        };
        assert!(of_new("hello", &long, &raised).is_ok());
        let small = CreateFunctionRequest {
            memory_size: Some(127),
            ..new()
        };
        assert!(
            settings(&small)
                .unwrap_err()
                .message
                .contains("greater than or equal to 128")
        );
        let wide = CreateFunctionRequest {
            ephemeral_storage: Some(EphemeralStorage { size: 10_241 }),
            ..new()
        };
        assert!(settings(&wide).is_err());
    }

    #[test]
    fn what_is_not_there_is_refused_by_name() {
        let with_runtime = CreateFunctionRequest {
            accelerator_config: Some(crate::generated::AcceleratorConfig::default()),
            ..new()
        };
        assert!(
            settings(&with_runtime)
                .unwrap_err()
                .message
                .contains("accelerators")
        );
        let without = CreateFunctionRequest {
            dead_letter_config: Some(DeadLetterConfig::default()),
            ..new()
        };
        assert!(settings(&without).is_ok());
    }

    #[test]
    fn an_update_keeps_what_it_does_not_name() {
        let before = settings(&CreateFunctionRequest {
            environment: Some(Environment {
                variables: Some([("STAGE".to_owned(), "test".to_owned())].into()),
            }),
            description: Some("first".to_owned()),
            ..new()
        })
        .unwrap();
        let input = UpdateFunctionConfigurationRequest {
            timeout: Some(10),
            ..UpdateFunctionConfigurationRequest::default()
        };
        let after = updated(&before, &input, &Limits::default()).unwrap();
        assert_eq!(
            after,
            Settings {
                timeout: 10,
                ..before
            }
        );
    }
}
