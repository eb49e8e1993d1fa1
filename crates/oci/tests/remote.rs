//! Pulling from registries that ask who we are, lead elsewhere, refuse, stall and lie.

#![allow(clippy::unwrap_used, reason = "a test fails where it unwraps")]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use futures::TryStreamExt as _;
use oci::{
    Credentials, Digest, Layout, PullError, Reference, Remote, RemoteConfig, Resolved, Source,
};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// Of an image of one layer, whose content is `layer`.
const CONFIG: &str = r#"{"architecture": "amd64", "os": "linux", "config": {"Cmd": ["/run"]}, "rootfs": {
    "type": "layers",
    "diff_ids": ["sha256:dac1d7cfa95021764849fd102524e141488c5e3a90f861dbb5a12d9ac8584f85"]
}}"#;
const LIMIT: u64 = 1 << 30;

/// What a registry does with a request.
enum Answer {
    Says(u16, Vec<(&'static str, String)>, Vec<u8>),
    /// The head, some of the body, and then nothing.
    Stalls,
    /// The head, some of the body, and the end of the connection.
    BreaksOff,
}

type Behaviour = dyn Fn(&str, Option<&str>) -> Answer + Send + Sync;

struct Registry {
    port: u16,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Registry {
    async fn new(answer: impl Fn(&str, Option<&str>) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let asked = Arc::new(Mutex::new(Vec::new()));
        let (answer, log): (Arc<Behaviour>, _) = (Arc::new(answer), Arc::clone(&asked));
        tokio::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                tokio::spawn(serve(connection, Arc::clone(&answer), Arc::clone(&log)));
            }
        });
        Self { port, asked }
    }

    fn remote(&self, credentials: Option<Credentials>) -> Remote {
        let name = format!("127.0.0.1:{}/team/app:v1", self.port);
        let config = RemoteConfig {
            stall: Duration::from_millis(300),
            attempts: 3,
            back_off: Duration::from_millis(1),
        };
        Remote::new(&Reference::parse(&name).unwrap(), credentials, config)
    }

    async fn resolve(&self) -> Result<Resolved, PullError> {
        oci::resolve(&self.remote(None), "v1", "amd64", LIMIT).await
    }

    fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

async fn serve(mut connection: TcpStream, answer: Arc<Behaviour>, log: Arc<Mutex<Vec<String>>>) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match connection.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let head = String::from_utf8(head).unwrap();
    let path = head.split(' ').nth(1).unwrap().to_owned();
    let authorization = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("authorization").then_some(value)
    });
    // Seen as a part of the path.
    let range = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("range").then_some(value)
    });
    let path = range.map_or_else(|| path.clone(), |range| format!("{path}#{range}"));
    log.lock().unwrap().push(path.clone());
    let said = match answer(&path, authorization) {
        Answer::Says(status, headers, body) => {
            let headers = headers
                .iter()
                .map(|(name, value)| format!("{name}: {value}\r\n"));
            let headers: String = headers.collect();
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status} Any\r\n{headers}content-length: {length}\r\n\
                 connection: close\r\n\r\n"
            );
            [head.into_bytes(), body].concat()
        }
        answer => {
            let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\nsome";
            connection.write_all(head).await.unwrap();
            if matches!(answer, Answer::Stalls) {
                tokio::time::sleep(Duration::from_mins(1)).await;
            }
            return;
        }
    };
    let _ = connection.write_all(&said).await;
}

fn ok(content: impl Into<Vec<u8>>) -> Answer {
    Answer::Says(200, Vec::new(), content.into())
}

fn status(status: u16) -> Answer {
    Answer::Says(status, Vec::new(), Vec::new())
}

fn digest(content: &str) -> String {
    Digest::of(content.as_bytes()).to_string()
}

fn manifest(config: &str, layer_type: &str, size: u64) -> String {
    json!({
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": {
            "mediaType": "application/vnd.oci.image.config.v1+json",
            "digest": digest(config),
            "size": config.len(),
        },
        "layers": [{"mediaType": layer_type, "digest": digest("layer"), "size": size}],
    })
    .to_string()
}

fn plain() -> String {
    manifest(CONFIG, "application/vnd.oci.image.layer.v1.tar", 5)
}

/// A registry that has one image and no objections.
fn image(path: &str) -> Answer {
    if path.contains("/manifests/") {
        ok(plain())
    } else if path.ends_with(&digest(CONFIG)) {
        ok(CONFIG)
    } else if path.ends_with(&digest("layer")) {
        ok("layer")
    } else {
        status(404)
    }
}

async fn layer(remote: &Remote) -> Result<Vec<u8>, PullError> {
    let chunks: Vec<Bytes> = remote
        .blob(Digest::of(b"layer"))
        .await?
        .try_collect()
        .await?;
    Ok(chunks.concat())
}

#[tokio::test]
async fn an_image_is_pulled_by_anybody() {
    let registry = Registry::new(|path, _| image(path)).await;
    let resolved = registry.resolve().await.unwrap();
    assert_eq!(resolved.digest, Digest::of(plain().as_bytes()));
    assert_eq!(resolved.run.command, ["/run"]);
    assert_eq!(resolved.layers.len(), 1);
    assert_eq!(resolved.layers[0].diff_id, Digest::of(b"layer"));
    assert_eq!(layer(&registry.remote(None)).await.unwrap(), b"layer");
    assert_eq!(registry.asked()[0], "/v2/team/app/manifests/v1");
}

#[tokio::test]
async fn basic_credentials_are_sent_when_they_are_asked_for() {
    let basic = "Basic QVdTOnRva2Vu";
    let registry = Registry::new(move |path, who| match who {
        Some(who) if who == basic => image(path),
        _ => Answer::Says(
            401,
            vec![("www-authenticate", "Basic realm=\"x\"".to_owned())],
            vec![],
        ),
    })
    .await;
    let file = json!({"auths": {
        "other:1": {"auth": "eDp5"},
        format!("http://127.0.0.1:{}/v2/", registry.port): {"auth": "QVdTOnRva2Vu"},
    }});
    let host = format!("127.0.0.1:{}", registry.port);
    let credentials = Credentials::from_file(file.to_string().as_bytes(), &host);
    let remote = registry.remote(credentials);
    assert!(oci::resolve(&remote, "v1", "amd64", LIMIT).await.is_ok());
    // Once it is known who we are, nobody asks again.
    assert_eq!(registry.asked().len(), 3);
    assert_eq!(registry.resolve().await.unwrap_err(), PullError::Denied);
}

#[tokio::test]
async fn a_token_is_fetched_where_the_registry_says() {
    let auth = Registry::new(|path, _| {
        assert_eq!(
            path,
            "/token?scope=repository%3Ateam%2Fapp%3Apull&service=here"
        );
        ok(r#"{"token": "secret"}"#)
    })
    .await;
    let realm = format!(
        "Bearer realm=\"http://127.0.0.1:{}/token\",service=\"here\"",
        auth.port
    );
    let registry = Registry::new(move |path, who| match who {
        Some("Bearer secret") => image(path),
        _ => Answer::Says(401, vec![("www-authenticate", realm.clone())], vec![]),
    })
    .await;
    assert!(registry.resolve().await.is_ok());
    assert_eq!(auth.asked().len(), 1);
    let insecure = Registry::new(|_, _| {
        let realm = "Bearer realm=\"http://example.com/token\"".to_owned();
        Answer::Says(401, vec![("www-authenticate", realm)], vec![])
    })
    .await;
    let refused = insecure.resolve().await;
    assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn blobs_may_lie_elsewhere_where_our_credentials_are_no_business() {
    let elsewhere = Registry::new(|path, who| {
        assert_eq!((path, who), ("/blob", None));
        ok("layer")
    })
    .await;
    let place = format!("http://127.0.0.1:{}/blob", elsewhere.port);
    let registry = Registry::new(move |_, who| {
        if who.is_none() {
            return Answer::Says(401, vec![("www-authenticate", "Basic".to_owned())], vec![]);
        }
        Answer::Says(307, vec![("location", place.clone())], vec![])
    })
    .await;
    let credentials = Some(Credentials {
        user: "u".to_owned(),
        password: "p".to_owned(),
    });
    let remote = registry.remote(credentials);
    assert_eq!(layer(&remote).await.unwrap(), b"layer");
    let in_circles =
        Registry::new(|path, _| Answer::Says(302, vec![("location", path.to_owned())], vec![]))
            .await;
    let refused = layer(&in_circles.remote(None)).await;
    assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
    let out = Registry::new(|_, _| {
        Answer::Says(
            302,
            vec![("location", "http://10.0.0.1/".to_owned())],
            vec![],
        )
    })
    .await;
    let refused = layer(&out.remote(None)).await;
    assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn a_registry_that_cannot_now_is_asked_again_and_not_for_ever() {
    for code in [429, 500, 503] {
        let failures = Mutex::new(2);
        let registry = Registry::new(move |path, _| {
            let mut left = failures.lock().unwrap();
            if *left > 0 {
                *left -= 1;
                return Answer::Says(code, vec![("retry-after", "0".to_owned())], vec![]);
            }
            image(path)
        })
        .await;
        assert!(registry.resolve().await.is_ok(), "{code}");
        let never = Registry::new(move |_, _| status(code)).await;
        let refused = never.resolve().await.unwrap_err();
        assert!(matches!(refused, PullError::Unavailable(_)), "{refused:?}");
        assert!(refused.to_string().contains(&code.to_string()), "{refused}");
        assert_eq!(never.asked().len(), 3);
    }
    for (code, expected) in [
        (401, PullError::Denied),
        (403, PullError::Denied),
        (404, PullError::NotFound),
    ] {
        let registry = Registry::new(move |_, _| status(code)).await;
        assert_eq!(registry.resolve().await.unwrap_err(), expected);
        assert_eq!(registry.asked().len(), 1);
    }
}

#[tokio::test]
async fn stalls_and_ends_are_noticed() {
    let stalled = Registry::new(|_, _| Answer::Stalls).await;
    let refused = layer(&stalled.remote(None)).await.unwrap_err();
    assert!(matches!(&refused, PullError::Unavailable(why) if why.contains("sends nothing")));
    let broken = Registry::new(|_, _| Answer::BreaksOff).await;
    let refused = layer(&broken.remote(None)).await.unwrap_err();
    assert!(matches!(&refused, PullError::Unavailable(why) if why.contains("breaks off")));
    let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = nobody.local_addr().unwrap().port();
    drop(nobody);
    let gone = Registry {
        port,
        asked: Arc::default(),
    };
    let refused = gone.resolve().await.unwrap_err();
    assert!(matches!(&refused, PullError::Unavailable(why) if why.contains("cannot be reached")));
}

#[tokio::test]
async fn a_blob_is_read_on_from_where_it_broke_off() {
    for broken in [|| Answer::BreaksOff, || Answer::Stalls] {
        for (rest, has_ranges) in [("thing", true), ("something", false)] {
            let registry = Registry::new(move |path, _| match path.split_once('#') {
                None => broken(),
                Some((_, "bytes=4-")) => {
                    let code = if has_ranges { 206 } else { 200 };
                    Answer::Says(code, Vec::new(), rest.into())
                }
                Some(_) => status(416),
            })
            .await;
            let read = layer(&registry.remote(None)).await.unwrap();
            assert_eq!(String::from_utf8(read).unwrap(), "something");
            assert_eq!(registry.asked().len(), 2);
        }
    }
}

#[tokio::test]
async fn what_is_no_image_that_could_run_is_refused() {
    let with = |manifest: String, config: &'static str| {
        Registry::new(move |path, _| {
            if path.contains("/manifests/") {
                ok(manifest.clone())
            } else {
                ok(config)
            }
        })
    };
    let tar = "application/vnd.oci.image.layer.v1.tar+gzip";
    let arm = r#"{"architecture": "arm64", "os": "linux"}"#;
    let windows = r#"{"architecture": "amd64", "os": "windows"}"#;
    let refused = with(manifest(arm, tar, 1), arm).await.resolve().await;
    let expected = PullError::Architecture {
        found: "arm64".to_owned(),
        wanted: "amd64",
    };
    assert_eq!(refused.unwrap_err(), expected);
    for manifest in [
        manifest(windows, tar, 1),
        manifest(windows, "application/vnd.in-toto+json", 1),
        json!({"schemaVersion": 2, "manifests": []}).to_string(),
        json!({"schemaVersion": 2, "mediaType": "text/plain"}).to_string(),
    ] {
        let refused = with(manifest, windows).await.resolve().await;
        assert!(
            matches!(refused, Err(PullError::Unsupported(_))),
            "{refused:?}"
        );
    }
    let large = with(manifest(CONFIG, tar, LIMIT + 1), CONFIG).await;
    let refused = large.resolve().await.unwrap_err();
    assert_eq!(refused, PullError::TooLarge { limit: LIMIT });
    for manifest in [
        "no json".to_owned(),
        "{}".to_owned(),
        manifest("other", tar, 1),
    ] {
        let refused = with(manifest, CONFIG).await.resolve().await;
        assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
    }
    for diff_ids in [
        json!([]),
        json!([digest("layer"), digest("layer")]),
        json!(["md5:0"]),
    ] {
        let config = json!({"architecture": "amd64", "rootfs": {"diff_ids": diff_ids}});
        let config: &'static str = config.to_string().leak();
        let refused = with(manifest(config, tar, 1), config).await.resolve().await;
        assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
    }
    let registry = Registry::new(|path, _| image(path)).await;
    let other = digest("other");
    let refused = oci::resolve(&registry.remote(None), &other, "amd64", LIMIT).await;
    assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
}

#[tokio::test]
async fn a_layout_is_a_source_too() {
    let folder = tempfile::tempdir().unwrap();
    let blobs = folder.path().join("blobs/sha256");
    std::fs::create_dir_all(&blobs).unwrap();
    let put = |content: &str| {
        std::fs::write(blobs.join(Digest::of(content.as_bytes()).hex()), content).unwrap();
    };
    for content in [CONFIG, "layer", &plain()] {
        put(content);
    }
    let index = json!({"schemaVersion": 2, "manifests": [{
        "mediaType": MANIFEST,
        "digest": digest(&plain()),
        "size": plain().len(),
        "annotations": {"org.opencontainers.image.ref.name": "v1"},
    }]});
    std::fs::write(folder.path().join("index.json"), index.to_string()).unwrap();
    let name = format!("oci:{}:v1", folder.path().display());
    let (layout, wanted) = Layout::parse(&name).unwrap();
    let resolved = oci::resolve(&layout, &wanted, "amd64", LIMIT)
        .await
        .unwrap();
    assert_eq!(resolved.digest.to_string(), digest(&plain()));
    let content: Vec<Bytes> = layout
        .blob(Digest::of(b"layer"))
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    assert_eq!(content.concat(), b"layer");
    let missing = oci::resolve(&layout, "v2", "amd64", LIMIT).await;
    assert_eq!(missing.unwrap_err(), PullError::NotFound);
    std::fs::write(blobs.join(Digest::of(plain().as_bytes()).hex()), "other").unwrap();
    let refused = oci::resolve(&layout, &wanted, "amd64", LIMIT).await;
    assert!(matches!(refused, Err(PullError::Invalid(_))), "{refused:?}");
}
