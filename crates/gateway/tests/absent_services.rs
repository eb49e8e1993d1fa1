//! What clients of services that are not here are told, in the form that they can read.

#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use support::{gateway, serve};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

async fn answer(service: &str, kind: &str) -> String {
    let gateway = gateway(1);
    let (address, _stop) = serve(&gateway, None).await;
    let mut stream = TcpStream::connect(address).await.unwrap();
    let request = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: {kind}\r\n\
         Content-Length: 12\r\nX-Amz-Date: 20261129T000000Z\r\nAuthorization: AWS4-HMAC-SHA256 \
         Credential=test/20261129/us-east-1/{service}/aws4_request, \
         SignedHeaders=host;x-amz-date, Signature={}\r\n\r\nAction=List1",
        "0".repeat(64)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn forms_are_refused_in_xml() {
    let form = "application/x-www-form-urlencoded; charset=utf-8";
    let refused = answer("cloudformation", form).await;
    assert!(refused.starts_with("HTTP/1.1 501"), "{refused}");
    assert!(refused.contains("content-type: text/xml\r\n"), "{refused}");
    let error = "<ErrorResponse><Error><Type>Receiver</Type>\
                 <Code>NotImplementedException</Code>\
                 <Message>Kagero does not implement the service cloudformation yet.</Message>\
                 </Error><RequestId>";
    assert!(refused.contains(error), "{refused}");

    let refused = answer("ec2", form).await;
    let error = "<Response><Errors><Error><Code>NotImplementedException</Code>\
                 <Message>Kagero does not implement the service ec2 yet.</Message>\
                 </Error></Errors><RequestID>";
    assert!(refused.contains(error), "{refused}");
}

#[tokio::test]
async fn everything_else_is_refused_in_json() {
    let refused = answer("kms", "application/x-amz-json-1.1").await;
    assert!(refused.starts_with("HTTP/1.1 501"), "{refused}");
    let error = "{\"__type\":\"NotImplementedException\",\
                 \"message\":\"Kagero does not implement the service kms yet.\"}";
    assert!(refused.ends_with(error), "{refused}");
}
