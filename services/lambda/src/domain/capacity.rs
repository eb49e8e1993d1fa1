//! `CapacityProviderConfig`: on which capacity provider the published versions of a function run, and
//! how many invocations each of their environments takes at once.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances.html>

use base::Arn;
use serde::{Deserialize, Serialize};
use service::ServiceError;

use super::logging::Logging;
use super::snap_start;
use crate::error;
use crate::generated::{
    CapacityProviderConfig, CreateFunctionRequest, LambdaManagedInstancesCapacityProviderConfig,
};
use crate::records::Settings;

/// In MB, of an environment.
pub const LEAST_MEMORY: u32 = 2_048;
pub const MOST_MEMORY: u32 = 32_768;

const MB_PER_GIB: f64 = 1_024.0;
/// GiB of memory for each vCPU.
const RATIOS: [f64; 3] = [2.0, 4.0, 8.0];
/// The oldest version of each runtime that takes many invocations at once, and how many it takes for
/// each vCPU unless the function says.
/// <https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-runtimes.html>
const RUNTIMES: [(&str, &str, f64); 4] = [
    ("python", "3.13", 16.0),
    ("nodejs", "22", 64.0),
    ("java", "21", 32.0),
    // Of Rust, which alone AWS tells of the runtimes without a language.
    ("provided.al", "2023", 8.0),
];
/// Of an image, whose language nobody knows.
const OF_IMAGES: f64 = 16.0;

/// What a function on a capacity provider asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Capacity {
    pub provider: Arn,
    /// Invocations at once in one environment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_concurrency: Option<u32>,
    /// In GiB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_per_vcpu: Option<f64>,
}

/// Of a new function; `None` if it is on no capacity provider.
pub fn of_new(input: &CreateFunctionRequest) -> Result<Option<Capacity>, ServiceError> {
    input
        .capacity_provider_config
        .as_ref()
        .map(read)
        .transpose()
}

/// After an update. A function is on a capacity provider from the start or never.
///
/// # Errors
/// The function is on none.
pub fn updated(
    before: Option<&Capacity>,
    given: Option<&CapacityProviderConfig>,
) -> Result<Option<Capacity>, ServiceError> {
    match (before, given) {
        (before, None) => Ok(before.cloned()),
        (Some(_), Some(given)) => read(given).map(Some),
        (None, Some(_)) => Err(error::invalid_parameter(
            "CapacityProviderConfig isn't supported for Lambda Default functions.",
        )),
    }
}

fn read(given: &CapacityProviderConfig) -> Result<Capacity, ServiceError> {
    let given = &given.lambda_managed_instances_capacity_provider_config;
    let arn = &given.capacity_provider_arn;
    Ok(Capacity {
        // The model's pattern has been checked.
        provider: arn.parse().map_err(|_| error::no_capacity_provider(arn))?,
        max_concurrency: given
            .per_execution_environment_max_concurrency
            .map(i32::unsigned_abs),
        memory_per_vcpu: given.execution_environment_memory_gi_b_per_v_cpu,
    })
}

/// What concerns the settings of a function on a capacity provider.
pub fn check(settings: &Settings) -> Result<(), ServiceError> {
    let Some(capacity) = &settings.capacity else {
        return Ok(());
    };
    let is_image = settings.runtime.is_empty();
    if !is_image && of_runtime(&settings.runtime).is_none() {
        return Err(unsupported(&format!("Runtime {}", settings.runtime)));
    }
    if snap_start::is_on(settings) {
        return Err(unsupported("SnapStart"));
    }
    if settings.per_tenant {
        return Err(unsupported("TenancyConfig"));
    }
    if settings.logging == Logging::Text {
        return Err(super::logging::text_has_no_levels());
    }
    let ratio = capacity.ratio();
    if !RATIOS.contains(&ratio) {
        return Err(error::invalid_parameter(format!(
            "ExecutionEnvironmentMemoryGiBPerVCpu {ratio} isn't supported. Supported values are 2, \
             4 and 8."
        )));
    }
    if f64::from(settings.memory_size) < ratio * MB_PER_GIB {
        return Err(error::invalid_parameter(format!(
            "ExecutionEnvironmentMemoryGiBPerVCpu {ratio} is more than the function's memory of {} \
             MB.",
            settings.memory_size
        )));
    }
    Ok(())
}

/// Refuses what a function on a capacity provider cannot have.
pub fn unsupported(what: &str) -> ServiceError {
    error::invalid_parameter(format!(
        "{what} isn't supported for Lambda Managed Instances functions."
    ))
}

impl Capacity {
    fn ratio(&self) -> f64 {
        self.memory_per_vcpu.unwrap_or(RATIOS[0])
    }

    /// vCPUs of an environment with this memory, in thousandths.
    pub fn cpu_millis(&self, memory_mb: u32) -> u32 {
        (f64::from(memory_mb) / MB_PER_GIB / self.ratio() * 1_000.0) as u32
    }

    /// How many invocations an environment takes at once.
    pub fn concurrency(&self, settings: &Settings) -> u32 {
        self.max_concurrency.unwrap_or_else(|| {
            let vcpus = f64::from(self.cpu_millis(settings.memory_size)) / 1_000.0;
            let each = of_runtime(&settings.runtime).unwrap_or(OF_IMAGES);
            ((vcpus * each) as u32).max(1)
        })
    }

    /// As the API shows it, with what was not given as it is in effect.
    pub fn shown(&self, settings: &Settings) -> CapacityProviderConfig {
        CapacityProviderConfig {
            lambda_managed_instances_capacity_provider_config:
                LambdaManagedInstancesCapacityProviderConfig {
                    capacity_provider_arn: self.provider.to_string(),
                    per_execution_environment_max_concurrency: Some(
                        self.concurrency(settings).cast_signed(),
                    ),
                    execution_environment_memory_gi_b_per_v_cpu: Some(self.ratio()),
                },
        }
    }
}

/// How many invocations at once a runtime takes for each vCPU; `None` of one that takes one.
fn of_runtime(runtime: &str) -> Option<f64> {
    RUNTIMES.iter().find_map(|(family, oldest, each)| {
        let version = runtime.strip_prefix(family)?.trim_end_matches(".x");
        is_at_least(version, oldest).then_some(*each)
    })
}

/// Whether a version such as `3.13` is no older, part by part.
fn is_at_least(version: &str, oldest: &str) -> bool {
    let parts = |text: &str| -> Option<Vec<u32>> {
        text.split('.').map(|part| part.parse().ok()).collect()
    };
    parts(version).is_some_and(|version| Some(version) >= parts(oldest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::function::tests::function;

    fn settings(runtime: &str, memory: u32) -> Settings {
        let mut settings = function("None").settings;
        settings.runtime = runtime.to_owned();
        settings.memory_size = memory;
        settings.logging = Logging::json();
        settings.capacity = Some(Capacity {
            provider: "arn:aws:lambda:us-east-1:000000000000:capacity-provider:p"
                .parse()
                .unwrap(),
            max_concurrency: None,
            memory_per_vcpu: None,
        });
        settings
    }

    fn concurrency(settings: &Settings) -> u32 {
        settings.capacity.as_ref().unwrap().concurrency(settings)
    }

    #[test]
    fn runtimes_that_take_one_at_a_time_are_refused() {
        for runtime in ["python3.13", "python3.14", "nodejs22.x", "nodejs24.x"] {
            assert!(check(&settings(runtime, 2_048)).is_ok(), "{runtime}");
        }
        assert!(check(&settings("java21", 2_048)).is_ok());
        assert!(check(&settings("provided.al2023", 2_048)).is_ok());
        for runtime in [
            "python3.9",
            "python3.12",
            "nodejs20.x",
            "java17",
            "java8.al2",
            "ruby3.4",
            "provided.al2",
        ] {
            let refused = check(&settings(runtime, 2_048)).unwrap_err();
            assert!(refused.message.contains(runtime), "{refused}");
        }
    }

    #[test]
    fn an_environment_takes_so_many_for_each_vcpu() {
        assert_eq!(concurrency(&settings("python3.13", 2_048)), 16);
        assert_eq!(concurrency(&settings("nodejs22.x", 4_096)), 128);
        assert_eq!(concurrency(&settings("java21", 3_072)), 48);
        assert_eq!(concurrency(&settings("", 2_048)), 16);
        let mut spacious = settings("python3.13", 8_192);
        spacious.capacity.as_mut().unwrap().memory_per_vcpu = Some(8.0);
        assert_eq!(concurrency(&spacious), 16);
        spacious.capacity.as_mut().unwrap().max_concurrency = Some(3);
        assert_eq!(concurrency(&spacious), 3);
    }

    #[test]
    fn a_vcpu_has_no_more_memory_than_the_function() {
        let mut settings = settings("python3.13", 2_048);
        settings.capacity.as_mut().unwrap().memory_per_vcpu = Some(4.0);
        assert!(check(&settings).unwrap_err().message.contains("2048 MB"));
        settings.memory_size = 4_096;
        assert!(check(&settings).is_ok());
        settings.capacity.as_mut().unwrap().memory_per_vcpu = Some(3.0);
        assert!(check(&settings).unwrap_err().message.contains("2, 4 and 8"));
    }

    #[test]
    fn its_log_is_json() {
        let mut settings = settings("python3.13", 2_048);
        settings.logging = Logging::Text;
        assert!(check(&settings).is_err());
    }
}
