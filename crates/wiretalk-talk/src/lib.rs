//! The talk language: parse, format, check, match, render, and the player.
