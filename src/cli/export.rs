//! `export`: the ledger in another format, from its file or from an agent.
//!
//! *Invariants.* A file under the name asked for is whole: what is being written has another name until then. A download that ends
//! early is a failure.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args, builder::TypedValueParser};

use super::agent_args::{AccessArgs, AgentArgs};
use super::client::{ANSWER_TIMEOUT, AgentClient};
use super::filter_args::FilterArgs;
use super::{Exit, Failure, parse};
use crate::config::{self, Sources};
use crate::domain::BudgetZone;
use crate::error_chain::ErrorChain;
use crate::ledger::{Archive, is_of_database};
use crate::transfer::{ExportFormat, SELECTION_PARAMETERS, read_selection};

/// Threads that read the ledger; a third writes.
const THREADS: usize = 2;
/// Bytes of a download that are read at once.
const PIECE_BYTES: usize = 64 * 1024;

#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Format: jsonl (one line an entry, for import), csv (one line an event) or focus (FOCUS 1.2)
    #[arg(long, default_value = "jsonl", value_name = "FORMAT", value_parser = format_parser())]
    pub format: ExportFormat,
    /// First day or instant, such as 2026-11-01 or 2026-11-01T10:00:00Z [default: the beginning]
    #[arg(long, value_name = "TIME", value_parser = parse::day_or_time)]
    pub from: Option<String>,
    /// Last day (included) or the instant of the end [default: the end]
    #[arg(long, value_name = "TIME", value_parser = parse::day_or_time)]
    pub to: Option<String>,
    #[command(flatten)]
    pub filters: FilterArgs,
    /// Only ids of this source; empty: only those without one
    #[arg(long)]
    pub source: Option<String>,
    /// Write to this file [default: standard output]
    #[arg(long, value_name = "FILE")]
    pub output_file: Option<PathBuf>,
    /// The ledger file [default: from DB_PATH or CONFIG_FILE]
    #[arg(long, value_name = "FILE", alias = "db", conflicts_with = "url")]
    pub db_path: Option<PathBuf>,
    /// Configuration file that names the ledger (CONFIG_FILE)
    #[arg(long, value_name = "FILE", conflicts_with_all = ["db_path", "url"])]
    pub config: Option<PathBuf>,
    /// Address of an agent to export from, instead of the ledger's file
    #[arg(long, value_name = "URL")]
    pub url: Option<String>,
    #[command(flatten)]
    pub access: AccessArgs,
}

fn format_parser() -> impl TypedValueParser<Value = ExportFormat> {
    let words = PossibleValuesParser::new(ExportFormat::ALL.map(ExportFormat::word));
    words.try_map(|word| word.parse::<ExportFormat>().map_err(|_| "not a format"))
}

impl ExportArgs {
    fn said(&self, name: &str) -> Option<&str> {
        match name {
            "from" => self.from.as_deref(),
            "to" => self.to.as_deref(),
            "source" => self.source.as_deref(),
            _ => self.filters.given().find(|(filter, _)| *filter == name).map(|(_, value)| value),
        }
    }
}

/// Runs the verb.
pub fn run(arguments: &ExportArgs, process: Sources) -> Result<Exit, Failure> {
    let mut output = Output::open(arguments.output_file.as_deref())?;
    let written = match &arguments.url {
        Some(url) => download(arguments, url, &process, &mut output),
        None => read_file(arguments, process, &mut output),
    };
    match written {
        Ok(()) => output.finish().map(|()| Exit::Done),
        Err(failure) => {
            output.give_up();
            Err(failure)
        }
    }
}

fn read_file(arguments: &ExportArgs, process: Sources, output: &mut Output) -> Result<(), Failure> {
    let path = match &arguments.db_path {
        Some(path) => path.clone(),
        None => {
            let config_flag = arguments.config.clone();
            config::load(&Sources { config_flag, ..process })?.ledger.path
        }
    };
    let failed = |error: &dyn std::error::Error| Failure::Failed(ErrorChain(error).to_string());
    let archive = Archive::open(&path).map_err(|error| failed(&error))?;
    let zone: &BudgetZone = archive.zone();
    let selection = read_selection(|name| arguments.said(name), zone).map_err(Failure::Usage)?;
    let format = arguments.format;
    let export = archive.export(selection, format.lines()).map_err(|error| failed(&error))?;
    if !output.write(&format.heading())? {
        return Ok(());
    }
    let mut written = Ok(true);
    let ran = export.run(THREADS, &|exported, to| format.write(exported, zone, to), &mut |chunk, _| {
        written = output.write(&chunk);
        matches!(written, Ok(true))
    });
    written?;
    ran.map_err(|error| failed(&error))
}

fn download(arguments: &ExportArgs, url: &str, process: &Sources, output: &mut Output) -> Result<(), Failure> {
    let agent = AgentArgs { url: Some(url.to_owned()), access: arguments.access.clone() };
    let client = AgentClient::new(&agent, process, ANSWER_TIMEOUT)?;
    let mut query = vec![("format", arguments.format.word().to_owned())];
    query.extend(SELECTION_PARAMETERS.iter().filter_map(|name| Some((*name, arguments.said(name)?.to_owned()))));
    let mut answer = client.download("/export", &query)?;
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = io::Read::read(&mut answer, &mut piece)
            .map_err(|error| Failure::Failed(format!("the export was cut off: {}", root(&error))))?;
        if count == 0 || !output.write(&piece[..count])? {
            return Ok(());
        }
    }
}

fn root(error: &dyn std::error::Error) -> String {
    let mut innermost = error;
    while let Some(source) = innermost.source() {
        innermost = source;
    }
    innermost.to_string()
}

/// Where the lines go.
enum Output {
    Standard,
    File { file: File, written_to: PathBuf, wanted: PathBuf },
}

impl Output {
    fn open(path: Option<&Path>) -> Result<Self, Failure> {
        let Some(wanted) = path else { return Ok(Self::Standard) };
        if is_of_database(wanted) {
            return Err(Failure::Usage(format!(
                "--output-file {} is a database or belongs to one, and would be replaced; name another file",
                wanted.display()
            )));
        }
        let mut name = wanted.as_os_str().to_owned();
        name.push(".partial");
        let written_to = PathBuf::from(name);
        let file = File::create(&written_to)
            .map_err(|error| Failure::Failed(format!("cannot write {}: {error}", written_to.display())))?;
        Ok(Self::File { file, written_to, wanted: wanted.to_owned() })
    }

    /// Writes, and says whether somebody still reads.
    fn write(&mut self, bytes: &[u8]) -> Result<bool, Failure> {
        let written = match self {
            Self::Standard => io::stdout().lock().write_all(bytes),
            Self::File { file, .. } => file.write_all(bytes),
        };
        match written {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
            Err(error) => Err(self.cannot(&error)),
        }
    }

    /// Gives a file the name that was asked for, now that it is whole.
    fn finish(self) -> Result<(), Failure> {
        let done = match &self {
            Self::Standard => match io::stdout().lock().flush() {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                flushed => flushed,
            },
            Self::File { file, written_to, wanted } => file.sync_all().and_then(|()| fs::rename(written_to, wanted)),
        };
        done.map_err(|error| self.cannot(&error))
    }

    /// Leaves what was written for whoever wants to look at it, but no file in which nothing is.
    fn give_up(self) {
        if let Self::File { file, written_to, .. } = self
            && file.metadata().is_ok_and(|metadata| metadata.len() == 0)
        {
            // What failed is told already, and an empty file does no harm.
            let _ = fs::remove_file(written_to);
        }
    }

    fn cannot(&self, error: &io::Error) -> Failure {
        let whereto = match self {
            Self::Standard => "standard output".into(),
            Self::File { written_to, .. } => written_to.display().to_string(),
        };
        Failure::Failed(format!("cannot write to {whereto}: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::super::agent_args::parsed;
    use super::*;

    #[test]
    fn an_export_that_failed_leaves_what_it_wrote_and_no_empty_file() {
        let folder = tempfile::tempdir().unwrap();
        let (ledger, wanted) = (folder.path().join("missing.db"), folder.path().join("costs.csv"));
        let arguments: ExportArgs =
            parsed(&["--db-path", ledger.to_str().unwrap(), "--output-file", wanted.to_str().unwrap()]);
        assert!(matches!(run(&arguments, Sources::default()), Err(Failure::Failed(_))));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);

        let mut output = Output::open(Some(&wanted)).unwrap();
        assert!(output.write(b"id\r\n").unwrap());
        output.give_up();
        assert_eq!(fs::read(folder.path().join("costs.csv.partial")).unwrap(), b"id\r\n");
    }
}
