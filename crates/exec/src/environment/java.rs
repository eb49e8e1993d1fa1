//! How the Java virtual machine is started for a function.

use std::ffi::OsString;

use crate::function::FunctionSpec;
use crate::runtimes::Version;

/// AWS's runtime client, which the pack brings.
const CLIENT: &str = "com.amazonaws.services.lambda.runtime.api.client.AWSLambda";

/// What the machine reads options from before its command line.
/// <https://docs.aws.amazon.com/lambda/latest/dg/java-customization.html>
const OPTIONS: &str = "JAVA_TOOL_OPTIONS";

/// Arguments of the `java` program. Since those of the command line win over [`OPTIONS`], what the
/// function says there is left out here.
pub(super) fn arguments(function: &FunctionSpec, version: Version) -> Vec<OsString> {
    let said = function.environment.get(OPTIONS).map_or("", String::as_str);
    let says = |words: &[&str]| words.iter().any(|word| said.contains(word));
    let mut arguments: Vec<OsString> = Vec::new();
    if !says(&["-Xmx", "MaxHeapSize", "MaxRAM"]) {
        // The rest is for classes, threads and compiled code.
        let heap = u64::from(function.memory_mb) * 1024 * 85 / 100;
        arguments.push(format!("-XX:MaxHeapSize={heap}k").into());
    }
    if !says(&["GC"]) {
        arguments.push("-XX:+UseSerialGC".into());
    }
    // As on Lambda since Java 17: functions are short.
    if !says(&["Tiered"]) && function.runtime.version().0 >= 17 {
        arguments.push("-XX:TieredStopAtLevel=1".into());
    }
    if version.major >= 9 {
        // The client makes a descriptor of a number, to write its log records to.
        arguments.push("--add-opens=java.base/java.io=ALL-UNNAMED".into());
    }
    arguments.push("-Djava.net.preferIPv4Stack=true".into());
    let classes = format!("{}/*", crate::packs::JAVA_GUEST);
    arguments.extend(["-cp".into(), classes.into(), CLIENT.into()]);
    arguments.push(function.handler.clone().into());
    arguments
}
