//! Which proxy is for which server.

use std::{env::VarError, fmt};

use super::{NoProxy, Proxy};
use crate::{dial::url::Target, error::Error};

/// Which proxy is for which server. Default: none for any.
///
/// ```
/// use wiretalk_net::{NoProxy, Proxies, Proxy};
///
/// let proxy: Proxy = "socks5h://127.0.0.1:9050".parse()?;
/// let proxies = Proxies::all(proxy).except("localhost, 10.0.0.0/8".parse::<NoProxy>()?);
/// let connector = wiretalk_net::Connector::new().proxies(proxies);
/// # Ok::<(), wiretalk_net::Error>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Proxies {
    ws: Option<Proxy>,
    wss: Option<Proxy>,
    except: NoProxy,
}

impl Proxies {
    /// No proxy.
    ///
    /// ```
    /// use wiretalk_net::{Connector, Proxies};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = Connector::new().proxies(Proxies::none());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn none() -> Self {
        Self::default()
    }

    /// This proxy for every server.
    ///
    /// ```
    /// use wiretalk_net::{Connector, Proxies};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let proxies = Proxies::all("http://proxy.example:3128".parse()?);
    /// let connector = Connector::new().proxies(proxies);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn all(proxy: Proxy) -> Self {
        Self {
            ws: Some(proxy.clone()),
            wss: Some(proxy),
            except: NoProxy::default(),
        }
    }

    /// Those that the environment's variables name, as curl reads them. The first that is set, and not empty, counts:
    ///
    /// - for `ws:`, of `ws_proxy`, `WS_PROXY`, `http_proxy`, `all_proxy` and `ALL_PROXY`. `HTTP_PROXY` is not looked at:
    ///   a web server sets it to what a client sent as its header `Proxy`.
    /// - for `wss:`, of `wss_proxy`, `WSS_PROXY`, `https_proxy`, `HTTPS_PROXY`, `all_proxy` and `ALL_PROXY`.
    /// - for the exceptions, of `no_proxy` and `NO_PROXY`; see [`NoProxy`].
    ///
    /// ```
    /// use wiretalk_net::{Connector, Proxies};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let connector = Connector::new().proxies(Proxies::from_env()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// `InvalidInput` for a variable that cannot be read as what it is; the sentence names it.
    pub fn from_env() -> Result<Self, Error> {
        Self::read(|name| match std::env::var(name) {
            Ok(value) => Ok(Some(value)),
            Err(VarError::NotPresent) => Ok(None),
            // To go without the proxy that somebody named would be worse.
            Err(VarError::NotUnicode(_)) => Err(of(name, &"it is not UTF-8")),
        })
    }

    /// The same, with the variables' values from elsewhere.
    ///
    /// ```
    /// use wiretalk_net::Proxies;
    ///
    /// let proxies = Proxies::from_variables(|name| match name {
    ///     "https_proxy" => Some("http://proxy.example:3128".to_owned()),
    ///     "no_proxy" => Some("localhost, .example.com".to_owned()),
    ///     _ => None,
    /// })?;
    /// # Ok::<(), wiretalk_net::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`from_env`](Proxies::from_env).
    pub fn from_variables(value: impl Fn(&str) -> Option<String>) -> Result<Self, Error> {
        Self::read(|name| Ok(value(name)))
    }

    fn read(value: impl Fn(&str) -> Result<Option<String>, Error>) -> Result<Self, Error> {
        let first = |names: &[&'static str]| {
            for name in names {
                let value = value(name)?.unwrap_or_default();
                if !value.trim_ascii().is_empty() {
                    return Ok(Some((*name, value)));
                }
            }
            Ok::<_, Error>(None)
        };
        let proxy = |names: &[&'static str]| {
            first(names)?
                .map(|(name, value)| {
                    value
                        .trim_ascii()
                        .parse()
                        .map_err(|why: Error| of(name, &why))
                })
                .transpose()
        };
        let except = first(&["no_proxy", "NO_PROXY"])?
            .map(|(name, value)| value.parse().map_err(|why: Error| of(name, &why)))
            .transpose()?;
        Ok(Self {
            ws: proxy(&[
                "ws_proxy",
                "WS_PROXY",
                "http_proxy",
                "all_proxy",
                "ALL_PROXY",
            ])?,
            wss: proxy(&[
                "wss_proxy",
                "WSS_PROXY",
                "https_proxy",
                "HTTPS_PROXY",
                "all_proxy",
                "ALL_PROXY",
            ])?,
            except: except.unwrap_or_default(),
        })
    }

    /// Servers that are dialed without a proxy, instead of those that were said before.
    ///
    /// ```
    /// use wiretalk_net::{Connector, Proxies};
    ///
    /// # fn main() -> Result<(), wiretalk_net::Error> {
    /// let proxies = Proxies::all("socks5h://127.0.0.1:1080".parse()?);
    /// let connector = Connector::new().proxies(proxies.except("localhost,.internal".parse()?));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn except(mut self, servers: NoProxy) -> Self {
        self.except = servers;
        self
    }

    /// The proxy for this server.
    pub(in crate::dial) fn for_target(&self, target: &Target) -> Option<&Proxy> {
        let proxy = if target.secure { &self.wss } else { &self.ws };
        proxy
            .as_ref()
            .filter(|_| !self.except.has(&target.host, target.port))
    }
}

impl From<Proxy> for Proxies {
    fn from(proxy: Proxy) -> Self {
        Self::all(proxy)
    }
}

fn of(name: &str, why: &dyn fmt::Display) -> Error {
    Error::invalid(format!("the environment's variable {name}: {why}"))
}
