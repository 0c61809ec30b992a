//! The binary `wiretalk`.
fn main() {}
