//! Recognises the calls that a runtime makes time and again, written as runtime clients write them.
//!
//! It knows a small part of HTTP/1.1, and whatever is not plainly of that part is [`Read::Odd`]: for
//! a whole server to read from its first byte. So nothing is ever understood here in another way
//! than there.

use memchr::{memchr, memchr_iter};

/// Longest head that is looked at, in bytes. Those of runtime clients take a few hundred.
pub(super) const MOST_HEAD: usize = 4 << 10;
/// Longest body that is taken, in bytes: a connection may hold as much while the rest is under way.
pub(super) const MOST_BODY: usize = 32 << 10;

const NEXT: &[u8] = b"GET /2018-06-01/runtime/invocation/next HTTP/1.1";
const POST: &[u8] = b"POST /2018-06-01/runtime/invocation/";
const RESPONSE: &[u8] = b"/response HTTP/1.1";
const ERROR: &[u8] = b"/error HTTP/1.1";
/// As long as our own ids.
const ID: usize = 36;

/// What the bytes of a connection begin with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Read {
    /// The head is not there yet, or not all of it.
    Incomplete,
    /// Anything but the calls below, or they in another form.
    Odd,
    Call {
        call: Call,
        /// Length of the head, in bytes.
        head: usize,
        /// Length of the body that follows it, in bytes; at most [`MOST_BODY`].
        body: usize,
    },
}

/// A call, with the id of the invocation that it is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Call {
    Next,
    Response(Id),
    Error(Id),
}

/// What a runtime gives as an invocation's id: as long as one, of hexadecimal digits and dashes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Id([u8; ID]);

impl Id {
    fn of(bytes: &[u8]) -> Option<Self> {
        let is_digit = |byte: &u8| byte.is_ascii_hexdigit() || *byte == b'-';
        let id: [u8; ID] = bytes.try_into().ok()?;
        id.iter().all(is_digit).then_some(Self(id))
    }

    pub(super) fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("hexadecimal digits and dashes are ASCII")
    }
}

/// Reads a head.
pub(super) fn read(bytes: &[u8]) -> Read {
    let within = &bytes[..bytes.len().min(MOST_HEAD)];
    let mut line_ends = memchr_iter(b'\n', within);
    let Some(end) = line_ends.find(|at| within[..=*at].ends_with(b"\r\n\r\n")) else {
        return match within.len() {
            MOST_HEAD => Read::Odd,
            _ => Read::Incomplete,
        };
    };
    let head = end + 1;
    match whole(&bytes[..head - b"\r\n\r\n".len()]) {
        Some((call, body)) => Read::Call { call, head, body },
        None => Read::Odd,
    }
}

/// The call of a head, without the empty line at its end, and the length of its body.
fn whole(head: &[u8]) -> Option<(Call, usize)> {
    let mut lines = Lines(Some(head));
    let call = call(lines.next()?)?;
    let mut length = None;
    for line in lines {
        let colon = memchr(b':', line)?;
        let (name, value) = (&line[..colon], trimmed(&line[colon + 1..]));
        if name.is_empty() || !name.iter().copied().all(is_of_names) || !is_plain(value) {
            return None;
        }
        match concern(name) {
            Concern::None => {}
            Concern::Length if length.is_some() => return None,
            Concern::Length => length = Some(number(value)?),
            Concern::Connection if value.eq_ignore_ascii_case(b"keep-alive") => {}
            Concern::Connection | Concern::Other => return None,
        }
    }
    let body = match (call, length) {
        (Call::Next, None | Some(0)) => 0,
        (Call::Response(_) | Call::Error(_), Some(length)) if length <= MOST_BODY => length,
        _ => return None,
    };
    Some((call, body))
}

fn call(line: &[u8]) -> Option<Call> {
    if line == NEXT {
        return Some(Call::Next);
    }
    let (id, rest) = line.strip_prefix(POST)?.split_at_checked(ID)?;
    let id = Id::of(id)?;
    match rest {
        RESPONSE => Some(Call::Response(id)),
        ERROR => Some(Call::Error(id)),
        _ => None,
    }
}

/// What a header has to do with how the call is read or answered.
enum Concern {
    None,
    Length,
    Connection,
    /// Something that is not known here.
    Other,
}

fn concern(name: &[u8]) -> Concern {
    const OTHERS: [&[u8]; 7] = [
        b"transfer-encoding",
        b"trailer",
        b"te",
        b"expect",
        b"upgrade",
        b"proxy-connection",
        b"lambda-runtime-function-response-mode",
    ];
    let is = |other: &[u8]| name.eq_ignore_ascii_case(other);
    if is(b"content-length") {
        Concern::Length
    } else if is(b"connection") {
        Concern::Connection
    } else if OTHERS.into_iter().any(is) {
        Concern::Other
    } else {
        Concern::None
    }
}

/// A plain decimal number below ten millions.
fn number(digits: &[u8]) -> Option<usize> {
    if !(1..=7).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    std::str::from_utf8(digits).ok()?.parse().ok()
}

/// Whether a header's name may have it: a letter, a digit or a sign of RFC 9110, section 5.6.2.
fn is_of_names(byte: u8) -> bool {
    const OF_NAMES: [bool; 256] = {
        let (mut table, mut byte) = ([false; 256], 0);
        while byte < 256 {
            table[byte] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let (signs, mut at) = (b"!#$%&'*+-.^_`|~", 0);
        while at < signs.len() {
            table[signs[at] as usize] = true;
            at += 1;
        }
        table
    };
    OF_NAMES[usize::from(byte)]
}

/// Without the spaces and tabs around it. A line end alone is none of these, and ends a line for hyper.
fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

/// Whether it is text of one line.
fn is_plain(value: &[u8]) -> bool {
    value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t'))
}

/// Lines that end with CR and LF, the last without. A CR or an LF alone stays within its line, where
/// nothing that is looked for has one.
struct Lines<'a>(Option<&'a [u8]>);

impl<'a> Iterator for Lines<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        let rest = self.0?;
        let end = memchr_iter(b'\n', rest).find(|at| rest[..*at].ends_with(b"\r"));
        self.0 = end.map(|end| &rest[end + 1..]);
        Some(end.map_or(rest, |end| &rest[..end - 1]))
    }
}

#[cfg(test)]
mod tests {
    use std::iter;

    use proptest::prelude::*;

    use super::*;

    const AN_ID: &str = "7616f6d4-2c3e-4a5b-8c7d-0123456789ab";

    fn an_id() -> Id {
        Id::of(AN_ID.as_bytes()).unwrap()
    }

    fn response(fields: &str) -> String {
        format!("POST /2018-06-01/runtime/invocation/{AN_ID}/response HTTP/1.1\r\n{fields}\r\n")
    }

    #[test]
    fn what_clients_send_is_a_call() {
        let head = response("Host: 127.0.0.1\r\nContent-Length:  4 \r\nConnection: Keep-Alive\r\n");
        let bytes = format!("{head}nullGET");
        let expected = Read::Call {
            call: Call::Response(an_id()),
            head: head.len(),
            body: 4,
        };
        assert_eq!(read(bytes.as_bytes()), expected);
        let error = head.replace("/response", "/error");
        assert!(matches!(
            read(error.as_bytes()),
            Read::Call {
                call: Call::Error(_),
                body: 4,
                ..
            }
        ));
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\n\r\n";
        let expected = Read::Call {
            call: Call::Next,
            head: next.len(),
            body: 0,
        };
        assert_eq!(read(next.as_bytes()), expected);
    }

    #[test]
    fn what_is_not_plain_is_odd() {
        for fields in [
            "",
            "Content-Length: 4\r\nContent-Length: 4\r\n",
            "Content-Length: +4\r\n",
            "Content-Length: 4, 4\r\n",
            "Content-Length:\r\n",
            "Content-Length : 4\r\n",
            "Content-Length: 32769\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 4\r\nExpect: 100-continue\r\n",
            "Content-Length: 4\r\nConnection: close\r\n",
            "Content-Length: 4\r\nLambda-Runtime-Function-Response-Mode: streaming\r\n",
            "Content-Length: 4\r\n folded: over two lines\r\n",
            "Content-Length: 4\r\nX: a\rb\r\n",
            "Content-Length: 4\n\r\n",
            "Content-Length: 4\r\nX: a\r\r\n",
            "Content-Length: 4\r\nX:\n\r\n",
            "Content-Length: 4\r\nX: a\u{c}\r\n",
            "Content-Length: 4\r\nX: a\nTransfer-Encoding: chunked\r\n",
            "Content-Length: 4\r\nX: \u{e4}\r\n",
            "Content-Length: 4\r\nno colon\r\n",
            "Content-Length: 4\r\n: no name\r\n",
        ] {
            assert_eq!(read(response(fields).as_bytes()), Read::Odd, "{fields:?}");
        }
        let good = response("Content-Length: 4\r\n");
        for (from, to) in [
            ("HTTP/1.1", "HTTP/1.0"),
            ("POST", "post"),
            ("POST ", "POST  "),
            ("/response", "/response?"),
            ("-0123456789ab", "-0123456789a/"),
            ("-0123456789ab", "-0123456789abc"),
            ("POST", "\r\nPOST"),
            ("/2018", "http://h/2018"),
        ] {
            assert_eq!(
                read(good.replacen(from, to, 1).as_bytes()),
                Read::Odd,
                "{to}"
            );
        }
        let next = "GET /2018-06-01/runtime/invocation/next HTTP/1.1\r\nContent-Length: 1\r\n\r\n";
        assert_eq!(read(next.as_bytes()), Read::Odd);
    }

    #[test]
    fn a_head_without_end_is_odd_at_last() {
        let long = response(&format!(
            "Content-Length: 4\r\nX: {}\r\n",
            "x".repeat(MOST_HEAD)
        ));
        assert_eq!(read(&long.as_bytes()[..MOST_HEAD - 1]), Read::Incomplete);
        assert_eq!(read(&long.as_bytes()[..MOST_HEAD]), Read::Odd);
        assert_eq!(read(long.as_bytes()), Read::Odd);
    }

    /// Heads that are nearly right.
    fn nearly() -> impl Strategy<Value = Vec<u8>> {
        let field = prop_oneof![
            Just("Host: 127.0.0.1:9001".to_owned()),
            "[Cc]ontent-[Ll]ength:[ \t]?[0-9]{1,6}",
            "Connection: (close|keep-alive|upgrade)",
            "(Transfer-Encoding|TE|Expect|X-[a-z]{1,3}): [ -~]{0,12}",
            "[!-~]{0,6}:? ?[ -~\t]{0,6}",
        ];
        let line = prop_oneof![
            Just("GET /2018-06-01/runtime/invocation/next HTTP/1.1".to_owned()),
            "(POST|PUT) /2018-06-01/runtime/invocation/[0-9a-f-]{36}/(response|error) HTTP/1.[01]",
        ];
        let bytes = (line, prop::collection::vec(field, 0..5)).prop_map(|(line, fields)| {
            let end = [String::new(), String::new()];
            let lines: Vec<_> = iter::once(line).chain(fields).chain(end).collect();
            lines.join("\r\n").into_bytes()
        });
        // Of three, one is damaged in a byte.
        let damage =
            prop_oneof![2 => Just(None), 1 => any::<(prop::sample::Index, u8)>().prop_map(Some)];
        (bytes, damage).prop_map(|(mut bytes, damage)| {
            if let Some((at, byte)) = damage {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
            bytes
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        /// Whatever is understood here, hyper's own parser understands alike.
        #[test]
        fn nothing_is_understood_in_another_way(bytes in nearly()) {
            let Read::Call { call, head, body } = read(&bytes) else { return Ok(()) };
            let mut fields = [httparse::EMPTY_HEADER; 16];
            let mut request = httparse::Request::new(&mut fields);
            let parsed = request.parse(&bytes).expect("a head that hyper takes as well");
            prop_assert_eq!(parsed, httparse::Status::Complete(head));
            prop_assert_eq!(request.version, Some(1));
            let (method, path) = match call {
                Call::Next => ("GET", "next".to_owned()),
                Call::Response(id) => ("POST", format!("{}/response", id.as_str())),
                Call::Error(id) => ("POST", format!("{}/error", id.as_str())),
            };
            prop_assert_eq!(request.method, Some(method));
            let whole = format!("/2018-06-01/runtime/invocation/{path}");
            prop_assert_eq!(request.path, Some(whole.as_str()));
            let is = |name: &'static str| {
                move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name)
            };
            let lengths: Vec<_> = request.headers.iter().filter(is("content-length")).collect();
            prop_assert!(lengths.len() <= 1);
            let length = lengths.first().map(|field| std::str::from_utf8(field.value).unwrap().trim().parse::<usize>().unwrap());
            prop_assert_eq!(length.unwrap_or(0), body);
            prop_assert!(!request.headers.iter().any(|field| is("transfer-encoding")(&field)));
        }

        /// What is known of the first bytes stays true however many follow.
        #[test]
        fn a_verdict_does_not_change_with_what_follows(bytes in nearly(), cut in any::<prop::sample::Index>()) {
            let first = &bytes[..cut.index(bytes.len() + 1)];
            match read(first) {
                Read::Incomplete => prop_assert!(first.len() < MOST_HEAD),
                verdict => prop_assert_eq!(verdict, read(&bytes)),
            }
        }

        #[test]
        fn no_bytes_do_harm(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&bytes);
        }
    }
}
