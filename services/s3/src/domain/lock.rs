//! Object Lock: versions that cannot be deleted, for a time or until a hold is lifted.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/object-lock.html>

use std::time::Duration;

use base::Timestamp;
use http::StatusCode;
use serde::{Deserialize, Serialize};

use crate::error::Error;

/// Longest default retention.
const MAX_DAYS: u32 = 36_500;
const MAX_YEARS: u32 = 100;
const DAYS_OF_YEAR: u32 = 365;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Mode {
    /// Who may can get around it.
    Governance,
    /// Nobody can, nor shorten it.
    Compliance,
}

impl Mode {
    pub const fn name(self) -> &'static str {
        match self {
            Self::Governance => "GOVERNANCE",
            Self::Compliance => "COMPLIANCE",
        }
    }

    pub fn parse(name: &str) -> Option<Self> {
        [Self::Governance, Self::Compliance]
            .into_iter()
            .find(|mode| mode.name() == name)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retention {
    pub mode: Mode,
    pub until: Timestamp,
}

/// What keeps a version.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lock {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retention: Option<Retention>,
    /// None where nobody ever said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub legal_hold: Option<bool>,
}

/// A bucket's lock, which once on is never off.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BucketLock {
    /// What its new versions get.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<DefaultRetention>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DefaultRetention {
    pub mode: Mode,
    pub period: Period,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Period {
    Days(u32),
    Years(u32),
}

impl Period {
    /// # Errors
    /// `MalformedXML` unless it is one of the two; `InvalidArgument` when it is none or too long.
    pub fn read(days: Option<i32>, years: Option<i32>) -> Result<Self, Error> {
        let (number, most, period): (i32, u32, fn(u32) -> Self) = match (days, years) {
            (Some(days), None) => (days, MAX_DAYS, Self::Days),
            (None, Some(years)) => (years, MAX_YEARS, Self::Years),
            _ => return Err(Error::malformed_xml()),
        };
        match u32::try_from(number) {
            Ok(number) if (1..=most).contains(&number) => Ok(period(number)),
            Ok(number) if number > most => {
                let message = "Default retention period is too large";
                Err(Error::bad_request("InvalidArgument", message))
            }
            _ => {
                let message = "Default retention period must be a positive integer value.";
                Err(Error::bad_request("InvalidArgument", message))
            }
        }
    }
}

impl DefaultRetention {
    pub fn from(self, now: Timestamp) -> Retention {
        let days = match self.period {
            Period::Days(days) => days,
            Period::Years(years) => years * DAYS_OF_YEAR,
        };
        Retention {
            mode: self.mode,
            until: now + Duration::from_hours(24 * u64::from(days)),
        }
    }
}

impl Lock {
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// # Errors
    /// `AccessDenied` while the version may not be deleted.
    pub fn check_delete(&self, now: Timestamp, bypass: bool) -> Result<(), Error> {
        let is_kept = self.retention.is_some_and(|retention| {
            retention.until > now && !(bypass && retention.mode == Mode::Governance)
        });
        if is_kept || self.legal_hold == Some(true) {
            return Err(protected());
        }
        Ok(())
    }

    /// # Errors
    /// `AccessDenied` when the present retention may not be changed so.
    pub fn check_change(
        &self,
        new: Option<Retention>,
        now: Timestamp,
        bypass: bool,
    ) -> Result<(), Error> {
        let Some(old) = self.retention.filter(|old| old.until > now) else {
            return Ok(());
        };
        let is_stricter = new.is_some_and(|new| new.mode == old.mode && new.until >= old.until);
        if is_stricter || (bypass && old.mode == Mode::Governance) {
            return Ok(());
        }
        Err(protected())
    }
}

fn protected() -> Error {
    let message = "Access Denied because object protected by object lock.";
    Error::new("AccessDenied", StatusCode::FORBIDDEN, message)
}

/// A retention as a request gives it.
///
/// # Errors
/// `InvalidArgument` for one that cannot be.
pub fn read_retention(
    mode: Option<&str>,
    until: Option<Timestamp>,
    now: Timestamp,
) -> Result<Option<Retention>, Error> {
    let (mode, until) = match (mode, until) {
        (None, None) => return Ok(None),
        (Some(mode), Some(until)) => (mode, until),
        _ => {
            return Err(Error::bad_request(
                "InvalidArgument",
                "x-amz-object-lock-retain-until-date and x-amz-object-lock-mode must both be \
                 supplied",
            ));
        }
    };
    let known = Mode::parse(mode).ok_or_else(|| {
        let message = "Unknown wormMode directive.";
        Error::invalid_argument(message, "x-amz-object-lock-mode", mode)
    })?;
    if until <= now {
        let message = "The retain until date must be in the future!";
        return Err(Error::invalid_argument(
            message,
            "x-amz-object-lock-retain-until-date",
            &until.iso8601_millis(),
        ));
    }
    Ok(Some(Retention { mode: known, until }))
}

/// # Errors
/// `InvalidArgument` for anything but ON and OFF.
pub fn read_hold(status: &str) -> Result<bool, Error> {
    match status {
        "ON" => Ok(true),
        "OFF" => Ok(false),
        other => Err(Error::invalid_argument(
            "Legal Hold must be either of 'ON' or 'OFF'",
            "x-amz-object-lock-legal-hold",
            other,
        )),
    }
}

/// What is locked needs a bucket that is.
pub fn missing() -> Error {
    Error::invalid_request("Bucket is missing Object Lock Configuration")
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_000_000);
    const LATER: Timestamp = Timestamp::from_millis(2_000_000);
    const LATEST: Timestamp = Timestamp::from_millis(3_000_000);

    fn lock(mode: Mode, until: Timestamp) -> Lock {
        Lock {
            retention: Some(Retention { mode, until }),
            legal_hold: None,
        }
    }

    #[test]
    fn what_may_be_deleted() {
        for (mode, until, bypass, may) in [
            (Mode::Governance, LATER, false, false),
            (Mode::Governance, LATER, true, true),
            (Mode::Compliance, LATER, true, false),
            (Mode::Compliance, NOW, false, true),
        ] {
            assert_eq!(lock(mode, until).check_delete(NOW, bypass).is_ok(), may);
        }
        let held = Lock {
            legal_hold: Some(true),
            ..Lock::default()
        };
        assert!(held.check_delete(NOW, true).is_err());
    }

    #[test]
    fn what_may_be_changed() {
        use Mode::{Compliance as C, Governance as G};
        let to = |mode, until| Some(Retention { mode, until });
        for (old, new, bypass, may) in [
            (C, to(C, LATEST), false, true),
            (C, to(C, NOW), true, false),
            (C, to(G, LATEST), true, false),
            (C, None, true, false),
            (G, to(G, LATEST), false, true),
            (G, to(G, NOW), false, false),
            (G, to(C, LATER), false, false),
            (G, to(C, LATER), true, true),
            (G, None, true, true),
        ] {
            let outcome = lock(old, LATER).check_change(new, NOW, bypass);
            assert_eq!(outcome.is_ok(), may, "{old:?} {new:?} {bypass}");
        }
        assert!(lock(C, NOW).check_change(None, NOW, false).is_ok());
    }

    #[test]
    fn periods() {
        assert_eq!(Period::read(Some(1), None).unwrap(), Period::Days(1));
        for (days, years) in [
            (None, None),
            (Some(1), Some(1)),
            (Some(0), None),
            (Some(36_501), None),
            (None, Some(101)),
        ] {
            assert!(Period::read(days, years).is_err());
        }
    }
}
