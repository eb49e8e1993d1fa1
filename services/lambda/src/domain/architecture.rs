//! Functions run on this machine's processor; nothing is emulated.

use service::ServiceError;

use crate::error;
use crate::generated::Architecture;

/// What functions run on here.
pub const fn of_this_machine() -> Architecture {
    if cfg!(target_arch = "aarch64") {
        Architecture::Arm64
    } else {
        Architecture::X86_64
    }
}

/// The architecture a function gets.
///
/// # Errors
/// One that is not this machine's.
pub fn choose(asked: Option<&[Architecture]>) -> Result<Architecture, ServiceError> {
    let here = of_this_machine();
    match asked.and_then(<[_]>::first) {
        Some(other) if *other != here => Err(error::invalid_parameter(format!(
            "Functions run on this machine's processor, which is {here}: {other} is not available."
        ))),
        _ => Ok(here),
    }
}
