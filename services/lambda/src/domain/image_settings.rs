//! What a function sets of its container image, and what may not be set beside an image.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/images-parms.html>

use service::ServiceError;

use crate::error;
use crate::generated::ImageConfig;
use crate::records::container::ImageSettings;

/// What a request sets; nothing if all of it is empty.
pub fn of(given: &ImageConfig) -> Result<Option<ImageSettings>, ServiceError> {
    let texts = |texts: &Option<Vec<String>>| texts.clone().filter(|texts| !texts.is_empty());
    let folder = given.working_directory.clone();
    let settings = ImageSettings {
        entry_point: texts(&given.entry_point),
        command: texts(&given.command),
        working_directory: folder.filter(|folder| !folder.is_empty()),
    };
    let arguments = settings
        .entry_point
        .iter()
        .chain(&settings.command)
        .flatten();
    if arguments
        .chain(&settings.working_directory)
        .any(|it| it.contains('\0'))
    {
        return Err(error::invalid_parameter(
            "ImageConfig must not contain NUL characters.",
        ));
    }
    Ok(Some(settings).filter(|it| *it != ImageSettings::default()))
}

/// As answers show it.
pub fn shown(settings: &ImageSettings) -> ImageConfig {
    ImageConfig {
        entry_point: settings.entry_point.clone(),
        command: settings.command.clone(),
        working_directory: settings.working_directory.clone(),
    }
}

/// Refuses what only a function of a deployment package has.
pub fn refuse_package_settings(
    has_runtime_or_handler: bool,
    has_layers: bool,
) -> Result<(), ServiceError> {
    if has_runtime_or_handler {
        return Err(error::invalid_parameter(
            "Runtime and Handler are not supported for functions created with container images.",
        ));
    }
    if has_layers {
        return Err(error::invalid_parameter(
            "Layers are not supported for functions created with container images.",
        ));
    }
    Ok(())
}
