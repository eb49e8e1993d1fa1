//! TLS, with certificates that the server makes.

#![allow(clippy::unwrap_used, reason = "tests")]

use conformance::{Script, Server, free_port, python, root};

#[test]
fn an_authority_of_its_own_and_http_2() {
    let port = free_port().to_string();
    let server = Server::start_with(&["--tls", &format!("127.0.0.1:{port}")]);
    let script = root().join("conformance/clients/tls.py");
    let certificate = server.data_dir().join("tls/certificate.pem");
    let transcript = Script::new(python(), &server)
        .args(&[script.to_str().unwrap()])
        .env("TLS_PORT", &port)
        .env("TLS_CERTIFICATE", certificate)
        .run()
        .expect_success();
    assert_eq!(transcript.stdout, "tls ok\n");
}
