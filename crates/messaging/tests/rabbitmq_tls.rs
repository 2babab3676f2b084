//! TLS to a real server with certificates of our own authority: the good one is taken, one for another host and
//! one that has expired are refused with a sentence that says so.

#[path = "../../../tests/certificates.rs"]
mod certificates;
mod rabbit;

use std::{fs, sync::Arc};

use certificates::{Certificates, Flaw, complaint};
use clock::SystemClock;
use messaging::{RabbitBroker, RabbitSettings};
use rabbit::server::{Server, port};

/// Above the port of the shared server.
const OFFSET: u16 = 22;
const TLS_OFFSET: u16 = 28;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_checked_for_its_authority_its_host_and_its_time() {
    let _other_tests_may_have = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let certificates = Certificates::new();
    let (certificate, key) =
        (certificates.folder().join("server.crt"), certificates.folder().join("server.key"));
    let present = |flaw| {
        fs::copy(certificates.certificate(flaw), &certificate).expect("copies");
        fs::copy(certificates.key(flaw), &key).expect("copies");
    };
    present(Flaw::Nothing);
    let server = Server::start_with(
        OFFSET,
        &format!(
            "listeners.ssl.1 = 127.0.0.1:{}\nssl_options.certfile = {}\nssl_options.keyfile = {}\n\
             ssl_options.cacertfile = {}\nssl_options.verify = verify_none",
            port(TLS_OFFSET),
            certificate.display(),
            key.display(),
            certificates.authority_file().display(),
        ),
    );
    for flaw in [Flaw::Nothing, Flaw::WrongName, Flaw::Expired] {
        present(flaw);
        server.ctl(&["eval", "ssl:clear_pem_cache()."]);
        let stranger = Certificates::new().authority;
        let (connected, as_stranger) = tokio::join!(connect(&certificates.authority), connect(&stranger));
        let told = as_stranger.expect_err("a certificate of another authority");
        assert!(told.contains("invalid peer certificate"), "{told}");
        match flaw {
            Flaw::Nothing => connected.expect("a good certificate"),
            bad => {
                let told = connected.expect_err("a bad certificate");
                assert!(told.contains(complaint(bad)), "{bad:?}: {told}");
            }
        }
    }
}

/// Connects with TLS; the reason with all its causes, if that fails.
async fn connect(certificate_authority: &str) -> Result<(), String> {
    let url = format!("amqps://guest:guest@localhost:{}/%2f", port(TLS_OFFSET));
    let certificate_authority = Some(certificate_authority.to_owned());
    let settings = RabbitSettings { certificate_authority, ..RabbitSettings::new(url, "test") };
    let broker = RabbitBroker::start(settings, Arc::new(SystemClock)).expect("the settings are right");
    broker.until_connected().await.map_err(|fault| format!("{:#}", anyhow::Error::from(fault)))
}
