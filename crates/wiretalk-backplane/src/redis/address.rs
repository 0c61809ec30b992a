//! Where Redis is: one server, a cluster of which one node has the log, or a master that sentinels name.

use std::fs;
use std::time::Duration;

use ::redis::aio::{MultiplexedConnection, PubSub};
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo, RedisError,
    TlsCertificates,
};
use percent_encoding::percent_decode_str;

use crate::broker::BrokerError;
use crate::url::{Parts, UrlError};

const SCHEMES: [&str; 6] = [
    "redis",
    "rediss",
    "redis+cluster",
    "rediss+cluster",
    "redis+sentinel",
    "rediss+sentinel",
];
const PORT: u16 = 6379;
const SENTINEL_PORT: u16 = 26379;
/// A server has so long for a connection, and for each answer.
const CONNECT_LIMIT: Duration = Duration::from_secs(3);
const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// A cluster sends on to where the log is, which takes one step, or two while it moves.
const MOST_STEPS: usize = 5;

/// A host and a port.
type Place = (String, u16);

/// What the URL asks for beside the place.
#[derive(Debug, Default)]
pub(super) struct Options {
    pub(super) history: Option<String>,
    pub(super) bytes: u64,
}

/// What the URL says.
pub(super) struct Address {
    /// The servers, or the sentinels.
    places: Vec<Place>,
    /// The name of the master, if the places are sentinels.
    master: Option<String>,
    login: Login,
    /// How to log in to the sentinels, which share nothing with their master but TLS.
    sentinel: Login,
}

/// How to log in.
#[derive(Clone, Default)]
struct Login {
    is_tls: bool,
    ca: Option<Vec<u8>>,
    user: Option<String>,
    password: Option<String>,
    database: i64,
}

impl std::fmt::Debug for Address {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Address")
            .field("places", &self.places)
            .field("master", &self.master)
            .finish_non_exhaustive()
    }
}

impl Address {
    pub(super) fn parse(url: &str, options: &mut Options) -> Result<Self, UrlError> {
        let (first, others) = split_hosts(url);
        let mut parts = Parts::parse(&first, &SCHEMES)?;
        options.history = parts.take("history");
        options.bytes = parts.bytes()?;
        let ca = parts.take("ca").map(|file| read_ca(&file)).transpose()?;
        let is_sentinel = parts.server.scheme().ends_with("+sentinel");
        let (sentinel_user, sentinel_password) = match is_sentinel {
            true => (parts.take("sentinel-user"), parts.take("sentinel-password")),
            false => (None, None),
        };
        parts.finish(match is_sentinel {
            true => "history, history-bytes, ca, sentinel-user, sentinel-password",
            false => "history, history-bytes, ca",
        })?;
        if sentinel_user.is_some() && sentinel_password.is_none() {
            return Err(UrlError::new("sentinel-user= needs sentinel-password="));
        }
        let url = &parts.server;
        let default_port = if is_sentinel { SENTINEL_PORT } else { PORT };
        let mut places = vec![(
            url.host_str()
                .unwrap_or_default()
                .trim_matches(['[', ']'])
                .to_owned(),
            url.port().unwrap_or(default_port),
        )];
        for other in others {
            places.push(place(&other, default_port)?);
        }
        if places.len() > 1 && !is_sentinel && !url.scheme().ends_with("+cluster") {
            return Err(UrlError::new(
                "many servers are a cluster: write redis+cluster://HOST:PORT,HOST:PORT",
            ));
        }
        let mut path = url.path().split('/').filter(|part| !part.is_empty());
        let master = match is_sentinel {
            true => Some(path.next().map(decode).ok_or_else(|| {
                UrlError::new(
                    "the master's name is missing: write redis+sentinel://HOST:PORT/MASTER",
                )
            })?),
            false => None,
        };
        let database = path.next().map(|number| {
            number
                .parse()
                .ok()
                .filter(|number| *number >= 0)
                .ok_or_else(|| UrlError::new("a database is a number: write redis://HOST:PORT/0"))
        });
        let database = database.transpose()?.unwrap_or(0);
        if path.next().is_some() {
            return Err(UrlError::new("the path goes on behind the database"));
        }
        let user = Some(decode(url.username())).filter(|user| !user.is_empty());
        let is_tls = url.scheme().starts_with("rediss");
        Ok(Self {
            places,
            master,
            sentinel: Login {
                is_tls,
                ca: ca.clone(),
                user: sentinel_user.filter(|user| !user.is_empty()),
                password: sentinel_password,
                database: 0,
            },
            login: Login {
                is_tls,
                ca,
                user,
                password: url.password().map(decode),
                database,
            },
        })
    }

    /// The node on which a key is.
    pub(super) async fn find(&self, key: &str) -> Result<Node, BrokerError> {
        let mut last = BrokerError::new("no server is named");
        for place in &self.places {
            let found = match &self.master {
                Some(master) => self.ask_sentinel(place, master).await,
                None => self.follow(place, key).await,
            };
            match found {
                Ok(node) => return Ok(node),
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Asks a server, and goes where a cluster sends it on to.
    async fn follow(&self, place: &Place, key: &str) -> Result<Node, BrokerError> {
        let mut node = self.node(place.clone());
        for _ in 0..MOST_STEPS {
            let mut connection = node.commands().await?;
            let asked = ::redis::cmd("HGET")
                .arg(key)
                .arg("epoch")
                .query_async::<Option<Vec<u8>>>(&mut connection)
                .await;
            let Err(error) = asked else {
                return Ok(node);
            };
            let Some((sent_on, _)) = error.redirect_node() else {
                return Err(node.said(&error));
            };
            let Some((host, port)) = sent_on.rsplit_once(':') else {
                return Err(node.wrong());
            };
            let Ok(port) = port.parse() else {
                return Err(node.wrong());
            };
            // Without a host: the same one.
            let host = match host.trim_matches(['[', ']']) {
                "" => node.place.0.clone(),
                host => host.to_owned(),
            };
            node = self.node((host, port));
        }
        Err(BrokerError::new(
            "the cluster sends on from node to node without an end",
        ))
    }

    async fn ask_sentinel(&self, place: &Place, master: &str) -> Result<Node, BrokerError> {
        let sentinel = Node {
            place: place.clone(),
            login: self.sentinel.clone(),
        };
        let mut connection = sentinel.commands().await?;
        let named = ::redis::cmd("SENTINEL")
            .arg("GET-MASTER-ADDR-BY-NAME")
            .arg(master)
            .query_async::<Option<(String, u16)>>(&mut connection)
            .await;
        let named = named.map_err(|error| sentinel.said(&error))?;
        named.map(|place| self.node(place)).ok_or_else(|| {
            BrokerError::new(format_args!(
                "the sentinel at {}:{} knows no master of the name {master}",
                place.0, place.1
            ))
        })
    }

    fn node(&self, place: Place) -> Node {
        Node {
            place,
            login: self.login.clone(),
        }
    }
}

/// One server.
pub(super) struct Node {
    place: Place,
    login: Login,
}

impl Node {
    /// A connection for commands, and one for messages.
    pub(super) async fn open(&self) -> Result<(MultiplexedConnection, PubSub), BrokerError> {
        let commands = self.commands().await?;
        let messages = self.client()?.get_async_pubsub().await;
        Ok((commands, messages.map_err(|error| self.said(&error))?))
    }

    async fn commands(&self) -> Result<MultiplexedConnection, BrokerError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_LIMIT))
            .set_response_timeout(Some(ANSWER_LIMIT));
        self.client()?
            .get_multiplexed_async_connection_with_config(&config)
            .await
            .map_err(|error| self.said(&error))
    }

    fn client(&self) -> Result<Client, BrokerError> {
        self.try_client().map_err(|error| self.said(&error))
    }

    fn try_client(&self) -> Result<Client, RedisError> {
        let (host, port) = self.place.clone();
        let login = &self.login;
        let address = match login.is_tls {
            false => ConnectionAddr::Tcp(host, port),
            true => ConnectionAddr::TcpTls {
                host,
                port,
                insecure: false,
                tls_params: None,
            },
        };
        let info: ConnectionInfo = address.into_connection_info()?;
        let mut redis = info.redis_settings().clone().set_db(login.database);
        if let Some(user) = &login.user {
            redis = redis.set_username(user);
        }
        if let Some(password) = &login.password {
            redis = redis.set_password(password);
        }
        let info = info.set_redis_settings(redis);
        if !login.is_tls {
            return Client::open(info);
        }
        // Whichever provider the program has chosen; ring, if it has chosen none.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: login.ca.clone(),
        };
        Client::build_with_tls(info, certificates)
    }

    /// An error, as a sentence without secrets: a server may repeat what it was told.
    pub(super) fn said(&self, error: &RedisError) -> BrokerError {
        let mut sentence = self.named(error);
        for secret in [&self.login.password].into_iter().flatten() {
            if !secret.is_empty() {
                sentence = sentence.replace(secret, "***");
            }
        }
        BrokerError::new(sentence)
    }

    pub(super) fn wrong(&self) -> BrokerError {
        BrokerError::new(self.named("it answered something else than was asked"))
    }

    pub(super) fn gone(&self) -> BrokerError {
        BrokerError::new(self.named("the connection has ended"))
    }

    fn named(&self, what: impl std::fmt::Display) -> String {
        let (host, port) = &self.place;
        format!("Redis at {host}:{port}: {what}")
    }
}

/// A URL with its first host only, and the other hosts.
fn split_hosts(url: &str) -> (String, Vec<String>) {
    let Some((scheme, rest)) = url.split_once("://") else {
        return (url.to_owned(), Vec::new());
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let (login, hosts) = match authority.rsplit_once('@') {
        Some((login, hosts)) => (format!("{login}@"), hosts),
        None => (String::new(), authority),
    };
    let mut hosts = hosts.split(',');
    let first = hosts.next().unwrap_or_default();
    let url = format!("{scheme}://{login}{first}{behind}");
    (url, hosts.map(str::to_owned).collect())
}

fn place(text: &str, default_port: u16) -> Result<Place, UrlError> {
    let wrong = || UrlError::new(format_args!("{text} is no server: write HOST:PORT"));
    // An address of version 6 stands in brackets.
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.ends_with(']') => (host, port.parse().map_err(|_| wrong())?),
        _ => (text, default_port),
    };
    let host = host.trim_matches(['[', ']']);
    if host.is_empty() {
        return Err(wrong());
    }
    Ok((host.to_owned(), port))
}

fn read_ca(file: &str) -> Result<Vec<u8>, UrlError> {
    fs::read(file).map_err(|error| UrlError::new(format_args!("ca={file} cannot be read: {error}")))
}

fn decode(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<Address, UrlError> {
        Address::parse(url, &mut Options::default())
    }

    #[test]
    fn places_are_read() {
        for (url, places, master, database) in [
            ("redis://h", vec![("h", 6379)], None, 0),
            ("rediss://u:p@h:1/7?history=no", vec![("h", 1)], None, 7),
            (
                "redis+cluster://:p@a:1,b,[::1]:3",
                vec![("a", 1), ("b", 6379), ("::1", 3)],
                None,
                0,
            ),
            (
                "redis+sentinel://a,b:2/my%20master/3",
                vec![("a", 26379), ("b", 2)],
                Some("my master"),
                3,
            ),
        ] {
            let address = parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
            let found: Vec<_> = address
                .places
                .iter()
                .map(|(host, port)| (&**host, *port))
                .collect();
            assert_eq!(found, places, "{url}");
            assert_eq!(address.master.as_deref(), master, "{url}");
            assert_eq!(address.login.database, database, "{url}");
        }
        let login = parse("rediss://us%40er:p%3Aw@h")
            .expect("it is right")
            .login;
        assert_eq!(login.user.as_deref(), Some("us@er"));
        assert_eq!(login.password.as_deref(), Some("p:w"));
        assert!(login.is_tls);
        let url = "redis+sentinel://ann:one@h/m?sentinel-user=eve%40home&sentinel-password=t%26wo";
        let address = parse(url).expect("it is right");
        assert_eq!(address.login.user.as_deref(), Some("ann"));
        assert_eq!(address.login.password.as_deref(), Some("one"));
        assert_eq!(address.sentinel.user.as_deref(), Some("eve@home"));
        assert_eq!(address.sentinel.password.as_deref(), Some("t&wo"));
    }

    #[test]
    fn what_is_wrong_is_said() {
        for (url, said) in [
            (
                "redis://a:1,b:2",
                "many servers are a cluster: write redis+cluster://HOST:PORT,HOST:PORT",
            ),
            (
                "redis+cluster://a:1,b:x",
                "b:x is no server: write HOST:PORT",
            ),
            (
                "redis://h/one",
                "a database is a number: write redis://HOST:PORT/0",
            ),
            ("redis://h/1/2", "the path goes on behind the database"),
            (
                "redis+sentinel://h",
                "the master's name is missing: write redis+sentinel://HOST:PORT/MASTER",
            ),
            (
                "redis+sentinel://h/m?sentinel-user=ann",
                "sentinel-user= needs sentinel-password=",
            ),
            (
                "redis://h?sentinel-password=x",
                "sentinel-password is not an option of this broker's URL; there are: history, history-bytes, ca",
            ),
            (
                "redis://h?hist=1",
                "hist is not an option of this broker's URL; there are: history, history-bytes, ca",
            ),
        ] {
            assert_eq!(parse(url).expect_err(url).to_string(), said);
        }
    }

    #[test]
    fn secrets_stay_secret() {
        let address = parse("redis://:hunter2@h").expect("it is right");
        let node = address.node(("h".to_owned(), 1));
        let echo = RedisError::from((
            ::redis::ErrorKind::Client,
            "unknown command",
            "'AUTH' with args beginning with: 'hunter2'".to_owned(),
        ));
        let said = node.said(&echo).to_string();
        assert!(said.contains("AUTH") && !said.contains("hunter2"), "{said}");
        assert!(!format!("{address:?}").contains("hunter2"));
        let address = parse("redis+sentinel://h/m?sentinel-password=hunter2").expect("it is right");
        assert!(!format!("{address:?}").contains("hunter2"));
    }
}
