//! A new migration is a change of this crate, which compiles them in; cargo alone would not notice it.

fn main() {
    println!("cargo:rerun-if-changed=migrations");
}
