//! The options of `wiretalk connect` and `wiretalk test`: that each does what it says.

use std::fs;

use wiretalk_interop::{Authority, Counterpart, Finished, Leaf, Pair, Program, Server};

/// Sends a line to where the arguments lead, and waits for the answer.
fn connect(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let connect = Program::wiretalk().args(["connect", "-x", "hello", "-n", "1"]);
    let connect = variables
        .iter()
        .fold(connect.args(arguments), |connect, (name, value)| {
            connect.env(name, value)
        });
    connect.finish("")
}

/// The echo must have answered.
fn echoed(arguments: &[&str], variables: &[(&str, &str)]) -> Finished {
    let came = connect(arguments, variables).with_code(0);
    assert_eq!(came.out(), "hello\n");
    came
}

/// An echo behind nginx with TLS that asks for a client certificate, but does not insist.
struct Site {
    authority: Authority,
    me: Pair,
    url: String,
    _nginx: Counterpart,
    _echo: Server,
}

impl Site {
    fn new() -> Self {
        let authority = Authority::new("an authority");
        let server = authority.issue("server", &Leaf::server(&["127.0.0.1", "chat.example"]));
        let me = authority.issue("me", &Leaf::client("me"));
        let echo = Server::peer("server.py", &["echo"]);
        let nginx = Counterpart::nginx(&format!(
            "listen 127.0.0.1:{{port}} ssl; ssl_certificate {}; ssl_certificate_key {};
             ssl_protocols TLSv1.2 TLSv1.3; ssl_client_certificate {}; ssl_verify_client optional;
             location /me {{ if ($ssl_client_verify != SUCCESS) {{ return 403; }} {upgrade} proxy_pass {backend}; }}
             location / {{ {upgrade} proxy_pass {backend}; }}",
            server.cert(),
            server.key(),
            authority.cert().display(),
            upgrade = Counterpart::NGINX_UPGRADE,
            backend = echo.http(),
        ));
        Self {
            authority,
            me,
            url: nginx.url("wss"),
            _nginx: nginx,
            _echo: echo,
        }
    }

    fn ca(&self) -> String {
        self.authority.cert().display().to_string()
    }
}

#[test]
fn whom_to_believe() {
    let site = Site::new();
    let (url, ca) = (site.url.as_str(), site.ca());
    for trust in [
        &["--ca", &ca][..],
        &["--cacert", &ca, "--no-system-ca", "--tlsv1.3"],
        &["--ca", &ca, "--tls-max", "1.2", "--no-sni"],
        &["--ca", &ca, "--servername", "chat.example"],
    ] {
        let came = echoed(&[&[url], trust].concat(), &[]);
        assert!(!came.err().contains("warning"), "{}", came.err());
    }
    let came = echoed(&[url, "-k"], &[]);
    let warning = "warning: certificates are not verified (--insecure)";
    let _ = came.saying(&[warning]);

    let came = connect(
        &[url, "-k", "--pin", &format!("sha256//{}=", "A".repeat(43))],
        &[],
    );
    let came = came.with_code(4);
    let said = came.err();
    let pin = said.split_whitespace().last().expect("the pin that came");
    assert!(pin.starts_with("sha256//"), "{said}");
    for trust in [&["-k"][..], &["--ca", &ca]] {
        let came = echoed(&[&[url, "--pinnedpubkey", pin], trust].concat(), &[]);
        assert!(!came.err().contains("warning"), "{}", came.err());
    }

    let refused = [
        (&[url][..], "it is signed by nobody that is known here"),
        (
            &[url, "--ca", &ca, "--servername", "other.example"],
            "it is for 127.0.0.1, chat.example, not for other.example",
        ),
    ];
    for (arguments, sentence) in refused {
        let _ = connect(arguments, &[]).with_code(4).saying(&[sentence]);
    }
}

#[test]
fn who_we_are() {
    const PASSPHRASE: &str = "correct horse";
    let site = Site::new();
    let (url, ca) = (format!("{}me", site.url), site.ca());
    let (cert, key) = (site.me.cert(), site.me.key());
    let file = |name: &str| site.authority.file(name).display().to_string();
    let (encrypted, p12, both) = (file("encrypted.key"), file("me.p12"), file("both.pem"));
    let pass = format!("pass:{PASSPHRASE}");
    for arguments in [
        &[
            "pkcs8", "-topk8", "-in", &key, "-out", &encrypted, "-passout", &pass,
        ][..],
        &[
            "pkcs12", "-export", "-in", &cert, "-inkey", &key, "-out", &p12, "-passout", &pass,
        ],
    ] {
        let openssl = Program::system("openssl").args(arguments);
        let _ = openssl.finish("").with_code(0);
    }
    let text = |path: &str| fs::read_to_string(path).expect("it was written");
    fs::write(&both, text(&cert) + &text(&key)).expect("it is written");

    let with_passphrase = format!("{p12}:{PASSPHRASE}");
    let environment = [("WIRETALK_PASSPHRASE", PASSPHRASE)];
    let nothing: &[(&str, &str)] = &[];
    for (arguments, variables) in [
        (&["--cert", &cert, "--key", &key][..], nothing),
        (&["--cert", &both], nothing),
        (
            &["--cert", &cert, "--key", &encrypted, "--pass", PASSPHRASE],
            nothing,
        ),
        (&["--cert", &cert, "--key", &encrypted], &environment),
        (&["--cert", &with_passphrase], nothing),
        (&["--cert", &p12], &environment),
    ] {
        let _ = echoed(&[&[&url, "--ca", &ca], arguments].concat(), variables);
    }
    let _ = connect(&[&url, "--ca", &ca], &[]).with_code(5);

    for (arguments, sentence) in [
        (&["--cert", &cert][..], "there is no private key"),
        (
            &["--cert", &cert, "--key", &encrypted],
            "wants its passphrase: `--passphrase`, or $WIRETALK_PASSPHRASE",
        ),
        (
            &["--cert", &p12, "--pass", "wrong"],
            "the passphrase of the PKCS#12 file is wrong",
        ),
        (&["--cert", &p12, "--key", &key], "is not PEM"),
        (&["--cert", &file("none")], "cannot read"),
        (&["--key", &key], "--cert"),
        (
            &["--tls-min", "1.3", "--tls-max", "1.2"],
            "no version of TLS",
        ),
        (&["--pin", "sha256//abc"], "is no pin"),
        (&["--key-log"], "SSLKEYLOGFILE"),
    ] {
        let arguments = [&[&url, "--ca", &ca], arguments].concat();
        let came = connect(&arguments, &[]).with_code(2).saying(&[sentence]);
        assert!(!came.err().contains(PASSPHRASE));
    }

    // `test` takes the same options.
    let talk = file("me.talk");
    fs::write(&talk, format!("connect {url}\n> hello\n< hello\n")).expect("it is written");
    let test = |arguments: &[&str]| {
        Program::wiretalk()
            .args(["test", &talk])
            .args(arguments)
            .finish("")
    };
    let _ = test(&["--ca", &ca, "--cert", &with_passphrase]).with_code(0);
    let _ = test(&["--ca", &ca]).with_code(1);
    let insecure = test(&["-k", "--cert", &with_passphrase]).with_code(0);
    let _ = insecure.saying(&["warning: certificates are not verified (--insecure)"]);
}

#[test]
fn keys_are_logged_only_on_request() {
    let site = Site::new();
    let (url, ca) = (site.url.as_str(), site.ca());
    let log = site.authority.file("keys.log");
    let variables = [("SSLKEYLOGFILE", log.to_str().expect("UTF-8"))];
    let _ = echoed(&[url, "--ca", &ca], &variables);
    assert!(!log.exists());
    let _ = echoed(&[url, "--ca", &ca, "--key-log"], &variables);
    let keys = fs::read_to_string(&log).expect("it was written");
    assert!(keys.contains("CLIENT_TRAFFIC_SECRET_0 "), "{keys}");
}

#[test]
fn each_step_is_told() {
    let site = Site::new();
    let came = echoed(&[&site.url, "--ca", &site.ca(), "-v"], &[]);
    let _ = came.saying(&[
        "TCP connected to 127.0.0.1:",
        "TLS 1.3 with TLS_",
        "ALPN http/1.1: certificate for 127.0.0.1 verified, sha256//",
        "client certificate asked for in ",
        "upgraded by HTTP/1.1 101 in ",
        "all of it in ",
    ]);
}

#[test]
fn proxies() {
    let echo = Server::peer("server.py", &["echo"]);
    let url = echo.url();
    let tinyproxy = Counterpart::tinyproxy("BasicAuth user secret");
    let microsocks = Counterpart::microsocks(&[]);
    let http = tinyproxy.url("http").replace("//", "//user:secret@");
    let socks = microsocks.url("socks5");
    for proxy in [&http, &socks] {
        let came = echoed(&[&url, "-v", "--proxy", proxy], &[]);
        let came = came.saying(&["tunnel made by the proxy in "]);
        assert!(!came.err().contains("secret"), "{}", came.err());
    }
    let direct = echoed(
        &[&url, "-v", "--proxy", &socks, "--noproxy", "127.0.0.1"],
        &[],
    );
    assert!(!direct.err().contains("tunnel"), "{}", direct.err());

    // Of the environment; but this machine is behind no proxy.
    let far = format!("ws://chat.example:{}/", echo.port());
    let here = format!("chat.example:{}:127.0.0.1", echo.port());
    let variables = [("all_proxy", socks.as_str())];
    let came = echoed(&[&far, "-v", "--resolve", &here], &variables);
    let _ = came.saying(&["tunnel made by the proxy in "]);
    for (url, more) in [(&url, vec![]), (&far, vec![("NO_PROXY", "*")])] {
        let variables = [&variables[..], &more].concat();
        let came = echoed(&[url, "-v", "--resolve", &here], &variables);
        assert!(!came.err().contains("tunnel"), "{}", came.err());
    }

    let denied = connect(&[&url, "--proxy", &tinyproxy.url("http")], &[]);
    let _ = denied.with_code(3).saying(&["407"]);
    let bad = connect(
        &[&far],
        &[("http_proxy", "gopher://user:secret@proxy.example")],
    );
    let bad = bad.with_code(2).saying(&["http_proxy"]);
    assert!(!bad.err().contains("secret"), "{}", bad.err());
}

#[test]
fn elsewhere_than_the_url_says() {
    let folder = tempfile::tempdir().expect("a folder");
    let socket = folder.path().join("echo.sock").display().to_string();
    let unix = Server::peer("server.py", &["echo", "--unix", &socket]);
    let _ = echoed(&["ws://chat.example/", "--unix-socket", &socket], &[]);
    let came = echoed(&[&format!("ws+unix://{socket}:/"), "-v"], &[]);
    let _ = came.saying(&["Unix socket connected in "]);
    drop(unix);

    let echo = Server::peer("server.py", &["echo"]);
    let port = echo.port();
    let far = "ws://chat.example/";
    let _ = echoed(&[far, "--connect-to", &format!("::127.0.0.1:{port}")], &[]);
    let resolved = format!("chat.example:{port}:127.0.0.1");
    let far = format!("ws://chat.example:{port}/");
    let _ = echoed(&[&far, "-4", "--resolve", &resolved], &[]);
    let _ = connect(&[&far, "-6", "--resolve", &resolved], &[]).with_code(3);
}

#[test]
fn redirects() {
    let echo = Server::peer("server.py", &["echo"]);
    let nginx = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}}; location /old {{ return 302 /new; }} location /loop {{ return 302 /loop; }}
         location / {{ {} proxy_pass {}; }}",
        Counterpart::NGINX_UPGRADE,
        echo.http()
    ));
    let url = nginx.url("ws");
    let (old, again) = (format!("{url}old"), format!("{url}loop"));
    let came = echoed(&[&old, "-L", "-v"], &[]);
    let _ = came.saying(&[
        &format!("{old} answered 302 in "),
        &format!("on to {url}new"),
    ]);
    let _ = connect(&[&old], &[]).with_code(5).saying(&["302"]);
    let stopped = connect(&[&again, "--location", "--max-redirs", "3"], &[]);
    let _ = stopped.with_code(5).saying(&["more than 3 redirects"]);
}

#[test]
fn http2() {
    let authority = Authority::new("an authority");
    let pair = authority.issue("server", &Leaf::server(&["127.0.0.1"]));
    let both = authority.file("both.pem").display().to_string();
    let text = |path| fs::read_to_string(path).expect("it was written");
    fs::write(&both, text(&pair.cert) + &text(&pair.key)).expect("it is written");
    let echo = Server::peer("server.py", &["echo"]);
    let backend = format!("backend back\n server one 127.0.0.1:{}", echo.port());
    let haproxy = |bind: &str| {
        Counterpart::haproxy(&format!(
            "frontend front\n bind 127.0.0.1:{{port}} {bind}\n default_backend back\n{backend}"
        ))
    };
    let ca = authority.cert().display().to_string();
    let over_tls = haproxy(&format!("ssl crt {both} alpn h2,http/1.1"));
    let plain = haproxy("proto h2");
    let old = haproxy(&format!("ssl crt {both} alpn http/1.1"));
    // It speaks HTTP/2, but does not do WebSockets over it.
    let nginx = Counterpart::nginx(&format!(
        "listen 127.0.0.1:{{port}} ssl http2; ssl_certificate {both}; ssl_certificate_key {both};
         location / {{ {} proxy_pass {}; }}",
        Counterpart::NGINX_UPGRADE,
        echo.http()
    ));
    let only = "--http2-prior-knowledge";
    for (url, option, answer) in [
        (over_tls.url("wss"), "--http2", "HTTP/2.0 200"),
        (over_tls.url("wss"), only, "HTTP/2.0 200"),
        (plain.url("ws"), only, "HTTP/2.0 200"),
        (old.url("wss"), "--http2", "HTTP/1.1 101"),
        (nginx.url("wss"), "--http2", "HTTP/1.1 101"),
    ] {
        let came = echoed(&[&url, "--ca", &ca, "-v", option], &[]);
        let _ = came.saying(&[&format!("upgraded by {answer} in ")]);
    }
    for (server, sentence) in [
        (&old, "did not choose HTTP/2"),
        (&nginx, "takes no WebSocket over it"),
    ] {
        let came = connect(&[&server.url("wss"), "--ca", &ca, only], &[]);
        let _ = came.with_code(5).saying(&[sentence]);
    }
}
