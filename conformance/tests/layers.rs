//! Layers through the AWS CLI and boto3: published, imported from, replaced, shared, removed.

#![allow(clippy::unwrap_used, reason = "tests")]

use std::path::Path;

use conformance::{ROLE, Script, Server, Transcript, python, zip};
use serde_json::Value;

fn lambda(server: &Server, operation: &str, arguments: &[&str]) -> Transcript {
    Script::aws(server, &["lambda", operation])
        .args(arguments)
        .run()
}

fn ok(server: &Server, operation: &str, arguments: &[&str]) -> Value {
    lambda(server, operation, arguments)
        .expect_success()
        .json_or_null()
}

/// A zip on the disk, as an argument.
fn package(folder: &Path, name: &str, files: &[(&str, &str)]) -> String {
    let file = folder.join(format!("{name}.zip"));
    std::fs::write(&file, zip(files)).unwrap();
    format!("fileb://{}", file.display())
}

fn publish(server: &Server, name: &str, zip_file: &str) -> Value {
    let content = ["--layer-name", name, "--zip-file", zip_file];
    ok(server, "publish-layer-version", &content)
}

fn returns(server: &Server, folder: &Path) -> Value {
    let output = folder.join("answer.json");
    let output = output.to_str().unwrap();
    ok(server, "invoke", &["--function-name", "hello", output]);
    serde_json::from_slice(&std::fs::read(output).unwrap()).unwrap()
}

#[test]
fn a_function_imports_from_its_layers_until_it_has_others() {
    let server = Server::start();
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let module = |says: &str| {
        let source = format!("SAYS = '{says}'\n");
        package(folder, says, &[("python/tools.py", source.as_str())])
    };
    let first = publish(&server, "tools", &module("first"));
    let second = publish(&server, "tools", &module("second"));
    assert_eq!(second["Version"], 2);
    let program = "#!/bin/sh\necho from a program\n";
    let beside = package(folder, "beside", &[("bin/program", program)]);
    let beside = publish(&server, "beside", &beside);
    let arn = |layer: &Value| layer["LayerVersionArn"].as_str().unwrap().to_owned();
    let source = "import subprocess, tools\n\ndef handler(event, context):\n    \
                  said = subprocess.run(['program'], capture_output=True, text=True).stdout\n    \
                  return [tools.SAYS, said.strip()]\n";
    let code = package(folder, "code", &[("function.py", source)]);
    let function = ["--function-name", "hello"];
    let create = [
        "--runtime",
        "python3.12",
        "--handler",
        "function.handler",
        "--role",
        ROLE,
        "--zip-file",
        &code,
        "--layers",
        &arn(&first),
        &arn(&beside),
    ];
    let created = ok(
        &server,
        "create-function",
        &[&function[..], &create].concat(),
    );
    assert_eq!(created["Layers"][0]["Arn"], first["LayerVersionArn"]);
    assert_eq!(
        returns(&server, folder),
        serde_json::json!(["first", "from a program"])
    );
    let layers = [arn(&second), arn(&beside)];
    let update = [&function[..], &["--layers", &layers[0], &layers[1]]].concat();
    ok(&server, "update-function-configuration", &update);
    lambda(
        &server,
        "wait",
        &[&["function-updated"], &function[..]].concat(),
    )
    .expect_success();
    assert_eq!(returns(&server, folder)[0], "second");

    // Deleted layers stay with the function, and are given to no other.
    for (name, number) in [("tools", "2"), ("beside", "1")] {
        let delete = ["--layer-name", name, "--version-number", number];
        ok(&server, "delete-layer-version", &delete);
    }
    assert_eq!(returns(&server, folder)[0], "second");
    let refused = lambda(&server, "update-function-configuration", &update);
    assert!(!refused.success);
    let missing = format!("Layer version {} does not exist.", arn(&second));
    assert!(refused.stderr.contains(&missing), "{}", refused.stderr);
    let none = [&function[..], &["--layers", "[]"]].concat();
    ok(&server, "update-function-configuration", &none);
    assert_eq!(
        returns(&server, folder)["errorType"],
        "Runtime.ImportModuleError"
    );
}

const SDK: &str = r#"
import base64, boto3, hashlib, io, urllib.request, zipfile

client = boto3.client("lambda")
archive = io.BytesIO()
with zipfile.ZipFile(archive, "w") as zip:
    zip.writestr("python/tools.py", "SAYS = 1")
archive = archive.getvalue()
published = [
    client.publish_layer_version(
        LayerName="tools",
        Content={"ZipFile": archive},
        CompatibleRuntimes=[runtime],
        CompatibleArchitectures=["x86_64"],
    )
    for runtime in ("python3.11", "python3.12", "python3.12")
]
content = published[0]["Content"]
assert base64.b64decode(content["CodeSha256"]) == hashlib.sha256(archive).digest()
assert urllib.request.urlopen(content["Location"]).read() == archive
arn = published[0]["LayerVersionArn"]
by_arn = client.get_layer_version_by_arn(Arn=arn)
assert by_arn["Version"] == 1 and by_arn["CompatibleRuntimes"] == ["python3.11"], by_arn
for name in ("tools", published[0]["LayerArn"]):
    assert client.get_layer_version(LayerName=name, VersionNumber=1)["LayerVersionArn"] == arn

pages = client.get_paginator("list_layer_versions").paginate(
    LayerName="tools", PaginationConfig={"PageSize": 2}
)
assert [one["Version"] for page in pages for one in page["LayerVersions"]] == [3, 2, 1]
layers = client.list_layers(CompatibleRuntime="python3.11")["Layers"]
assert [one["LatestMatchingVersion"]["Version"] for one in layers] == [1], layers

version = {"LayerName": "tools", "VersionNumber": 1}
added = client.add_layer_version_permission(
    **version, StatementId="all", Action="lambda:GetLayerVersion", Principal="*"
)
policy = client.get_layer_version_policy(**version)
assert policy["RevisionId"] == added["RevisionId"] and added["Statement"] in policy["Policy"]
other = boto3.client("lambda", aws_access_key_id="111122223333", aws_secret_access_key="x")
assert other.get_layer_version_by_arn(Arn=arn)["Version"] == 1
client.remove_layer_version_permission(**version, StatementId="all", RevisionId=policy["RevisionId"])
try:
    other.get_layer_version_by_arn(Arn=arn)
    raise SystemExit("another account still has it")
except other.exceptions.ClientError as error:
    assert error.response["Error"]["Code"] == "AccessDeniedException", error
try:
    client.get_layer_version_policy(**version)
    raise SystemExit("there is still a policy")
except client.exceptions.ResourceNotFoundException:
    pass
client.delete_layer_version(**version)
client.delete_layer_version(**version)
"#;

#[test]
fn layers_through_boto3() {
    let server = Server::start();
    Script::new(python(), &server)
        .args(&["-c", SDK])
        .run()
        .expect_success();
}
