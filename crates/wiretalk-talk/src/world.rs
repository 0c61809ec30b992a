//! What a talk asks of the world around it. The caller passes it in, so that a test can hold it still.

/// The clock, the environment and the source of randomness that a talk's expressions see.
pub trait World: Send + Sync {
    /// Seconds since 1970-01-01T00:00:00Z, with a fraction.
    fn unix_time(&self) -> f64;

    /// The local time by a `strftime` format.
    ///
    /// # Errors
    /// A sentence that says what is wrong with the format.
    fn local_time(&self, format: &str) -> Result<String, String>;

    /// The value of an environment variable.
    fn variable(&self, name: &str) -> Option<String>;

    /// Sixty-four random bits.
    fn random(&self) -> u64;
}

/// A random (version 4) UUID, RFC 9562 section 5.4.
pub(crate) fn uuid(world: &dyn World) -> String {
    let high = (world.random() & 0xffff_ffff_ffff_0fff) | 0x4000;
    let low = (world.random() & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
    format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        high >> 32,
        (high >> 16) & 0xffff,
        high & 0xffff,
        low >> 48,
        low & 0xffff_ffff_ffff
    )
}
