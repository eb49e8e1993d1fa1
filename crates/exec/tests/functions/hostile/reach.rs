//! What belongs to the host, to the server and to other functions is out of reach.

use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::Path;

use serde_json::{Value, json};

use super::stage::{SECRET_FILE, Stage, WAYS};

#[tokio::test(flavor = "multi_thread")]
async fn no_file_of_the_host_or_of_another_function() {
    for way in WAYS {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        files(&stage).await;
    }
}

pub(super) async fn files(stage: &Stage) {
    let code = stage.neighbours_code();
    let name = code.file_name().unwrap();
    let secret = |folder: &Path| folder.join(SECRET_FILE);
    let files = [
        secret(stage.host.path()),
        secret(code),
        secret(&Path::new("/").join(name)),
        secret(&Path::new("/run/stash").join(name)),
        "/etc/shadow".into(),
        "/root/.bashrc".into(),
        "/proc/1/environ".into(),
    ];
    let folders = [
        stage.host.path(),
        code,
        code.parent().unwrap(),
        &std::env::temp_dir(),
        Path::new("/work"),
        Path::new("/sys"),
        Path::new("/boot"),
        Path::new("/var/lib"),
    ];
    // The host's /tmp would be told from its own by what lies in it.
    let folders: Vec<_> = folders
        .into_iter()
        .filter(|one| *one != Path::new("/tmp"))
        .collect();
    let event = json!({"files": files, "folders": folders, "names": [SECRET_FILE]});
    stage.tries("files", event).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_but_tmp_can_be_written_its_own_code_least_of_all() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            stage.tries("code", json!({})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_other_process_and_nothing_of_the_kernels() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            stage.tries("proc", json!({})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_left_open_or_mapped_by_what_it_came_from() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            stage.tries("descriptors", json!({})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_another_function_is_in_its_memory() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            stage.tries("memory", json!({})).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_service_of_the_host_or_of_another_environment() {
    for way in WAYS {
        let Some(stage) = Stage::open(way).await else {
            continue;
        };
        network(&stage, json!({})).await;
    }
}

/// Returns what else of the event it reached.
pub(super) async fn network(stage: &Stage, mut event: Value) -> Value {
    let tcp = TcpListener::bind("0.0.0.0:0").unwrap();
    tcp.set_nonblocking(true).unwrap();
    let port = tcp.local_addr().unwrap().port();
    let udp = UdpSocket::bind(("0.0.0.0", port)).unwrap();
    udp.set_nonblocking(true).unwrap();
    let hidden = format!("kagero-test-{port}-{}", std::process::id());
    let address = SocketAddr::from_abstract_name(&hidden).unwrap();
    let _unnamed = UnixListener::bind_addr(&address).unwrap();
    let path = stage.host.path().join("socket");
    let _named = UnixListener::bind(&path).unwrap();
    let all = std::fs::Permissions::from_mode(0o777);
    std::fs::set_permissions(&path, all).unwrap();
    let mut addresses = vec![
        json!(["127.0.0.1", port]),
        json!(["::1", port]),
        // Where another environment's gateway is. At 9001 is its own Runtime API.
        json!(["127.0.0.1", 4566]),
    ];
    addresses.extend(own_address().map(|own| json!([own, port])));
    let sockets = [format!("\0{hidden}"), path.to_str().unwrap().to_owned()];
    event["addresses"] = addresses.into();
    event["sockets"] = json!(sockets);
    let reached = stage.tries("network", event).await;
    let nobody = std::io::ErrorKind::WouldBlock;
    assert_eq!(tcp.accept().unwrap_err().kind(), nobody);
    assert_eq!(udp.recv(&mut [0; 1]).unwrap_err().kind(), nobody);
    reached
}

/// An address of this host that is not its loopback's; nothing is sent.
fn own_address() -> Option<Value> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?;
    Some(socket.local_addr().ok()?.ip().to_string().into())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_process_of_the_host_takes_its_signals() {
    for way in WAYS {
        if let Some(stage) = Stage::open(way).await {
            let event = json!({"pids": stage.others()});
            stage.tries("signals", event).await;
        }
    }
}
