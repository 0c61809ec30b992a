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

/// Done when the user, or the system, wants the program to stop. Listens from now on.
pub(crate) fn stopped() -> impl Future<Output = ()> {
    let mut interrupts = Interrupts::listen();
    #[cfg(unix)]
    let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
    async move {
        #[cfg(unix)]
        if let Ok(mut terminate) = terminate {
            tokio::select! {
                _ = terminate.recv() => {}
                () = interrupts.next() => {}
            }
            return;
        }
        interrupts.next().await;
    }
}
