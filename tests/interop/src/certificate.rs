//! Certificates for servers that speak TLS.

use std::fs;
use std::path::Path;

use crate::Program;

/// A certificate for 127.0.0.1, signed by itself, and its key: the names of two PEM files in that folder.
#[must_use]
pub fn certificate(folder: &Path) -> (String, String) {
    let name = |file: &str| {
        let path = folder.join(file);
        path.to_str().expect("its name is UTF-8").to_owned()
    };
    let (cert, key) = (name("cert.pem"), name("key.pem"));
    let config = name("openssl.cnf");
    fs::write(
        &config,
        "[req]\ndistinguished_name = who\nx509_extensions = what\nprompt = no\n[who]\nCN = 127.0.0.1\n\
         [what]\nsubjectAltName = IP:127.0.0.1\nbasicConstraints = critical, CA:false\n",
    )
    .expect("it is written");
    let made = Program::system("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ])
        .args([
            "-days", "2", "-config", &config, "-out", &cert, "-keyout", &key,
        ])
        .finish("");
    let _ = made.with_code(0);
    (cert, key)
}
