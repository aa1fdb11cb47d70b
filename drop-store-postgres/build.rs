//! The migrations are part of the library, so a change of them is a change of it.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
