//! How a function's log is written: format, levels, group.
//!
//! <https://docs.aws.amazon.com/lambda/latest/api/API_LoggingConfig.html>

use exec::LogLevel;
use serde::{Deserialize, Serialize};
use service::ServiceError;

use crate::error;
use crate::generated::{ApplicationLogLevel, LogFormat, LoggingConfig, SystemLogLevel};

/// Format and levels, as AWS names them.
#[derive(Default, Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Logging {
    #[default]
    Text,
    Json {
        application: String,
        system: String,
    },
}

/// What of a function's settings concerns its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogSettings {
    pub group: String,
    pub logging: Logging,
}

const INFO: &str = "INFO";

/// As Lambda says it, also of functions that may have no other format than JSON.
pub fn text_has_no_levels() -> ServiceError {
    error::invalid_parameter(
        "LogLevel is not supported when LogFormat is set to \"Text\". Remove LogLevel from your \
         request or change the LogFormat to \"JSON\" and try again.",
    )
}

impl LogSettings {
    /// Of a function about which nothing has been said.
    pub fn of_new(function: &str, logging: Logging) -> Self {
        Self {
            group: format!("/aws/lambda/{function}"),
            logging,
        }
    }

    /// The settings after a request, which keeps what it leaves out.
    ///
    /// # Errors
    /// Levels for the text format.
    pub fn updated(self, given: Option<&LoggingConfig>) -> Result<Self, ServiceError> {
        let Some(given) = given else {
            return Ok(self);
        };
        let names_level = given.application_log_level.is_some() || given.system_log_level.is_some();
        let is_json = match given.log_format {
            Some(format) => format == LogFormat::Json,
            None => matches!(self.logging, Logging::Json { .. }),
        };
        if names_level && !is_json {
            return Err(text_has_no_levels());
        }
        let (application, system) = match self.logging {
            Logging::Json {
                application,
                system,
            } => (application, system),
            Logging::Text => (INFO.to_owned(), INFO.to_owned()),
        };
        let logging = if is_json {
            Logging::Json {
                application: given
                    .application_log_level
                    .map_or(application, |level| level.as_str().to_owned()),
                system: given
                    .system_log_level
                    .map_or(system, |level| level.as_str().to_owned()),
            }
        } else {
            Logging::Text
        };
        Ok(Self {
            group: given.log_group.clone().unwrap_or(self.group),
            logging,
        })
    }
}

impl Logging {
    /// With the levels that nobody has named.
    pub fn json() -> Self {
        Self::Json {
            application: INFO.to_owned(),
            system: INFO.to_owned(),
        }
    }

    /// As functions are run with it.
    pub fn for_exec(&self) -> exec::Logging {
        match self {
            Self::Text => exec::Logging::default(),
            Self::Json {
                application,
                system,
            } => exec::Logging {
                format: exec::LogFormat::Json,
                application: LogLevel::parse(application).unwrap_or_default(),
                system: LogLevel::parse(system).unwrap_or_default(),
            },
        }
    }

    /// As the API shows it, with the group.
    pub fn shown(&self, group: &str) -> LoggingConfig {
        let group = Some(group.to_owned());
        match self {
            Self::Text => LoggingConfig {
                log_format: Some(LogFormat::Text),
                log_group: group,
                ..LoggingConfig::default()
            },
            Self::Json {
                application,
                system,
            } => LoggingConfig {
                log_format: Some(LogFormat::Json),
                application_log_level: ApplicationLogLevel::parse(application),
                system_log_level: SystemLogLevel::parse(system),
                log_group: group,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json() -> LoggingConfig {
        LoggingConfig {
            log_format: Some(LogFormat::Json),
            ..LoggingConfig::default()
        }
    }

    fn levels(settings: &LogSettings) -> (Option<&str>, Option<&str>) {
        let shown = settings.logging.shown(&settings.group);
        (
            shown
                .application_log_level
                .map(crate::generated::ApplicationLogLevel::as_str),
            shown.system_log_level.map(SystemLogLevel::as_str),
        )
    }

    #[test]
    fn levels_are_for_json() {
        let leveled = LoggingConfig {
            system_log_level: Some(SystemLogLevel::Warn),
            ..LoggingConfig::default()
        };
        let new = LogSettings::of_new("hello", Logging::Text);
        let error = new.clone().updated(Some(&leveled)).unwrap_err();
        assert_eq!(error.code, "InvalidParameterValueException");
        assert!(error.message.starts_with("LogLevel is not supported"));
        let text = LoggingConfig {
            log_format: Some(LogFormat::Text),
            ..leveled.clone()
        };
        let asked = new.clone().updated(Some(&json())).unwrap();
        assert!(asked.clone().updated(Some(&text)).is_err());
        let warned = asked.updated(Some(&leveled)).unwrap();
        assert_eq!(levels(&warned), (Some("INFO"), Some("WARN")));
    }

    #[test]
    fn what_is_not_named_stays() {
        let group = LoggingConfig {
            log_group: Some("/shared".to_owned()),
            ..LoggingConfig::default()
        };
        let new = LogSettings::of_new("hello", Logging::Text);
        assert_eq!(new.group, "/aws/lambda/hello");
        let grouped = new.updated(Some(&group)).unwrap();
        let asked = grouped.updated(Some(&json())).unwrap();
        assert_eq!(asked.group, "/shared");
        assert_eq!(levels(&asked), (Some("INFO"), Some("INFO")));
        let text = LoggingConfig {
            log_format: Some(LogFormat::Text),
            ..LoggingConfig::default()
        };
        let back = asked.updated(Some(&text)).unwrap();
        assert_eq!(levels(&back), (None, None));
    }
}
