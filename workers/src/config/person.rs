//! Who types.

/// The user that this machine knows; none, for example, in a container.
pub fn user() -> Option<String> {
    let named = ["USER", "LOGNAME", "USERNAME"].into_iter().find_map(|name| std::env::var(name).ok());
    named.filter(|name| !name.is_empty())
}
