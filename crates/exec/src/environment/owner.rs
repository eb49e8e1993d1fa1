//! Whose environment one will be, and what follows from that.

use std::collections::BTreeMap;

use super::body::Names;
use super::variables::{Particulars, variables};
use crate::function::{Code, FunctionSpec};
use crate::logs::Platform;
use crate::logs::platform::Init;
use crate::ports::FunctionCredentials;
use crate::runtimes::Resolved;

/// Whose environment it will be.
pub(super) struct Owner<'a> {
    pub(super) function: &'a FunctionSpec,
    pub(super) resolved: &'a Resolved,
    pub(super) credentials: &'a FunctionCredentials,
    pub(super) log_stream: &'a str,
    pub(super) initialization: &'static str,
    pub(super) phase: &'static str,
}

impl Owner<'_> {
    /// The variables, in an environment with sockets of these names.
    pub(super) fn variables(&self, names: &Names) -> BTreeMap<String, String> {
        let particulars = Particulars {
            interpreter: self.resolved.interpreter.as_ref(),
            credentials: self.credentials,
            log_stream: self.log_stream,
            runtime_api: &names.runtime_api,
            gateway: names.gateway.as_deref(),
            initialization: self.initialization,
        };
        variables(self.function, &particulars)
    }

    /// How the log begins.
    pub(super) fn beginning(&self, is_restored: bool) -> Platform {
        let (function, interpreter) = (self.function, self.resolved.interpreter.as_ref());
        let identifier = function.runtime.identifier();
        let family = identifier.trim_end_matches(|c: char| c.is_ascii_digit() || ".x".contains(c));
        let runtime = match interpreter {
            // An image's runtime is its own.
            _ if matches!(function.code, Code::Container(_)) => String::new(),
            Some(interpreter) => format!("{family}:{}", interpreter.version),
            None => identifier.to_owned(),
        };
        let (partition, region) = (&function.arn.partition, &function.key.region);
        let digest = hex::encode(<sha2::Sha256 as sha2::Digest>::digest(&runtime));
        let init = Init {
            kind: self.initialization,
            phase: self.phase,
            runtime_arn: format!("arn:{partition}:lambda:{region}::runtime:{digest}"),
            runtime,
            function: function.key.name.clone(),
            version: function.key.version.clone(),
            instance: self.log_stream.to_owned(),
            memory_mb: function.memory_mb,
        };
        if is_restored {
            Platform::RestoreStart(init)
        } else {
            Platform::InitStart(init)
        }
    }
}
