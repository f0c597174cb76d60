//! Files that are no certificate are refused by name; one for development is made once.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use super::*;

/// A folder of a test's own, removed when dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("worldshard-{name}-{}", std::process::id());
        let path = std::env::temp_dir().join(name);
        let _ = fs::remove_dir_all(&path);
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[test]
fn a_certificate_for_development_is_made_once_for_its_owner_alone() {
    let folder = Folder::new("dev-certificate");
    // The folder is made too.
    let inner = folder.0.join("inner");
    let first = Certificates::load(&TlsOptions::dev(&inner)).unwrap();
    let print = first.fingerprint();
    assert_eq!(print.len(), 32 * 3 - 1, "{print}");
    first.reload().unwrap();
    assert_eq!(first.fingerprint(), print);
    let again = Certificates::load(&TlsOptions::dev(&inner)).unwrap();
    assert_eq!(again.fingerprint(), print);
    for file in [&again.certificate, &again.key] {
        let mode = fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }
    // Half of it is none: wherever the process before it ended.
    fs::remove_file(&again.key).unwrap();
    let other = Certificates::load(&TlsOptions::dev(&inner)).unwrap();
    assert_ne!(other.fingerprint(), print);
    fs::remove_file(&again.certificate).unwrap();
    Certificates::load(&TlsOptions::dev(&inner)).unwrap();
}

#[test]
fn a_folder_that_cannot_be_made_is_named() {
    let folder = Folder::new("dev-obstacle");
    fs::write(&folder.0, "a file").unwrap();
    let error = Certificates::load(&TlsOptions::dev(folder.0.join("inner")));
    let told = error.err().unwrap().to_string();
    assert!(told.contains("dev-obstacle"), "{told}");
    fs::remove_file(&folder.0).unwrap();
}

#[test]
fn files_that_are_no_certificate_or_not_its_key_are_named_with_what_is_wrong() {
    let folder = Folder::new("bad-certificates");
    let [one, other] = ["one", "other"].map(|name| {
        let kept = TlsOptions::dev(folder.0.join(name));
        let kept = Certificates::load(&kept).unwrap();
        (kept.certificate, kept.key)
    });
    let write = |name: &str, text: &str| {
        let path = folder.0.join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let pem = fs::read_to_string(&one.0).unwrap();
    let absent = folder.0.join("absent.pem");
    let empty = write("empty.pem", "");
    let text = write("text.pem", "not a certificate\n");
    let cut = write("cut.pem", &pem[..pem.len() / 2]);
    let damaged = write("damaged.pem", &pem.replacen("MI", "!!", 1));
    let begin = "-----BEGIN CERTIFICATE-----\n";
    let no_der = format!("{begin}AAAA\n-----END CERTIFICATE-----\n");
    let no_der = write("no-der.pem", &no_der);
    let no_key = "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n";
    let no_key = write("no-key.pem", no_key);
    for (certificate, key, option, bad, why) in [
        (&absent, &one.1, "tls_cert", &absent, "No such file"),
        (&empty, &one.1, "tls_cert", &empty, "no certificate"),
        (&text, &one.1, "tls_cert", &text, "no certificate"),
        (&one.1, &one.1, "tls_cert", &one.1, "no certificate"),
        (&cut, &one.1, "tls_cert", &cut, "breaks off"),
        (&damaged, &one.1, "tls_cert", &damaged, "not base64"),
        (&no_der, &one.1, "tls_cert", &no_der, "cannot be read"),
        (&one.0, &absent, "tls_key", &absent, "No such file"),
        (&one.0, &one.0, "tls_key", &one.0, "no private key"),
        (&one.0, &no_key, "tls_key", &no_key, "cannot be used"),
        (&one.0, &other.1, "tls_key", &other.1, "not the key of"),
    ] {
        let refused = Certificates::load(&TlsOptions::files(certificate, key));
        let told = refused.err().unwrap().to_string();
        let begins = format!("{option}: {}: ", bad.display());
        assert!(told.starts_with(&begins) && told.contains(why), "{told}");
    }
}

#[test]
fn a_bad_file_read_again_leaves_the_certificate_as_it_was() {
    let folder = Folder::new("reloaded-certificate");
    let kept = Certificates::load(&TlsOptions::dev(&folder.0)).unwrap();
    let print = kept.fingerprint();
    let other = Certificates::load(&TlsOptions::dev(folder.0.join("other"))).unwrap();
    fs::copy(&other.certificate, &kept.certificate).unwrap();
    let told = kept.reload().unwrap_err().to_string();
    assert!(told.contains("not the key of"), "{told}");
    assert_eq!(kept.fingerprint(), print);
    fs::copy(&other.key, &kept.key).unwrap();
    kept.reload().unwrap();
    assert_eq!(kept.fingerprint(), other.fingerprint());
}
