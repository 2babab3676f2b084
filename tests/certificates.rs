//! Certificates of an authority of the tests' own: a good one, one for another host, and one that has expired.

#![allow(dead_code, reason = "each test file uses its part")]

use std::{
    fs,
    path::{Path, PathBuf},
};

use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, date_time_ymd};
use tempfile::TempDir;

/// A folder of certificates, deleted at its end.
pub(crate) struct Certificates {
    folder: TempDir,
    /// What clients are to trust, in PEM.
    pub(crate) authority: String,
}

/// What is wrong with a server's certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Flaw {
    Nothing,
    WrongName,
    Expired,
}

impl Certificates {
    /// A fresh authority with one certificate of each kind, all for the host `localhost` except the flawed one.
    pub(crate) fn new() -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut authority = CertificateParams::new(Vec::new()).expect("no names");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let certificate = authority.self_signed(&key).expect("signs itself");
        let issuer = Issuer::new(authority, key);
        let certificates =
            Self { folder: tempfile::tempdir().expect("a folder"), authority: certificate.pem() };
        for flaw in [Flaw::Nothing, Flaw::WrongName, Flaw::Expired] {
            let name = if flaw == Flaw::WrongName { "elsewhere.example" } else { "localhost" };
            let mut server = CertificateParams::new(vec![name.to_owned()]).expect("a name");
            if flaw == Flaw::Expired {
                (server.not_before, server.not_after) =
                    (date_time_ymd(2020, 1, 1), date_time_ymd(2021, 1, 1));
            }
            let key = KeyPair::generate().expect("a key");
            let signed = server.signed_by(&key, &issuer).expect("is signed");
            fs::write(certificates.certificate(flaw), signed.pem()).expect("writes");
            fs::write(certificates.key(flaw), key.serialize_pem()).expect("writes");
        }
        fs::write(certificates.authority_file(), &certificates.authority).expect("writes");
        certificates
    }

    /// The file of a server's certificate.
    pub(crate) fn certificate(&self, flaw: Flaw) -> PathBuf {
        self.path(&format!("{flaw:?}.crt"))
    }

    /// The file of its key.
    pub(crate) fn key(&self, flaw: Flaw) -> PathBuf {
        self.path(&format!("{flaw:?}.key"))
    }

    /// The file of the authority's certificate.
    pub(crate) fn authority_file(&self) -> PathBuf {
        self.path("authority.crt")
    }

    /// The folder of all of them.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// What a client must say about a flaw.
pub(crate) fn complaint(flaw: Flaw) -> &'static str {
    match flaw {
        Flaw::Nothing => "",
        Flaw::WrongName => "not valid for name",
        Flaw::Expired => "expired",
    }
}
