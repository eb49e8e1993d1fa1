//! `aws-chunked` bodies: AWS's example, our own signer, wrong framing, arbitrary bytes and cuts.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-streaming.html>

#![allow(clippy::unwrap_used, reason = "a test that panics has failed")]

use auth::AuthError as E;
use auth::chunked::{ChunkSigner, Decoder, Event, Format};
use auth::sigv4::{self, PayloadHash, Signer, VerifiedSeed};
use bytes::Bytes;
use proptest::prelude::*;

const SIGNED: Format = Format {
    signed: true,
    trailers: false,
};
const SIGNED_TRAILERS: Format = Format {
    signed: true,
    trailers: true,
};
const UNSIGNED: Format = Format {
    signed: false,
    trailers: true,
};

/// Feeds a body in pieces of `cut` bytes.
fn decode(mut decoder: Decoder, body: &[u8], cut: usize) -> Result<(Vec<u8>, Vec<Event>), E> {
    let (mut content, mut trailers) = (Vec::new(), Vec::new());
    for piece in body.chunks(cut.max(1)) {
        for event in decoder.push(Bytes::copy_from_slice(piece))? {
            match event {
                Event::Data(bytes) => content.extend_from_slice(&bytes),
                trailer @ Event::Trailer { .. } => trailers.push(trailer),
            }
        }
    }
    decoder.finish()?;
    Ok((content, trailers))
}

fn aws_example_seed() -> VerifiedSeed {
    let parts = http::Request::put("/examplebucket/chunkObject.txt")
        .header("host", "s3.amazonaws.com")
        .header("x-amz-date", "20130524T000000Z")
        .header("x-amz-storage-class", "REDUCED_REDUNDANCY")
        .header("x-amz-content-sha256", "STREAMING-AWS4-HMAC-SHA256-PAYLOAD")
        .header("content-encoding", "aws-chunked")
        .header("x-amz-decoded-content-length", "66560")
        .header("content-length", "66824")
        .header(
            "authorization",
            "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,\
             SignedHeaders=content-encoding;content-length;host;x-amz-content-sha256;x-amz-date;\
             x-amz-decoded-content-length;x-amz-storage-class,Signature=\
             4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
        )
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let signed = sigv4::parse(&parts).unwrap().unwrap();
    assert_eq!(Format::of_payload(signed.payload().unwrap()), Some(SIGNED));
    let now = sigv4::amz_date::parse("20130524T000000Z").unwrap();
    signed
        .verify(
            &parts,
            "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            now,
            None,
        )
        .unwrap()
}

fn aws_example_body() -> Vec<u8> {
    let mut body = Vec::new();
    for (size, signature) in [
        (
            65_536,
            "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648",
        ),
        (
            1_024,
            "0055627c9e194cb4542bae2aa5492e3c1575bbb81b612b7d234b86a503ef5497",
        ),
        (
            0,
            "b6c6ea8a5354eaf15b3cb7646744f4275b71ea724fed81ceb9323e279d449df9",
        ),
    ] {
        body.extend_from_slice(format!("{size:x};chunk-signature={signature}\r\n").as_bytes());
        body.extend(std::iter::repeat_n(b'a', size));
        body.extend_from_slice(b"\r\n");
    }
    body
}

#[test]
fn aws_example_decodes_however_it_is_cut() {
    let body = aws_example_body();
    assert_eq!(body.len(), 66_824, "as long as the example says");
    for cut in [1, 7, 4096, 66_824] {
        let decoder = Decoder::new(SIGNED, Some(aws_example_seed()), Some(66_560));
        let (content, trailers) = decode(decoder, &body, cut).unwrap();
        assert_eq!(content, vec![b'a'; 66_560], "cut {cut}");
        assert!(trailers.is_empty());
    }
}

#[test]
fn one_changed_byte_is_noticed() {
    let mut body = aws_example_body();
    body[70_000 - 5_000] = b'b';
    let decoder = Decoder::new(SIGNED, Some(aws_example_seed()), Some(66_560));
    let error = decode(decoder, &body, 1000).unwrap_err();
    assert!(matches!(error, E::SignatureMismatch(_)), "{error}");
    // Without a seed, as in permissive mode, only the framing counts.
    decode(Decoder::new(SIGNED, None, Some(66_560)), &body, 1000).unwrap();
}

fn own_seed(payload: PayloadHash) -> VerifiedSeed {
    let mut parts = http::Request::put("http://localhost:4566/b/k")
        .body(())
        .unwrap()
        .into_parts()
        .0;
    let signer = Signer {
        access_key_id: "AKIA",
        secret: "secret",
        session_token: None,
        region: "us-east-1",
        service: "s3",
        at: sigv4::amz_date::parse("20260101T000000Z").unwrap(),
    };
    sigv4::sign(&mut parts, &signer, payload, [0; 32]).unwrap()
}

fn body_with_trailer(checksum_signed: &str, checksum_sent: &str, gap: &str) -> Vec<u8> {
    let seed = own_seed(PayloadHash::SignedChunks { trailer: true });
    let mut signer = ChunkSigner::new(seed).unwrap();
    let first = signer.chunk(b"hello");
    let last = signer.chunk(b"");
    let trailer = signer.trailers(&format!("x-amz-checksum-crc32:{checksum_signed}\n"));
    format!(
        "5;chunk-signature={first}\r\nhello\r\n0;chunk-signature={last}\r\n{gap}\
         x-amz-checksum-crc32:{checksum_sent}\r\nx-amz-trailer-signature:{trailer}\r\n\r\n"
    )
    .into_bytes()
}

#[test]
fn signed_trailers_are_checked() {
    for gap in ["", "\r\n"] {
        let seed = own_seed(PayloadHash::SignedChunks { trailer: true });
        let decoder = Decoder::new(SIGNED_TRAILERS, Some(seed), Some(5));
        let body = body_with_trailer("NhCmhg==", "NhCmhg==", gap);
        let (content, trailers) = decode(decoder, &body, 3).unwrap();
        assert_eq!(content, b"hello");
        let expected = Event::Trailer {
            name: "x-amz-checksum-crc32".to_owned(),
            value: "NhCmhg==".to_owned(),
        };
        assert_eq!(trailers, [expected]);
    }
    let seed = own_seed(PayloadHash::SignedChunks { trailer: true });
    let decoder = Decoder::new(SIGNED_TRAILERS, Some(seed), Some(5));
    let error = decode(decoder, &body_with_trailer("NhCmhg==", "AAAAAA==", ""), 99).unwrap_err();
    assert!(matches!(error, E::SignatureMismatch(_)), "{error}");
}

#[test]
fn signed_trailers_may_not_be_cut_off() {
    let body = body_with_trailer("NhCmhg==", "NhCmhg==", "");
    let end = body
        .windows(14)
        .position(|w| w == b"x-amz-checksum")
        .unwrap();
    let seed = own_seed(PayloadHash::SignedChunks { trailer: true });
    let decoder = Decoder::new(SIGNED_TRAILERS, Some(seed), Some(5));
    let error = decode(decoder, &body[..end], 99).unwrap_err();
    assert!(matches!(error, E::MalformedTrailer(_)), "{error}");
}

#[test]
fn unsigned_chunks_with_a_trailer() {
    let body = b"3\r\nabc\r\n2\r\nde\r\n0\r\nX-Amz-Checksum-CRC32: hYeoKQ== \r\n\r\n";
    let (content, trailers) = decode(Decoder::new(UNSIGNED, None, Some(5)), body, 2).unwrap();
    assert_eq!(content, b"abcde");
    let expected = Event::Trailer {
        name: "x-amz-checksum-crc32".to_owned(),
        value: "hYeoKQ==".to_owned(),
    };
    assert_eq!(trailers, [expected]);
}

#[test]
fn wrong_bodies_are_refused() {
    let refused = |format, body: &[u8], length| {
        decode(Decoder::new(format, None, length), body, 4).unwrap_err()
    };
    assert_eq!(refused(UNSIGNED, b"3\r\nab", Some(3)), E::IncompleteBody);
    assert_eq!(
        refused(UNSIGNED, b"3\r\nabc\r\n0\r\n\r\n", Some(4)),
        E::IncompleteBody
    );
    assert_eq!(
        refused(UNSIGNED, b"3\r\nabc\r\n0\r\n\r\n", Some(2)),
        E::IncompleteBody
    );
    for body in [
        &b"xyz\r\n"[..],
        b"-1\r\n",
        b"\r\n",
        b"3\nabc\r\n",
        b"3\r\nabcd\r\n",
        b"ffffffffffffffff\r\n",
        b"fffffffffffffffff\r\n",
    ] {
        let error = refused(UNSIGNED, body, None);
        assert!(matches!(error, E::MalformedChunk(_)), "{body:?}: {error}");
    }
    assert!(matches!(
        refused(SIGNED, b"3\r\nabc\r\n", None),
        E::MalformedChunk(_)
    ));
    assert!(matches!(
        refused(SIGNED, b"0;chunk-signature=0\r\n\r\nmore", None),
        E::MalformedChunk(_)
    ));
    let error = refused(UNSIGNED, b"0\r\nno colon\r\n\r\n", None);
    assert!(matches!(error, E::MalformedTrailer(_)), "{error}");
    let error = refused(UNSIGNED, &vec![b'0'; 100_000], None);
    assert!(
        matches!(error, E::MalformedChunk(_)),
        "a line without end: {error}"
    );
    let many = format!("0\r\n{}\r\n", "a:b\r\n".repeat(100));
    assert!(matches!(
        refused(UNSIGNED, many.as_bytes(), None),
        E::MalformedTrailer(_)
    ));
}

proptest! {
    #[test]
    fn any_bytes_are_taken_or_refused(
        bytes in proptest::collection::vec(any::<u8>(), 0..200),
        signed: bool,
        trailers: bool,
        cut in 1_usize..50,
    ) {
        let _ = decode(Decoder::new(Format { signed, trailers }, None, None), &bytes, cut);
    }

    #[test]
    fn near_misses_are_taken_or_refused(
        text in "(([0-9a-f]{0,2}|0)(;chunk-signature=a)?(\r\n)?|[a-z:]{0,5}|\r\n){0,20}",
        signed: bool,
        trailers: bool,
        cut in 1_usize..9,
    ) {
        let _ = decode(Decoder::new(Format { signed, trailers }, None, None), text.as_bytes(), cut);
    }

    #[test]
    fn content_survives_any_chunking_and_cutting(
        chunks in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..60), 0..6),
        cut in 1_usize..80,
    ) {
        let seed = own_seed(PayloadHash::SignedChunks { trailer: false });
        let mut signer = ChunkSigner::new(seed.clone()).unwrap();
        let mut body = Vec::new();
        for chunk in chunks.iter().chain([&Vec::new()]) {
            let signature = signer.chunk(chunk);
            body.extend(format!("{:x};chunk-signature={signature}\r\n", chunk.len()).bytes());
            body.extend_from_slice(chunk);
            body.extend_from_slice(b"\r\n");
        }
        let content = chunks.concat();
        let decoder = Decoder::new(SIGNED, Some(seed), Some(content.len() as u64));
        prop_assert_eq!(decode(decoder, &body, cut).unwrap().0, content);
    }
}
