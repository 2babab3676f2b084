//! `gatecast completions` and `gatecast man`: what shells and `man` read, from the command line's definition.

use clap::CommandFactory as _;
use clap_complete::Shell;

use crate::{
    cli::Cli,
    failure::{CommandResult, ExitCode, Failure},
    terminal::print_bytes,
};

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell) {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "gatecast", &mut script);
    print_bytes(&script);
}

/// Prints the manual page of the program, or of one of its commands.
pub(super) fn man(command: Option<&str>) -> CommandResult {
    let mut program = Cli::command();
    program.build();
    let page = match command {
        None => program,
        Some(name) => program
            .find_subcommand(name)
            .cloned()
            .ok_or_else(|| Failure::say(ExitCode::NotFound, format!("no command {name:?}")))?,
    };
    let mut roff = Vec::new();
    clap_mangen::Man::new(page).render(&mut roff)?;
    print_bytes(&roff);
    Ok(())
}
