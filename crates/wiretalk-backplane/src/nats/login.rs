//! Who connects.

use async_nats::Auth;

/// What a server is told of who connects.
#[derive(Clone)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

impl Login {
    pub(super) fn of(server: &url::Url) -> Self {
        let plain = |text: &str| {
            let text = percent_encoding::percent_decode_str(text);
            text.decode_utf8_lossy().into_owned()
        };
        Self {
            user: Some(server.username())
                .filter(|name| !name.is_empty())
                .map(plain),
            password: server.password().map(plain),
        }
    }

    pub(super) fn auth(&self) -> Auth {
        let mut auth = Auth::new();
        if self.password.is_some() {
            auth.username.clone_from(&self.user);
            auth.password.clone_from(&self.password);
        } else {
            auth.token.clone_from(&self.user);
        }
        auth
    }
}

impl std::fmt::Debug for Login {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Login").finish_non_exhaustive()
    }
}
