//! Static websites, and pages of other origins.

use http::Request;
use service::{CrossOrigin, HttpService as _};

use crate::world::World;

async fn with_site(configuration: &str) -> World {
    let world = World::with_bucket().await;
    world.put("/b-1?website", configuration.to_owned()).await;
    for (key, body) in [
        ("index.html", "home"),
        ("docs/index.html", "docs"),
        ("error.html", "sorry"),
        ("a b.txt", "file"),
    ] {
        let headers = [("content-type", "text/html")];
        let uri = format!("/b-1/{}", key.replace(' ', "%20"));
        world.send("PUT", &uri, &headers, body).await.ok();
    }
    world
}

const SITE: &str = "<WebsiteConfiguration><IndexDocument><Suffix>index.html</Suffix>\
    </IndexDocument><ErrorDocument><Key>error.html</Key></ErrorDocument><RoutingRules>\
    <RoutingRule><Condition><KeyPrefixEquals>old/</KeyPrefixEquals></Condition><Redirect>\
    <ReplaceKeyPrefixWith>docs/</ReplaceKeyPrefixWith></Redirect></RoutingRule></RoutingRules>\
    </WebsiteConfiguration>";

#[tokio::test]
async fn pages_folders_and_errors() {
    let world = with_site(SITE).await;
    let page = |path: &str| format!("/_aws/s3-website/b-1{path}");
    for (path, body) in [
        ("/", "home"),
        ("", "home"),
        ("/docs/", "docs"),
        ("/a%20b.txt", "file"),
    ] {
        let got = world.get(&page(path)).await.ok();
        assert_eq!(
            (got.text(), got.header("content-type")),
            (body, Some("text/html"))
        );
    }
    let folder = world.get(&page("/docs")).await;
    assert_eq!(folder.status, 302);
    assert_eq!(
        folder.header("location"),
        Some("/_aws/s3-website/b-1/docs/")
    );
    let lost = world.get(&page("/nowhere")).await;
    assert_eq!((lost.status.as_u16(), lost.text()), (404, "sorry"));
    let moved = world.get(&page("/old/x")).await;
    assert_eq!(moved.status, 301);
    assert_eq!(
        moved.header("location"),
        Some("http://localhost:4566/_aws/s3-website/b-1/docs/x")
    );
    let head = world.send("HEAD", &page("/"), &[], "").await.ok();
    assert_eq!(
        (head.header("content-length"), head.text()),
        (Some("4"), "")
    );
    let part = world
        .send("GET", &page("/"), &[("range", "bytes=1-2")], "")
        .await;
    assert_eq!((part.status.as_u16(), part.text()), (206, "om"));
    let refused = world.send("PUT", &page("/x"), &[], "x").await;
    assert_eq!(refused.status, 405);
    let leads = [("x-amz-website-redirect-location", "/docs/")];
    world.send("PUT", "/b-1/away", &leads, "x").await.ok();
    let away = world.get(&page("/away")).await;
    assert_eq!(
        (away.status.as_u16(), away.header("location")),
        (301, Some("/docs/"))
    );
}

#[tokio::test]
async fn sites_that_are_not_there() {
    let world = World::with_bucket().await;
    for (bucket, code) in [
        ("b-1", "NoSuchWebsiteConfiguration"),
        ("none", "NoSuchBucket"),
    ] {
        let page = world.get(&format!("/_aws/s3-website/{bucket}/x")).await;
        assert_eq!(page.status, 404);
        assert!(
            page.text().contains(&format!("<li>Code: {code}</li>")),
            "{}",
            page.text()
        );
        assert_eq!(
            page.header("content-type"),
            Some("text/html; charset=utf-8")
        );
    }
    let away = "<WebsiteConfiguration><RedirectAllRequestsTo><HostName>example.com</HostName>\
                <Protocol>https</Protocol></RedirectAllRequestsTo></WebsiteConfiguration>";
    world.put("/b-1?website", away).await;
    let led = world.get("/_aws/s3-website/b-1/x/y").await;
    assert_eq!(led.header("location"), Some("https://example.com/x/y"));
}

async fn asked(world: &World, method: &str, uri: &str, headers: &[(&str, &str)]) -> CrossOrigin {
    let mut request = Request::builder().method(method).uri(uri);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let (parts, ()) = request.body(()).unwrap().into_parts();
    world.s3.cross_origin(&parts).await
}

#[tokio::test]
async fn rules_for_pages_of_other_origins() {
    let world = World::with_bucket().await;
    let page = ("origin", "http://app.example");
    assert_eq!(
        asked(&world, "GET", "/b-1/k", &[page]).await,
        CrossOrigin::Unruled
    );
    let rules = "<CORSConfiguration><CORSRule><AllowedOrigin>http://app.example</AllowedOrigin>\
        <AllowedMethod>PUT</AllowedMethod><AllowedHeader>*</AllowedHeader>\
        <ExposeHeader>etag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds></CORSRule>\
        </CORSConfiguration>";
    world.put("/b-1?cors", rules).await;
    let preflight = [
        page,
        ("access-control-request-method", "PUT"),
        ("access-control-request-headers", "Content-Type, x-amz-acl"),
    ];
    let CrossOrigin::Allowed(headers) = asked(&world, "OPTIONS", "/b-1/k", &preflight).await else {
        panic!("the preflight is allowed")
    };
    for (name, value) in [
        ("access-control-allow-origin", "http://app.example"),
        ("access-control-allow-methods", "PUT"),
        ("access-control-allow-headers", "content-type, x-amz-acl"),
        ("access-control-expose-headers", "etag"),
        ("access-control-max-age", "60"),
        ("access-control-allow-credentials", "true"),
    ] {
        assert_eq!(headers[name], value, "{name}");
    }
    let refused = asked(&world, "GET", "/b-1/k", &[page]).await;
    let CrossOrigin::Refused(error) = refused else {
        panic!("a GET is not allowed")
    };
    assert_eq!(
        (error.code.as_ref(), error.status.as_u16()),
        ("AccessForbidden", 403)
    );
    let other = [("origin", "http://other.example")];
    assert!(matches!(
        asked(&world, "PUT", "/b-1/k", &other).await,
        CrossOrigin::Refused(_)
    ));
}
