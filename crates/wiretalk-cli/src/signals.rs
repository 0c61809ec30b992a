//! Being told to stop, by Ctrl-C or by the system.
//!
//! Listening begins when the value is made, and a signal that comes while nobody waits for it is kept.

/// Ctrl-C.
pub(crate) struct Interrupts {
    // Without it, Ctrl-C ends the program as it ends any other.
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
    #[cfg(windows)]
    signal: Option<tokio::signal::windows::CtrlC>,
}

impl Interrupts {
    /// Listens from now on. To be called within the runtime.
    pub(crate) fn listen() -> Self {
        #[cfg(unix)]
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::interrupt());
        #[cfg(windows)]
        let signal = tokio::signal::windows::ctrl_c();
        Self {
            signal: signal.ok(),
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        let came = match &mut self.signal {
            Some(signal) => signal.recv().await,
            None => None,
        };
        if came.is_none() {
            std::future::pending::<()>().await;
        }
    }
}

/// What ends a server: Ctrl-C, or the system's wish (SIGTERM).
pub(crate) struct Ends {
    interrupts: Interrupts,
    #[cfg(unix)]
    terminate: Option<tokio::signal::unix::Signal>,
}

/// Who wants an end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// The user, by Ctrl-C.
    Interrupt,
    /// The system, by SIGTERM.
    Terminate,
}

impl Ends {
    /// Listens from now on. To be called within the runtime.
    pub(crate) fn listen() -> Self {
        Self {
            interrupts: Interrupts::listen(),
            #[cfg(unix)]
            terminate: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate())
                .ok(),
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) -> End {
        #[cfg(unix)]
        if let Some(terminate) = &mut self.terminate {
            return tokio::select! {
                _ = terminate.recv() => End::Terminate,
                () = self.interrupts.next() => End::Interrupt,
            };
        }
        self.interrupts.next().await;
        End::Interrupt
    }
}

/// The system's wish that files are read anew (SIGHUP), which would end the program if nobody listened.
pub(crate) struct Hangups {
    #[cfg(unix)]
    signal: Option<tokio::signal::unix::Signal>,
}

impl Hangups {
    /// Listens from now on. To be called within the runtime.
    pub(crate) fn listen() -> Self {
        Self {
            #[cfg(unix)]
            signal: tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup()).ok(),
        }
    }

    /// Waits for the next one.
    pub(crate) async fn next(&mut self) {
        #[cfg(unix)]
        if let Some(signal) = &mut self.signal
            && signal.recv().await.is_some()
        {
            return;
        }
        std::future::pending::<()>().await;
    }
}
