//! Whom the host asks for names, and what environments are told instead.

use std::fs;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

const PORT: u16 = 53;

/// The name servers of a `resolv.conf`, as it is now.
#[derive(Debug)]
pub(super) struct Servers {
    path: PathBuf,
    read: Mutex<Option<(SystemTime, Vec<SocketAddr>)>>,
}

impl Servers {
    pub(super) fn of(path: PathBuf) -> Self {
        Self {
            path,
            read: Mutex::default(),
        }
    }

    /// Reads the file again when it has changed.
    pub(super) fn now(&self) -> Vec<SocketAddr> {
        let changed = fs::metadata(&self.path).and_then(|metadata| metadata.modified());
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some((known, servers)), Ok(changed)) = (&*read, &changed)
            && known == changed
        {
            return servers.clone();
        }
        let servers = servers(&fs::read_to_string(&self.path).unwrap_or_default());
        *read = changed.ok().map(|changed| (changed, servers.clone()));
        servers
    }
}

/// The servers that a `resolv.conf` names; this host's own where it names none, as in resolv.conf(5).
fn servers(text: &str) -> Vec<SocketAddr> {
    let named = values(text, "nameserver").filter_map(|value| {
        // `ADDRESS#PORT` is not in the manual, but dnsmasq's way, and understood by some.
        let (address, port) = value.split_once('#').unwrap_or((value, ""));
        let address: IpAddr = address.parse().ok()?;
        Some(SocketAddr::new(address, port.parse().unwrap_or(PORT)))
    });
    let named: Vec<_> = named.collect();
    if named.is_empty() {
        return vec![(Ipv4Addr::LOCALHOST, PORT).into()];
    }
    named
}

/// What an environment finds in its `/etc/resolv.conf`: the relay, and how the host completes names.
pub(super) fn inside(relay: Ipv4Addr, host: &str) -> String {
    let mut text = format!("nameserver {relay}\n");
    for key in ["domain", "search", "options"] {
        for value in values(host, key) {
            text.extend([key, " ", value, "\n"]);
        }
    }
    text
}

/// The values of the lines with this keyword.
fn values<'a>(text: &'a str, key: &'a str) -> impl Iterator<Item = &'a str> {
    text.lines().filter_map(move |line| {
        let (word, value) = line.trim().split_once(char::is_whitespace)?;
        (word == key).then(|| value.trim())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "# made by hand\nnameserver 127.0.0.53\nnameserver\t2001:db8::1\n\
                        nameserver fe80::1%eth0\noptions edns0 trust-ad\nsearch example.org lan\n";

    #[test]
    fn servers_are_read_and_scoped_ones_left_out() {
        let expected: [SocketAddr; 2] = [
            "127.0.0.53:53".parse().unwrap(),
            "[2001:db8::1]:53".parse().unwrap(),
        ];
        assert_eq!(servers(HOST), expected);
        assert_eq!(servers("")[0], "127.0.0.1:53".parse().unwrap());
    }

    #[test]
    fn environments_ask_the_relay_and_complete_names_as_the_host_does() {
        assert_eq!(
            inside(Ipv4Addr::new(10, 213, 0, 1), HOST),
            "nameserver 10.213.0.1\nsearch example.org lan\noptions edns0 trust-ad\n"
        );
    }

    #[test]
    fn a_changed_file_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("resolv.conf");
        fs::write(&path, "nameserver 192.0.2.1\n").unwrap();
        let servers = Servers::of(path.clone());
        assert_eq!(servers.now(), ["192.0.2.1:53".parse().unwrap()]);
        fs::write(&path, "nameserver 192.0.2.2\n").unwrap();
        let another = SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(5);
        let file = fs::File::options().append(true).open(&path).unwrap();
        file.set_modified(another).unwrap();
        assert_eq!(servers.now(), ["192.0.2.2:53".parse().unwrap()]);
    }
}
