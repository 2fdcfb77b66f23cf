//! FORMAT.md shows true bytes, and describes every one of them.
