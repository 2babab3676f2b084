//! How a [`FeatureSpec`] is written into an artifact: its fields one after the other, the calendar of holidays
//! last and only where a feature needs it. Artifacts from before there were holidays are read as they are.

use std::fmt;

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{self, SeqAccess, Visitor},
    ser::SerializeTuple as _,
};

use super::{
    Feature, FeatureSpec,
    spec::{MOST_FEATURES, MOST_SERIES},
};
use crate::{bounded::at_most, names::SeriesId};

const FIELDS: usize = 6;

impl Serialize for FeatureSpec {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let Self { features, series, step_minutes, level_steps, delay_steps, holidays } = self;
        let holidays = holidays.as_ref().filter(|_| need_holidays(features));
        let mut fields = serializer.serialize_tuple(FIELDS - usize::from(holidays.is_none()))?;
        fields.serialize_element(features)?;
        fields.serialize_element(series)?;
        fields.serialize_element(step_minutes)?;
        fields.serialize_element(level_steps)?;
        fields.serialize_element(delay_steps)?;
        if let Some(holidays) = holidays {
            fields.serialize_element(holidays)?;
        }
        fields.end()
    }
}

impl<'de> Deserialize<'de> for FeatureSpec {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_tuple(FIELDS, Fields)
    }
}

pub(super) fn need_holidays(features: &[Feature]) -> bool {
    features.iter().any(|feature| matches!(feature, Feature::Holiday(_)))
}

#[derive(Deserialize)]
struct Features(#[serde(deserialize_with = "at_most::<MOST_FEATURES, _, _>")] Vec<Feature>);

#[derive(Deserialize)]
struct SeriesIds(#[serde(deserialize_with = "at_most::<MOST_SERIES, _, _>")] Vec<SeriesId>);

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = FeatureSpec;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a feature specification")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut fields: A) -> Result<FeatureSpec, A::Error> {
        let Features(features) = field(&mut fields)?;
        let SeriesIds(series) = field(&mut fields)?;
        let (step_minutes, level_steps) = (field(&mut fields)?, field(&mut fields)?);
        let delay_steps = field(&mut fields)?;
        let holidays = if need_holidays(&features) { Some(field(&mut fields)?) } else { None };
        Ok(FeatureSpec { features, series, step_minutes, level_steps, delay_steps, holidays })
    }
}

fn field<'de, T: Deserialize<'de>, A: SeqAccess<'de>>(fields: &mut A) -> Result<T, A::Error> {
    fields.next_element()?.ok_or_else(|| de::Error::custom("a feature specification is cut off"))
}
