//! The grid that the series of a dataset share: a frequency in a time zone.
