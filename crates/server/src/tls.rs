//! Certificates of the TLS listener: the operator's, or an authority of our own that signs one for each
//! name it is called by, so that clients trust it once.

use std::collections::HashMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use anyhow::Context;
use gateway::TlsAcceptor;
use parking_lot::Mutex;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::ServerConfig;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::config::Tls;

/// Names whose certificates are kept at most: clients choose them.
const MOST_NAMES: usize = 1_000;
/// What a client gets that names none.
const DEFAULT_NAMES: [&str; 3] = ["localhost", "127.0.0.1", "::1"];

/// What makes connections of handshakes, with HTTP/2 where the client knows it.
pub fn acceptor(tls: &Tls, folder: &Path) -> anyhow::Result<TlsAcceptor> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()?
        .with_no_client_auth();
    let mut config = match &tls.own {
        Some(own) => {
            let (certificates, key) = read(&own.certificate, &own.key)?;
            builder
                .with_single_cert(certificates, key)
                .context("use the TLS certificate with its key")?
        }
        None => builder.with_cert_resolver(Arc::new(Authority::open(folder, provider)?)),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(TlsAcceptor::from(Arc::new(config)))
}

type Pair = (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>);

fn read(certificate: &Path, key: &Path) -> anyhow::Result<Pair> {
    let what = || format!("read the TLS certificate {}", certificate.display());
    let certificates = CertificateDer::pem_file_iter(certificate)
        .with_context(what)?
        .collect::<Result<Vec<_>, _>>()
        .with_context(what)?;
    let key = PrivateKeyDer::from_pem_file(key)
        .with_context(|| format!("read the TLS key {}", key.display()))?;
    Ok((certificates, key))
}

/// Signs certificates. Made once and kept with the data.
struct Authority {
    issuer: Issuer<'static, KeyPair>,
    provider: Arc<CryptoProvider>,
    /// One key for all names: what a name adds is only the name.
    key: KeyPair,
    /// By name in lowercase; empty for clients that name none.
    signed: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl std::fmt::Debug for Authority {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

impl Authority {
    fn open(folder: &Path, provider: Arc<CryptoProvider>) -> anyhow::Result<Self> {
        let folder = folder.join("tls");
        let (certificate, key_file) = (folder.join("certificate.pem"), folder.join("key.pem"));
        let key = if certificate.exists() && key_file.exists() {
            let text = fs::read_to_string(&key_file)
                .with_context(|| format!("read {}", key_file.display()))?;
            KeyPair::from_pem(&text).with_context(|| format!("read {}", key_file.display()))?
        } else {
            let key = KeyPair::generate().context("make a key for TLS")?;
            let made = authority()
                .self_signed(&key)
                .context("make an authority for TLS")?;
            fs::create_dir_all(&folder).with_context(|| folder.display().to_string())?;
            write_private(&key_file, &key.serialize_pem())?;
            fs::write(&certificate, made.pem())
                .with_context(|| certificate.display().to_string())?;
            key
        };
        tracing::info!(
            "clients that are to trust this server over TLS find its authority in {}",
            certificate.display()
        );
        Ok(Self {
            issuer: Issuer::new(authority(), key),
            provider,
            key: KeyPair::generate().context("make a key for TLS")?,
            signed: Mutex::default(),
        })
    }

    fn certificate(&self, name: &str) -> anyhow::Result<Arc<CertifiedKey>> {
        if let Some(signed) = self.signed.lock().get(name) {
            return Ok(Arc::clone(signed));
        }
        let names = match name {
            "" => DEFAULT_NAMES.map(str::to_owned).to_vec(),
            name => vec![name.to_owned()],
        };
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, "Kagero");
        let signed = params.signed_by(&self.key, &self.issuer)?;
        let key = PrivatePkcs8KeyDer::from(self.key.serialize_der());
        let key = self.provider.key_provider.load_private_key(key.into())?;
        let chain = vec![signed.der().clone()];
        let signed = Arc::new(CertifiedKey::new(chain, key));
        let mut all = self.signed.lock();
        if all.len() >= MOST_NAMES {
            all.clear();
        }
        all.insert(name.to_owned(), Arc::clone(&signed));
        Ok(signed)
    }
}

impl ResolvesServerCert for Authority {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let name = hello.server_name().unwrap_or_default().to_ascii_lowercase();
        self.certificate(&name)
            .inspect_err(|error| tracing::debug!(%error, name, "sign a TLS certificate"))
            .ok()
    }
}

fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    let name = "Kagero's authority on this machine";
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    let what = || path.display().to_string();
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).with_context(what)?;
    file.write_all(text.as_bytes()).with_context(what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_authority_is_kept_and_signs_for_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let tls = Tls {
            listen: "127.0.0.1:0".parse().unwrap(),
            own: None,
        };
        assert!(acceptor(&tls, folder.path()).is_ok());
        let certificate = folder.path().join("tls/certificate.pem");
        let first = fs::read(&certificate).unwrap();
        assert!(acceptor(&tls, folder.path()).is_ok());
        assert_eq!(first, fs::read(&certificate).unwrap());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let authority = Authority::open(folder.path(), provider).unwrap();
        for name in ["", "abc.execute-api.eu-west-1.localhost", "api.example.org"] {
            let one = authority.certificate(name).unwrap();
            assert!(Arc::ptr_eq(&one, &authority.certificate(name).unwrap()));
        }
        // A key that is none.
        let own = crate::config::Certificate {
            key: certificate.clone(),
            certificate,
        };
        let own = Tls {
            own: Some(own),
            ..tls
        };
        assert!(acceptor(&own, folder.path()).is_err());
    }
}
