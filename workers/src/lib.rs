//! The binary `gatecast`: one process with any of the [`roles`], and the commands around them.
//!
//! [`handlers`] say what a worker does with a message, [`roles`] what a process runs, [`commands`] what a
//! person asks for. Only [`environment`] builds real clients, only [`config`] reads the environment.

pub mod cli;
pub mod commands;

pub mod roles;

pub mod handlers;

pub mod config;
pub mod data_folder;
pub mod environment;

pub mod health;
pub mod metrics;

pub mod asker;
pub mod case;
pub mod cpu_time;
pub mod draft;
pub mod earlier;
pub mod export;
pub mod file_format;
pub mod holdout;
pub mod import;
pub mod input;
pub mod schedule;
pub mod scored_rows;

pub mod failure;
pub mod terminal;
