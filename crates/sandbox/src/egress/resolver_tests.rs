//! The relay between servers and askers of its tests.

use super::*;

const QUESTION: [u8; SHORTEST] = [7, 7, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0];

/// A relay that asks these, in this order.
fn relay(servers: &[SocketAddr]) -> (Resolver, tempfile::TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("resolv.conf");
    let line = |one: &SocketAddr| format!("nameserver {}#{}\n", one.ip(), one.port());
    std::fs::write(&path, servers.iter().map(line).collect::<String>()).unwrap();
    let resolver = Resolver::start(Ipv4Addr::LOCALHOST, Servers::of(path)).unwrap();
    (resolver, folder)
}

fn ask_relay(relay: &Resolver) -> Vec<u8> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, relay.port())).unwrap();
    socket.set_read_timeout(Some(GIVE_UP_AFTER)).unwrap();
    socket.send(&QUESTION).unwrap();
    let mut answer = vec![0; 512];
    let length = socket.recv(&mut answer).unwrap();
    answer.truncate(length);
    answer
}

/// An address where nobody listens.
fn nobody() -> SocketAddr {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    socket.local_addr().unwrap()
}

#[test]
fn a_server_that_is_not_there_gives_way_to_the_next() {
    let server = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (relay, _folder) = relay(&[nobody(), server.local_addr().unwrap()]);
    let serving = thread::spawn(move || {
        let mut question = [0; 512];
        let (length, from) = server.recv_from(&mut question).unwrap();
        let mut answer = question[..length].to_vec();
        answer[2] |= 0x80;
        // A forged one first: not the number of the question.
        server.send_to(&[9; SHORTEST], from).unwrap();
        server.send_to(&answer, from).unwrap();
    });
    let answer = ask_relay(&relay);
    assert_eq!((answer[0], answer[2]), (7, 0x81));
    serving.join().unwrap();
}

#[test]
fn without_any_server_the_answer_is_a_failure() {
    let (relay, _folder) = relay(&[nobody()]);
    let answer = ask_relay(&relay);
    assert_eq!(answer[..2], QUESTION[..2]);
    assert_eq!((answer[2] & 0x80, answer[3] & 0xf), (0x80, 2));
}

#[test]
fn long_answers_go_over_tcp() {
    let server = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (relay, _folder) = relay(&[server.local_addr().unwrap()]);
    let long = [5_u8; 4096];
    let serving = thread::spawn(move || {
        let (mut stream, _) = server.accept().unwrap();
        let question = read_message(&mut stream).unwrap();
        let answer = [&4096_u16.to_be_bytes()[..], &long].concat();
        stream.write_all(&answer).unwrap();
        question
    });
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, relay.port())).unwrap();
    let question = [&(SHORTEST as u16).to_be_bytes()[..], &QUESTION].concat();
    stream.write_all(&question).unwrap();
    assert_eq!(read_message(&mut stream).unwrap()[2..], long);
    assert_eq!(serving.join().unwrap(), question);
}
