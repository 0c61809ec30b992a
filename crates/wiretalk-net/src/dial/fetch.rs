//! Plain HTTP over the ways that lead to servers: a small document, or a request and its answer.

use std::{
    future::{Future, poll_fn},
    pin::pin,
    task::Poll,
};

use bytes::{Bytes, BytesMut};
use http::{header, uri::InvalidUri};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;

use super::{Connector, Deadline, Timings, http2::Http2, tls, url::Target};
use crate::error::{Blame, Error, ErrorKind};

impl Connector {
    /// Fetches a document by `GET`, of so many bytes at most: keys to check tokens with, say. It goes the way that
    /// WebSockets go, with the same roots and proxies; [`Config::handshake_timeout`](crate::Config::handshake_timeout)
    /// holds for all of it. No redirect is followed, and no cookie sent. Needs the feature `fetch`.
    ///
    /// Dropping the future ends the connection.
    ///
    /// ```
    /// use wiretalk_net::Connector;
    /// use wiretalk_net::server::{Listener, Reply, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), wiretalk_net::Error> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("http://{}/keys", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     while let Ok(incoming) = listener.accept().await {
    ///         let serve = async |_| Reply::text(200, "four keys");
    ///         tokio::spawn(serve_connection(incoming, ServeOptions::default(), serve));
    ///     }
    /// });
    /// assert_eq!(Connector::new().fetch(&url, 100).await?, "four keys");
    /// assert!(Connector::new().fetch(&url, 3).await.is_err(), "it is longer");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for a WebSocket; `Handshake` for any status but 200, and for a document that is too long.
    pub async fn fetch(&self, url: &str, most: usize) -> Result<Bytes, Error> {
        let target = Target::parse(url)?;
        let request = http::Request::get(&target.resource)
            .header(header::ACCEPT, "application/json, */*;q=0.5")
            .body(Bytes::new())
            .map_err(|error| Error::invalid(error.to_string()))?;
        let wanted = |status| status == http::StatusCode::OK;
        let response = self.answer(&target, request, most, wanted).await?;
        Ok(response.into_body())
    }

    /// Sends a request by plain HTTP to the URL that it names, and gives the answer, whatever its status, with a document of
    /// so many bytes at most. For all else it is as [`fetch`](Connector::fetch). A `Host` that is given is sent as it is.
    ///
    /// Dropping the future ends the connection; whether the server has acted by then, nobody knows.
    ///
    /// ```
    /// use wiretalk_net::Connector;
    /// use wiretalk_net::server::{Listener, Reply, ServeOptions, serve_connection};
    ///
    /// # #[tokio::main(flavor = "current_thread")]
    /// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let listener = Listener::bind("127.0.0.1:0", None).await?;
    /// let url = format!("http://{}/spans", listener.local_addr()?);
    /// tokio::spawn(async move {
    ///     while let Ok(incoming) = listener.accept().await {
    ///         let serve = async |request: wiretalk_net::server::Request| {
    ///             Reply::text(202, format!("{} {}", request.method, request.uri))
    ///         };
    ///         tokio::spawn(serve_connection(incoming, ServeOptions::default(), serve));
    ///     }
    /// });
    /// let request = http::Request::post(url).body("one span".into())?;
    /// let answer = Connector::new().exchange(request, 100).await?;
    /// assert_eq!((answer.status().as_u16(), &answer.body()[..]), (202, &b"POST /spans"[..]));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As for a WebSocket; `Handshake` for an answer that is none or too long.
    pub async fn exchange(
        &self,
        mut request: http::Request<Bytes>,
        most: usize,
    ) -> Result<http::Response<Bytes>, Error> {
        let target = Target::parse(&request.uri().to_string())?;
        let resource = target.resource.parse();
        *request.uri_mut() = resource.map_err(|error: InvalidUri| {
            let sentence = format!("`{}` cannot be asked for: {error}", target.resource);
            Error::invalid(sentence)
        })?;
        self.answer(&target, request, most, |_| true).await
    }

    async fn answer(
        &self,
        target: &Target,
        request: http::Request<Bytes>,
        most: usize,
        wanted: impl Fn(http::StatusCode) -> bool,
    ) -> Result<http::Response<Bytes>, Error> {
        let deadline = Deadline::from_now(self.config.handshake_timeout);
        let name = target.name();
        let late = |limit| {
            let what = format_args!("{name} did not give the document");
            Error::timeout(Blame::Peer, what, limit)
        };
        let answer = self.ask(target, request, (most, wanted), deadline);
        deadline.within(answer, late).await?
    }

    async fn ask(
        &self,
        target: &Target,
        mut request: http::Request<Bytes>,
        (most, wanted): (usize, impl Fn(http::StatusCode) -> bool),
        deadline: Deadline,
    ) -> Result<http::Response<Bytes>, Error> {
        let name = target.name();
        let mut stream = self
            .reach(target, deadline, &mut Timings::default())
            .await?;
        if target.secure {
            let peer = tls::Peer {
                host: &target.host,
                authority: &name,
                part: tls::Part::Server,
            };
            let secured = self.secure(stream, peer, Http2::Off.alpn(), deadline);
            (stream, _) = secured.await?;
        }
        let failed = |error: hyper::Error| {
            let sentence = format!("{name} did not give the document: {error}");
            Error::with_source(ErrorKind::Handshake, Blame::Peer, sentence, error)
        };
        let handshake = http1::handshake(TokioIo::new(stream)).await;
        let (mut sender, connection) = handshake.map_err(failed)?;
        if let header::Entry::Vacant(host) = request.headers_mut().entry(header::HOST) {
            let authority = http::HeaderValue::try_from(&target.authority);
            host.insert(authority.map_err(|error| Error::invalid(error.to_string()))?);
        }
        let request = request.map(Full::new);
        let document = async {
            let response = sender.send_request(request).await.map_err(failed)?;
            let (head, mut body) = response.into_parts();
            if !wanted(head.status) {
                let status = head.status;
                return Err(Error::handshake(format!(
                    "{name} answered with {status} instead of the document"
                )));
            }
            let mut document = BytesMut::new();
            while let Some(frame) = body.frame().await {
                let Ok(data) = frame.map_err(failed)?.into_data() else {
                    continue;
                };
                if data.len() > most - document.len() {
                    return Err(Error::handshake(format!(
                        "what {name} gives is longer than {most} bytes"
                    )));
                }
                document.extend_from_slice(&data);
            }
            Ok(http::Response::from_parts(head, document.freeze()))
        };
        let (mut document, mut connection) = (pin!(document), pin!(connection));
        let mut ended = false;
        poll_fn(|cx| {
            if let Poll::Ready(document) = document.as_mut().poll(cx) {
                return Poll::Ready(document);
            }
            if ended || connection.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            ended = true;
            // What the connection had to say comes out as an error of the request.
            document.as_mut().poll(cx)
        })
        .await
    }
}
