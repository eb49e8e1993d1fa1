//! From service to service through functions with the SDK: one trace, and loops that end.

use conformance::{Script, Server, python, root};

#[test]
fn boto3() {
    let server = Server::start();
    let script = root().join("conformance/clients/chains.py");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().expect("the path is text")])
        .run()
        .expect_success();
    let ends = transcript.stdout.ends_with("end ok\n");
    assert!(ends, "{}", transcript.stdout);
}
