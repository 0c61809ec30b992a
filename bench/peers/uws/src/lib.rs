//! Nothing: this package only names where the sources of uWebSockets are.
