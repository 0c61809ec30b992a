//! Performs a talk in each of its roles: test runner, mock server, and their reports.
