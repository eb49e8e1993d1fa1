//! `kagero doctor`: what this machine offers for isolation, and what is missing.

use std::process::ExitCode;

use serde_json::Value;

use crate::args::Doctor;
use crate::output;

pub fn run(args: &Doctor) -> ExitCode {
    let report = server::doctor::report();
    if args.json {
        output::line(&report.to_string());
        return ExitCode::SUCCESS;
    }
    for feature in report["features"]
        .as_array()
        .map(Vec::as_slice)
        .unwrap_or_default()
    {
        print_feature(feature);
    }
    ExitCode::SUCCESS
}

fn print_feature(feature: &Value) {
    let mark = if feature["available"].as_bool() == Some(true) {
        "ok     "
    } else {
        "missing"
    };
    let text = |name: &str| feature[name].as_str().unwrap_or_default();
    output::line(&format!("{mark}  {:<22} {}", text("name"), text("detail")));
}
