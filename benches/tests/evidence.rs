//! The page of evidence, by the program that writes it.
#[test]
fn placeholder() {}
