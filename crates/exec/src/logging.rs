//! How a function's log is written: its format, and how much of it.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/monitoring-cloudwatchlogs-advanced.html>

/// The log settings of a function.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Logging {
    pub format: LogFormat,
    /// The least level of what the function logs. Only the JSON format has levels.
    pub application: LogLevel,
    /// The least level of what Lambda itself logs: `Debug`, `Info` or `Warn`.
    pub system: LogLevel,
}

/// The form of log events.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    #[default]
    Text,
    Json,
}

/// How important an event is, the least important first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum LogLevel {
    Trace,
    Debug,
    #[default]
    Info,
    Warn,
    Error,
    Fatal,
}

impl LogFormat {
    /// As `AWS_LAMBDA_LOG_FORMAT` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Text => "Text",
            Self::Json => "JSON",
        }
    }
}

impl LogLevel {
    /// As `AWS_LAMBDA_LOG_LEVEL` has it.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Trace => "TRACE",
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warn => "WARN",
            Self::Error => "ERROR",
            Self::Fatal => "FATAL",
        }
    }

    /// Lambda's names, and those that logging libraries have for the same, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        const NAMES: [(&str, LogLevel); 8] = [
            ("TRACE", LogLevel::Trace),
            ("DEBUG", LogLevel::Debug),
            ("INFO", LogLevel::Info),
            ("WARN", LogLevel::Warn),
            ("WARNING", LogLevel::Warn),
            ("ERROR", LogLevel::Error),
            ("FATAL", LogLevel::Fatal),
            ("CRITICAL", LogLevel::Fatal),
        ];
        let known = NAMES
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name));
        known.map(|(_, level)| *level)
    }
}
