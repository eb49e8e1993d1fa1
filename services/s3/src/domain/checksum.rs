//! The checksums S3 verifies, keeps and gives back.
//!
//! <https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity.html>

use std::hash::Hasher as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use crc_fast::CrcAlgorithm;
use serde::{Deserialize, Serialize};
use sha2::Digest as _;
use twox_hash::{XxHash3_64, XxHash3_128, XxHash64};

use crate::error::Error;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Algorithm {
    #[serde(rename = "CRC32")]
    Crc32,
    #[serde(rename = "CRC32C")]
    Crc32c,
    #[serde(rename = "CRC64NVME")]
    Crc64Nvme,
    #[serde(rename = "SHA1")]
    Sha1,
    #[serde(rename = "SHA256")]
    Sha256,
    #[serde(rename = "SHA512")]
    Sha512,
    #[serde(rename = "MD5")]
    Md5,
    #[serde(rename = "XXHASH64")]
    XxHash64,
    #[serde(rename = "XXHASH3")]
    XxHash3,
    #[serde(rename = "XXHASH128")]
    XxHash128,
}

/// What the checksum of a multipart object is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// All the bytes.
    #[serde(rename = "FULL_OBJECT")]
    FullObject,
    /// The parts' checksums.
    #[serde(rename = "COMPOSITE")]
    Composite,
}

/// A checksum as S3 writes it: base64 and, when composite, a hyphen and the number of parts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checksum {
    pub algorithm: Algorithm,
    pub kind: Kind,
    pub value: String,
}

impl Algorithm {
    pub const ALL: [Self; 10] = [
        Self::Crc32,
        Self::Crc32c,
        Self::Crc64Nvme,
        Self::Sha1,
        Self::Sha256,
        Self::Sha512,
        Self::Md5,
        Self::XxHash64,
        Self::XxHash3,
        Self::XxHash128,
    ];

    /// What S3 computes when the client asks for none.
    pub const DEFAULT: Self = Self::Crc64Nvme;

    pub const fn name(self) -> &'static str {
        match self {
            Self::Crc32 => "CRC32",
            Self::Crc32c => "CRC32C",
            Self::Crc64Nvme => "CRC64NVME",
            Self::Sha1 => "SHA1",
            Self::Sha256 => "SHA256",
            Self::Sha512 => "SHA512",
            Self::Md5 => "MD5",
            Self::XxHash64 => "XXHASH64",
            Self::XxHash3 => "XXHASH3",
            Self::XxHash128 => "XXHASH128",
        }
    }

    /// The header, or trailer, that carries its value.
    pub const fn header(self) -> &'static str {
        match self {
            Self::Crc32 => "x-amz-checksum-crc32",
            Self::Crc32c => "x-amz-checksum-crc32c",
            Self::Crc64Nvme => "x-amz-checksum-crc64nvme",
            Self::Sha1 => "x-amz-checksum-sha1",
            Self::Sha256 => "x-amz-checksum-sha256",
            Self::Sha512 => "x-amz-checksum-sha512",
            Self::Md5 => "x-amz-checksum-md5",
            Self::XxHash64 => "x-amz-checksum-xxhash64",
            Self::XxHash3 => "x-amz-checksum-xxhash3",
            Self::XxHash128 => "x-amz-checksum-xxhash128",
        }
    }

    /// The algorithm an `x-amz-trailer` header announces, if any.
    pub fn of_trailer(names: &str) -> Option<Self> {
        let mut names = names.split(',').map(str::trim);
        names.find_map(|name| {
            Self::ALL
                .into_iter()
                .find(|a| a.header().eq_ignore_ascii_case(name))
        })
    }

    /// # Errors
    /// `InvalidRequest` for an algorithm S3 does not have.
    pub fn parse(name: &str) -> Result<Self, Error> {
        let known = Self::ALL
            .into_iter()
            .find(|a| a.name().eq_ignore_ascii_case(name));
        known.ok_or_else(|| {
            Error::invalid_request(
                "Checksum algorithm provided is unsupported. Please try again with any of the \
                 valid types: [CRC32, CRC32C, CRC64NVME, SHA1, SHA256, SHA512, MD5, XXHASH64, \
                 XXHASH3, XXHASH128]",
            )
        })
    }

    /// The kind a multipart upload gets when the client names none.
    pub const fn default_kind(self) -> Kind {
        match self {
            Self::Crc64Nvme => Kind::FullObject,
            _ => Kind::Composite,
        }
    }

    /// Whether a multipart upload may have a checksum of this kind: only CRCs can be combined from
    /// parts, CRC64NVME is never composite.
    pub const fn allows(self, kind: Kind) -> bool {
        match self {
            Self::Crc32 | Self::Crc32c => true,
            Self::Crc64Nvme => matches!(kind, Kind::FullObject),
            _ => matches!(kind, Kind::Composite),
        }
    }

    const fn length(self) -> usize {
        match self {
            Self::Crc32 | Self::Crc32c => 4,
            Self::Crc64Nvme | Self::XxHash64 | Self::XxHash3 => 8,
            Self::Md5 | Self::XxHash128 => 16,
            Self::Sha1 => 20,
            Self::Sha256 => 32,
            Self::Sha512 => 64,
        }
    }

    fn crc(self) -> Option<CrcAlgorithm> {
        match self {
            Self::Crc32 => Some(CrcAlgorithm::Crc32IsoHdlc),
            Self::Crc32c => Some(CrcAlgorithm::Crc32Iscsi),
            Self::Crc64Nvme => Some(CrcAlgorithm::Crc64Nvme),
            _ => None,
        }
    }

    /// The bytes of a checksum written in base64; `None` if it is not one of this algorithm.
    fn decode(self, value: &str) -> Option<Vec<u8>> {
        BASE64
            .decode(value)
            .ok()
            .filter(|bytes| bytes.len() == self.length())
    }

    /// # Errors
    /// `InvalidRequest` when the value cannot be a checksum of this algorithm.
    pub fn check_form(self, value: &str) -> Result<(), Error> {
        let header = self.header();
        self.decode(value)
            .map(|_| ())
            .ok_or_else(|| Error::invalid_request(format!("Value for {header} header is invalid.")))
    }
}

impl Kind {
    pub const fn name(self) -> &'static str {
        match self {
            Self::FullObject => "FULL_OBJECT",
            Self::Composite => "COMPOSITE",
        }
    }

    /// # Errors
    /// `InvalidRequest` for anything else.
    pub fn parse(name: &str) -> Result<Self, Error> {
        match name {
            "FULL_OBJECT" => Ok(Self::FullObject),
            "COMPOSITE" => Ok(Self::Composite),
            _ => Err(Error::invalid_request(
                "Value for x-amz-checksum-type header is invalid.",
            )),
        }
    }
}

/// Computes one checksum over bytes as they pass.
pub struct Hasher {
    algorithm: Algorithm,
    state: State,
}

enum State {
    Crc(Box<crc_fast::Digest>),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(Box<sha2::Sha512>),
    Md5(md5::Md5),
    XxHash64(Box<XxHash64>),
    XxHash3(Box<XxHash3_64>),
    XxHash128(Box<XxHash3_128>),
}

impl Hasher {
    pub fn new(algorithm: Algorithm) -> Self {
        let crc = |algorithm| State::Crc(Box::new(crc_fast::Digest::new(algorithm)));
        let state = match algorithm {
            Algorithm::Crc32 => crc(CrcAlgorithm::Crc32IsoHdlc),
            Algorithm::Crc32c => crc(CrcAlgorithm::Crc32Iscsi),
            Algorithm::Crc64Nvme => crc(CrcAlgorithm::Crc64Nvme),
            Algorithm::Sha1 => State::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => State::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => State::Sha512(Box::default()),
            Algorithm::Md5 => State::Md5(md5::Md5::new()),
            Algorithm::XxHash64 => State::XxHash64(Box::new(XxHash64::with_seed(0))),
            Algorithm::XxHash3 => State::XxHash3(Box::new(XxHash3_64::new())),
            Algorithm::XxHash128 => State::XxHash128(Box::new(XxHash3_128::new())),
        };
        Self { algorithm, state }
    }

    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.state {
            State::Crc(digest) => digest.update(bytes),
            State::Sha1(digest) => digest.update(bytes),
            State::Sha256(digest) => digest.update(bytes),
            State::Sha512(digest) => digest.update(bytes),
            State::Md5(digest) => digest.update(bytes),
            State::XxHash64(digest) => digest.write(bytes),
            State::XxHash3(digest) => digest.write(bytes),
            State::XxHash128(digest) => digest.write(bytes),
        }
    }

    /// The checksum of all bytes seen.
    pub fn finish(self) -> Checksum {
        let value = match self.state {
            State::Crc(digest) => encode_crc(self.algorithm, digest.finalize()),
            State::Sha1(digest) => BASE64.encode(digest.finalize()),
            State::Sha256(digest) => BASE64.encode(digest.finalize()),
            State::Sha512(digest) => BASE64.encode(digest.finalize()),
            State::Md5(digest) => BASE64.encode(digest.finalize()),
            State::XxHash64(digest) => BASE64.encode(digest.finish().to_be_bytes()),
            State::XxHash3(digest) => BASE64.encode(digest.finish().to_be_bytes()),
            State::XxHash128(digest) => BASE64.encode(digest.finish_128().to_be_bytes()),
        };
        Checksum {
            algorithm: self.algorithm,
            kind: Kind::FullObject,
            value,
        }
    }
}

fn encode_crc(algorithm: Algorithm, crc: u64) -> String {
    BASE64.encode(&crc.to_be_bytes()[8 - algorithm.length()..])
}

/// The checksum of an object from those of its parts, each with the part's size. `None` when a
/// part has another algorithm's, or the kind does not suit the algorithm.
pub fn combine(algorithm: Algorithm, kind: Kind, parts: &[(&Checksum, u64)]) -> Option<Checksum> {
    let mut digests = Vec::with_capacity(parts.len());
    for (checksum, size) in parts {
        if checksum.algorithm != algorithm {
            return None;
        }
        digests.push((algorithm.decode(&checksum.value)?, *size));
    }
    let value = match kind {
        Kind::Composite => {
            let mut hasher = Hasher::new(algorithm);
            for (digest, _) in &digests {
                hasher.update(digest);
            }
            format!("{}-{}", hasher.finish().value, digests.len())
        }
        Kind::FullObject => {
            let crc = algorithm.crc()?;
            let number = |digest: &[u8]| digest.iter().fold(0, |n, b| n << 8 | u64::from(*b));
            let whole = digests
                .iter()
                .map(|(digest, size)| (number(digest), *size))
                .reduce(|(so_far, length), (next, size)| {
                    (
                        crc_fast::checksum_combine(crc, so_far, next, size),
                        length + size,
                    )
                })?;
            encode_crc(algorithm, whole.0)
        }
    };
    Some(Checksum {
        algorithm,
        kind,
        value,
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(algorithm: Algorithm, bytes: &[u8]) -> Checksum {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(bytes);
        hasher.finish()
    }

    /// The check values of the CRC catalogue and of the SHA standards, for "123456789" and "abc".
    #[test]
    fn known_values() {
        let hex = |algorithm, text: &str| {
            hex::encode(BASE64.decode(of(algorithm, text.as_bytes()).value).unwrap())
        };
        assert_eq!(hex(Algorithm::Crc32, "123456789"), "cbf43926");
        assert_eq!(hex(Algorithm::Crc32c, "123456789"), "e3069283");
        assert_eq!(hex(Algorithm::Crc64Nvme, "123456789"), "ae8b14860a799888");
        assert_eq!(
            hex(Algorithm::Sha1, "abc"),
            "a9993e364706816aba3e25717850c26c9cd0d89d"
        );
        assert!(hex(Algorithm::Sha256, "abc").starts_with("ba7816bf8f01cfea414140de5dae2223"));
        assert!(hex(Algorithm::Sha512, "abc").starts_with("ddaf35a193617abacc417349ae204131"));
        assert_eq!(
            hex(Algorithm::Md5, "abc"),
            "900150983cd24fb0d6963f7d28e17f72"
        );
        assert_eq!(hex(Algorithm::XxHash64, ""), "ef46db3751d8e999");
        assert_eq!(hex(Algorithm::XxHash3, ""), "2d06800538d394c2");
        assert_eq!(
            hex(Algorithm::XxHash128, ""),
            "99aa06d3014798d86001c324468d497f"
        );
    }

    proptest! {
        #[test]
        fn parts_combine_to_the_checksum_of_the_whole(
            parts in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..300), 1..6),
            algorithm in prop::sample::select(
                vec![Algorithm::Crc32, Algorithm::Crc32c, Algorithm::Crc64Nvme],
            ),
        ) {
            let whole = of(algorithm, &parts.concat());
            let each: Vec<_> = parts.iter().map(|p| (of(algorithm, p), p.len() as u64)).collect();
            let each: Vec<_> = each.iter().map(|(c, n)| (c, *n)).collect();
            prop_assert_eq!(combine(algorithm, Kind::FullObject, &each), Some(whole));
        }
    }

    #[test]
    fn a_composite_is_over_the_parts_digests() {
        let (a, b) = (of(Algorithm::Sha256, b"a"), of(Algorithm::Sha256, b"b"));
        let composite = combine(Algorithm::Sha256, Kind::Composite, &[(&a, 1), (&b, 1)]).unwrap();
        let mut both = BASE64.decode(&a.value).unwrap();
        both.extend(BASE64.decode(&b.value).unwrap());
        assert_eq!(
            composite.value,
            format!("{}-2", of(Algorithm::Sha256, &both).value)
        );
        let other = of(Algorithm::Crc32, b"a");
        assert_eq!(
            combine(Algorithm::Sha256, Kind::Composite, &[(&other, 1)]),
            None
        );
    }
}
