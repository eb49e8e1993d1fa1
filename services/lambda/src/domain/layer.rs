//! Layers: how they are named, which of them a function may have, and what they say they fit.
//!
//! <https://docs.aws.amazon.com/lambda/latest/dg/chapter-layers.html>

use base::Arn;
use exec::{MAX_UNZIPPED_BYTES, Runtime};
use service::ServiceError;

use super::function_name::Place;
use crate::error;
use crate::generated::Architecture;

/// Layers of one function.
pub const MOST: usize = 5;

/// Identifiers of runtimes that no function may name any more, and layers still do.
const RETIRED: [&str; 12] = [
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "python2.7",
    "ruby2.5",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
];

/// A layer as a caller named it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerName {
    pub place: Place,
    pub name: String,
}

/// A version of a layer, by its ARN.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerVersionName {
    pub layer: LayerName,
    pub version: u64,
}

impl LayerName {
    /// Reads a name or an ARN that has matched the model's pattern, as a caller in `from` means it.
    pub fn parse(text: &str, from: &Place) -> Self {
        let of_arn = text.parse().ok().and_then(|arn: Arn| {
            let name = arn.resource.strip_prefix("layer:")?;
            Some(Self {
                place: place_of(&arn)?,
                name: name.to_owned(),
            })
        });
        of_arn.unwrap_or_else(|| Self {
            place: from.clone(),
            name: text.to_owned(),
        })
    }

    pub fn version_arn(&self, version: i64) -> Arn {
        self.place.layer_arn(&format!("{}:{version}", self.name))
    }
}

impl LayerVersionName {
    /// From the ARN of a version; `None` of what is no account's, such as AWS's own layers.
    pub fn of_arn(arn: &Arn) -> Option<Self> {
        let (name, version) = arn.resource.strip_prefix("layer:")?.rsplit_once(':')?;
        Some(Self {
            layer: LayerName {
                place: place_of(arn)?,
                name: name.to_owned(),
            },
            version: version.parse().ok()?,
        })
    }
}

fn place_of(arn: &Arn) -> Option<Place> {
    Some(Place {
        account: arn.account_id()?,
        region: arn.region()?,
    })
}

/// A version's number.
///
/// # Errors
/// One that is below the first.
pub fn version(number: i64) -> Result<u64, ServiceError> {
    match u64::try_from(number) {
        Ok(number) if number > 0 => Ok(number),
        _ => Err(error::invalid_parameter(
            "Layer Version Cannot be less than 1",
        )),
    }
}

/// Refuses a second version of a layer.
pub fn check_distinct(arns: &[Arn]) -> Result<(), ServiceError> {
    let layer = |arn: &Arn| {
        let resource = arn.resource.rsplit_once(':');
        let resource = resource.map_or(arn.resource.clone(), |(layer, _)| layer.to_owned());
        Arn {
            resource,
            ..arn.clone()
        }
    };
    for (index, arn) in arns.iter().enumerate() {
        if let Some(other) = arns[..index]
            .iter()
            .find(|other| layer(other) == layer(arn))
        {
            return Err(error::invalid_parameter(format!(
                "Two different versions of the same layer are not allowed to be referenced in the \
                 same function. {other} and {arn} are versions of the same layer."
            )));
        }
    }
    Ok(())
}

/// Refuses layers, or a package with its layers, that together hold too much. In bytes, unzipped.
pub fn check_sizes(package: u64, layers: impl Iterator<Item = u64>) -> Result<(), ServiceError> {
    let layers: u64 = layers.sum();
    if layers > MAX_UNZIPPED_BYTES {
        return Err(error::invalid_parameter(format!(
            "Layers consume more than the available size of {MAX_UNZIPPED_BYTES} bytes"
        )));
    }
    let all = package + layers;
    if layers > 0 && all > MAX_UNZIPPED_BYTES {
        return Err(error::invalid_parameter(format!(
            "Function code combined with layers exceeds the maximum allowed size of \
             {MAX_UNZIPPED_BYTES} bytes. The actual size is {all} bytes."
        )));
    }
    Ok(())
}

/// Refuses runtimes that there never were, of a layer version.
pub fn check_runtimes(given: Option<&[String]>) -> Result<(), ServiceError> {
    let given = given.unwrap_or_default();
    if given.iter().all(|runtime| is_runtime(runtime)) {
        return Ok(());
    }
    let constraint = format!(
        "Member must satisfy constraint: [{}, Member must not be null]",
        of_the_set()
    );
    let value = format!("[{}]", given.join(", "));
    Err(error::constraint(value, "compatibleRuntimes", &constraint))
}

/// The same of a filter.
pub fn check_runtime(given: Option<&str>) -> Result<(), ServiceError> {
    match given {
        Some(runtime) if !is_runtime(runtime) => Err(error::constraint(
            runtime,
            "compatibleRuntime",
            &of_the_set(),
        )),
        _ => Ok(()),
    }
}

fn is_runtime(identifier: &str) -> bool {
    RETIRED.contains(&identifier) || identifier.parse::<Runtime>().is_ok()
}

fn of_the_set() -> String {
    let known = Runtime::all().map(Runtime::identifier).chain(RETIRED);
    let known: Vec<&str> = known.collect();
    format!("Member must satisfy enum value set: [{}]", known.join(", "))
}

/// What a list asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Filter<'a> {
    pub runtime: Option<&'a str>,
    pub architecture: Option<Architecture>,
}

impl Filter<'_> {
    /// Whether a layer version says that it fits. One that says nothing is not found by a filter.
    pub fn admits(&self, runtimes: Option<&[String]>, architectures: Option<&[String]>) -> bool {
        let fits = |wanted: Option<&str>, said: Option<&[String]>| {
            wanted.is_none_or(|wanted| said.unwrap_or_default().iter().any(|one| one == wanted))
        };
        let architecture = self.architecture.map(Architecture::as_str);
        fits(self.runtime, runtimes) && fits(architecture, architectures)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arn(resource: &str) -> Arn {
        format!("arn:aws:lambda:us-east-1:123456789012:{resource}")
            .parse()
            .unwrap()
    }

    #[test]
    fn a_layer_is_named_by_its_name_or_its_arn() {
        let here = Place {
            account: "000000000000".parse().unwrap(),
            region: "eu-west-1".parse().unwrap(),
        };
        let plain = LayerName::parse("tools", &here);
        assert_eq!((plain.place, plain.name.as_str()), (here.clone(), "tools"));
        let named = LayerName::parse(&arn("layer:tools").to_string(), &here);
        assert_eq!(named.version_arn(3), arn("layer:tools:3"));
        let version = LayerVersionName::of_arn(&arn("layer:tools:3")).unwrap();
        assert_eq!((version.layer, version.version), (named, 3));
        for other in ["layer:tools", "layer:tools:x", "function:tools:3"] {
            assert_eq!(LayerVersionName::of_arn(&arn(other)), None, "{other}");
        }
        assert!(version_is_refused(0) && version_is_refused(-1) && !version_is_refused(1));
    }

    proptest! {
        #[test]
        fn whatever_names_a_version_is_that_versions_name(name in "[a-zA-Z0-9_-]{1,64}", version: u64) {
            let arn = arn(&format!("layer:{name}:{version}"));
            let named = LayerVersionName::of_arn(&arn).unwrap();
            prop_assert_eq!(&named.layer.name, &name);
            prop_assert_eq!(named.version, version);
            if let Ok(number) = i64::try_from(version) {
                prop_assert_eq!(named.layer.version_arn(number), arn);
            }
        }

        #[test]
        fn no_text_is_too_odd_to_be_read(text in ".{0,200}", resource in "layer:.{0,40}") {
            let here = Place {
                account: "000000000000".parse().unwrap(),
                region: "eu-west-1".parse().unwrap(),
            };
            prop_assert!(!LayerName::parse(&text, &here).name.is_empty() || text.is_empty());
            let arn = Arn { resource, ..arn("layer:x") };
            if let Some(named) = LayerVersionName::of_arn(&arn) {
                let begins = format!("layer:{}:", named.layer.name);
                prop_assert!(arn.resource.starts_with(&begins), "{}", arn);
            }
        }
    }

    fn version_is_refused(number: i64) -> bool {
        version(number).is_err()
    }

    #[test]
    fn a_function_has_one_version_of_a_layer() {
        assert!(check_distinct(&[arn("layer:a:1"), arn("layer:b:1")]).is_ok());
        let error = check_distinct(&[arn("layer:a:1"), arn("layer:b:1"), arn("layer:a:2")]);
        let message = error.unwrap_err().message;
        let pair = format!("{} and {} are versions", arn("layer:a:1"), arn("layer:a:2"));
        assert!(message.contains(&pair), "{message}");
    }

    #[test]
    fn all_together_hold_250_mb() {
        let half = MAX_UNZIPPED_BYTES / 2;
        assert!(check_sizes(half, [half].into_iter()).is_ok());
        let message = |package, layers: &[u64]| {
            let checked = check_sizes(package, layers.iter().copied());
            checked.unwrap_err().message
        };
        assert_eq!(
            message(half, &[half, 1]),
            "Function code combined with layers exceeds the maximum allowed size of 262144000 \
             bytes. The actual size is 262144001 bytes."
        );
        assert!(message(0, &[half, half, 1]).starts_with("Layers consume more"));
    }

    #[test]
    fn a_filter_finds_what_says_that_it_fits() {
        let python = ["python3.12".to_owned()];
        let filter = Filter {
            runtime: Some("python3.12"),
            architecture: None,
        };
        assert!(filter.admits(Some(&python), None));
        assert!(!filter.admits(None, None));
        assert!(Filter::default().admits(None, None));
        let arm = Filter {
            architecture: Some(Architecture::Arm64),
            ..filter
        };
        assert!(!arm.admits(Some(&python), Some(&["x86_64".to_owned()])));
        assert!(arm.admits(Some(&python), Some(&["arm64".to_owned()])));
    }

    #[test]
    fn runtimes_of_layers_may_be_retired_but_not_invented() {
        let list = |runtime: &str| [runtime.to_owned()];
        assert!(check_runtimes(Some(&list("python2.7"))).is_ok());
        let error = check_runtimes(Some(&list("cobol"))).unwrap_err();
        assert!(error.message.contains("'[cobol]' at 'compatibleRuntimes'"));
        assert!(check_runtime(Some("cobol")).is_err());
        assert!(check_runtime(None).is_ok());
    }
}
