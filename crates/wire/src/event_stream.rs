//! `application/vnd.amazon.eventstream`: messages of headers and a payload, with checksums.
//!
//! <https://smithy.io/2.0/aws/amazon-eventstream.html>

use bytes::{BufMut, Bytes, BytesMut};
use crc_fast::CrcAlgorithm;

/// The media type.
pub const CONTENT_TYPE: &str = "application/vnd.amazon.eventstream";

/// The two lengths and their checksum.
const PRELUDE: usize = 12;
const CHECKSUM: usize = 4;
/// The header type of a string.
const STRING: u8 = 7;

/// One event: its type's name in the model, and its payload of that media type.
///
/// # Panics
/// If a name or the media type is longer than a header can be; they are the model's.
pub fn event(event_type: &str, content_type: &str, payload: &[u8]) -> Bytes {
    let headers = [
        (":event-type", event_type),
        (":content-type", content_type),
        (":message-type", "event"),
    ];
    let length = |header: &(&str, &str)| 1 + header.0.len() + 1 + 2 + header.1.len();
    let headers_length: usize = headers.iter().map(length).sum();
    let total = PRELUDE + headers_length + payload.len() + CHECKSUM;
    let mut message = BytesMut::with_capacity(total);
    message.put_u32(u32::try_from(total).expect("a message below 4 GiB"));
    message.put_u32(u32::try_from(headers_length).expect("headers below 4 GiB"));
    message.put_u32(crc32(&message));
    for (name, value) in headers {
        message.put_u8(u8::try_from(name.len()).expect("a name below 256 bytes"));
        message.put_slice(name.as_bytes());
        message.put_u8(STRING);
        message.put_u16(u16::try_from(value.len()).expect("a value below 64 KiB"));
        message.put_slice(value.as_bytes());
    }
    message.put_slice(payload);
    message.put_u32(crc32(&message));
    message.freeze()
}

fn crc32(bytes: &[u8]) -> u32 {
    let crc = crc_fast::checksum(CrcAlgorithm::Crc32IsoHdlc, bytes);
    u32::try_from(crc).expect("a checksum of 32 bits")
}

#[cfg(test)]
mod tests {
    use bytes::Buf;
    use proptest::prelude::*;

    use super::*;

    type Parsed = (Vec<(String, String)>, Vec<u8>);

    /// Reads one message off the front, as a client does.
    fn read(stream: &mut Bytes) -> Parsed {
        let whole = stream.clone();
        let (total, headers_length) = (stream.get_u32() as usize, stream.get_u32() as usize);
        assert_eq!(stream.get_u32(), crc32(&whole[..8]));
        let mut headers = stream.split_to(headers_length);
        let payload = stream.split_to(total - PRELUDE - headers_length - CHECKSUM);
        assert_eq!(stream.get_u32(), crc32(&whole[..total - CHECKSUM]));
        let mut found = Vec::new();
        let text = |bytes: Bytes| String::from_utf8(bytes.into()).unwrap();
        while headers.has_remaining() {
            let length = usize::from(headers.get_u8());
            let name = text(headers.split_to(length));
            assert_eq!(headers.get_u8(), STRING);
            let length = usize::from(headers.get_u16());
            found.push((name, text(headers.split_to(length))));
        }
        (found, payload.into())
    }

    proptest! {
        #[test]
        fn messages_are_read_back_one_by_one(
            events in prop::collection::vec(("[A-Z][a-zA-Z]{0,30}", "[a-z]{1,9}/[a-z]{1,9}", any::<Vec<u8>>()), 0..5)
        ) {
            let mut stream = BytesMut::new();
            for (name, media, payload) in &events {
                stream.extend_from_slice(&event(name, media, payload));
            }
            let mut stream = stream.freeze();
            for (name, media, payload) in events {
                let (headers, read) = read(&mut stream);
                let expected = [(":event-type", name.as_str()), (":content-type", &media), (":message-type", "event")];
                let expected = expected.map(|(name, value)| (name.to_owned(), value.to_owned()));
                prop_assert_eq!(headers, expected);
                prop_assert_eq!(read, payload);
            }
            prop_assert!(stream.is_empty());
        }
    }
}
