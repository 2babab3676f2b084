//! Numbers that both encodings can say: `MessagePack` knows NaN and infinities, JSON does not.

use serde::{Deserialize, Deserializer, de::Error};

/// Reads a finite number.
pub(crate) fn number<'de, D: Deserializer<'de>>(deserializer: D) -> Result<f64, D::Error> {
    let number = f64::deserialize(deserializer)?;
    if number.is_finite() {
        Ok(number)
    } else {
        Err(D::Error::custom(format!("{number} is not a finite number")))
    }
}

/// Reads a list of finite numbers.
pub(crate) fn numbers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<f64>, D::Error> {
    let numbers = Vec::<f64>::deserialize(deserializer)?;
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => Err(D::Error::custom(format!("{number} is not a finite number"))),
        None => Ok(numbers),
    }
}
