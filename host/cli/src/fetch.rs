//! `sandpiper fetch`.

use std::io::{self, Write};
use std::sync::Arc;

use sandpiper_host::types::{ConnOptions, Endpoint, Error, Misuse};
use sandpiper_host::{Build, CallError, Client, Sandbox};

use super::args::Fetch;
use super::backoff::Backoff;
use super::bounds::Bounds;
use super::condition::Condition;
use super::connections::ConnectionOptions;
use super::engine::{Engine, Settings, Stop};
use super::incoming::{Errors, Form, Tunnel};
use super::interrupt::end_on_signal;
use super::key_log::KeyLog;
use super::listing::{list, reads_stdin};
use super::output::HeadDump;
use super::plan::Plan;
use super::progress::Progress;
use super::proxies::unheeded;
use super::report::Report;
use super::standard;
use super::stopwatch::Allowance;
use super::tape::Tape;
use super::wire_log::WireLog;
use super::write_out::WriteOut;
use super::{READER_GONE, USAGE, tell};

/// The exit status.
pub(crate) async fn run(fetch: &Fetch) -> u8 {
    match prepare(fetch).await {
        Ok((plan, engine_parts, tape)) => {
            let status = drive(&plan, engine_parts).await;
            tape.conclude(status)
        }
        Err(message) => {
            tell(&format!("sandpiper: {message}\n"));
            USAGE
        }
    }
}

struct Parts {
    settings: Settings,
    client: Client,
    report: Report,
    log: WireLog,
    key_log: KeyLog,
}

/// All that can be wrong before anything is sent.
async fn prepare(fetch: &Fetch) -> Result<(Plan, Parts, Tape), String> {
    let listed = list(fetch)?;
    let plan = Plan::new(fetch, &listed)?;
    let form = form(fetch, &plan)?;
    let write_out = write_out(fetch)?;
    let to_stdout = fetch.output.json || plan.jobs.iter().any(|job| job.destination.is_stdout());
    check_standard(fetch, to_stdout || writes_aside(&form, write_out.as_deref()))?;
    let log =
        WireLog::new(fetch.output.verbose, fetch.output.log.as_deref(), plan.unix_socket.clone(), fetch.request.show_credentials)
            .map_err(|error| format!("--log: {error}"))?;
    let key_log = KeyLog::new(fetch.tls.key_log.as_deref())?;
    let urls: Arc<[String]> = listed.into_iter().map(|listed| listed.url).collect();
    let progress = Progress::new(urls.len(), to_stdout, !fetch.output.no_progress && !fetch.silence.of_progress());
    let report = Report::new(urls, fetch.output.json, fetch.silence.of_failures(), progress.clone());
    end_on_signal(&report.unfinished, &progress).map_err(|error| format!("signals cannot be listened to: {error}"))?;
    let tape = Tape::new(fetch)?;
    let sandbox = sandbox(fetch, &plan, &tape)?;
    let mut client = sandbox.instantiate().await.map_err(|error| error.to_string())?;
    check_limits(&mut client, fetch).await?;
    if !fetch.silence.of_progress() {
        warnings(fetch, &plan).iter().for_each(|warning| tell(&format!("sandpiper: {warning}\n")));
    }
    let settings = Settings {
        connections: ConnectionOptions::new(fetch),
        bounds: Bounds::new(&fetch.connection),
        form,
        write_out,
        backoff: Backoff::new(&fetch.connection),
        allowance: Allowance { time: fetch.connection.max_time, speed: fetch.connection.speed() },
        time_of_all: fetch.connection.max_time_all,
        rate: fetch.connection.limit_rate,
        summary: fetch.output.summary,
    };
    Ok((plan, Parts { settings, client, report, log, key_log }, tape))
}

/// What is not as somebody may think, although it can be done.
fn warnings(fetch: &Fetch, plan: &Plan) -> Vec<String> {
    let proxies = || unheeded(&plan.origins, |name| std::env::var(name).ok());
    let proxies = if fetch.connection.replay.is_none() { proxies() } else { None };
    let condition = fetch.request.condition.as_ref().and_then(Condition::warning);
    proxies.into_iter().chain(condition).collect()
}

/// Asks the component whether it takes the limits, each by itself: their ranges are its own.
async fn check_limits(client: &mut Client, fetch: &Fetch) -> Result<(), String> {
    // It leads nowhere, which is found after the options were checked.
    let nowhere = Endpoint::plain("", 0);
    for limit in &fetch.limits.limits {
        let options = ConnOptions::default().limit(limit.limit, limit.value);
        match client.origin(&nowhere, options).await {
            Err(CallError::Http(Error::ApiMisuse(Misuse::InvalidOption))) => {
                return Err(format!("{}: the component does not take this value. {}", limit.text(), limit.about()));
            }
            Err(CallError::Host(error)) => return Err(error.to_string()),
            Ok(_) | Err(CallError::Http(_)) => {}
        }
    }
    Ok(())
}

fn sandbox(fetch: &Fetch, plan: &Plan, tape: &Tape) -> Result<Sandbox, String> {
    let component = &fetch.component;
    let mut builder = tape.attach(component.builder(plan.build).policy(plan.policy.clone()));
    if plan.build == Some(Build::HostTls) {
        builder = builder.host_tls(fetch.tls.host_tls(&plan.tls)?);
    }
    if let Some(family) = fetch.family() {
        builder = builder.answers(move |address| family.has(address));
    }
    let sandbox = builder.build().map_err(|error| component.explain(&error))?;
    match &plan.secured {
        Some(url) if !sandbox.has_tls() => Err(format!("`{url}` needs TLS, which {} has not", component.name())),
        _ => Ok(sandbox),
    }
}

fn form(fetch: &Fetch, plan: &Plan) -> Result<Form, String> {
    let tunnel = match (plan.template.method.as_str(), &fetch.request.upgrade) {
        ("CONNECT", _) => Tunnel::Connect,
        (_, Some(_)) => Tunnel::Upgrade,
        _ => Tunnel::Never,
    };
    let output = &fetch.output;
    let errors = match () {
        () if output.fail => Errors::Discarded,
        () if output.fail_with_body => Errors::Failed,
        () => Errors::Written,
    };
    let dump = output.dump_header.as_deref().map(|file| HeadDump::new(file, output.create_dirs)).transpose()?.map(Arc::new);
    if output.json && dump.as_ref().is_some_and(|dump| dump.is_stdout()) {
        return Err("-D - cannot be used with --json: the objects have the heads".to_owned());
    }
    Ok(Form { json: output.json, heads: output.include || output.head, errors, remove: output.remove_on_error, dump, tunnel })
}

/// `-w`.
fn write_out(fetch: &Fetch) -> Result<Option<Arc<WriteOut>>, String> {
    let Some(format) = &fetch.output.write_out else {
        return Ok(None);
    };
    let (write_out, unknown) = WriteOut::new(format)?;
    for name in unknown {
        tell(&format!("sandpiper: unknown --write-out variable: '{name}'\n"));
    }
    Ok(Some(Arc::new(write_out)))
}

/// Does something beside the contents go to standard output?
fn writes_aside(form: &Form, write_out: Option<&WriteOut>) -> bool {
    form.dump.as_ref().is_some_and(|dump| dump.is_stdout()) || write_out.is_some_and(WriteOut::needs_stdout)
}

/// What nobody can read would be lost, and content that nobody can write would be empty.
fn check_standard(fetch: &Fetch, writes: bool) -> Result<(), String> {
    if let Some(problem) = standard::output_problem().filter(|_| writes) {
        return Err(format!("{problem}, and the response was to go there; nothing was sent"));
    }
    if standard::input_is_closed() && reads_stdin(fetch) {
        return Err("standard input is closed, and was to be read; nothing was sent".to_owned());
    }
    Ok(())
}

async fn drive(plan: &Plan, Parts { settings, client, report, log, key_log }: Parts) -> u8 {
    let progress = report.progress.clone();
    let mut engine = match Engine::new(plan, settings, client, report, log, key_log).await {
        Ok(engine) => engine,
        Err(error) => {
            tell(&format!("sandpiper: {error}\n"));
            return 1;
        }
    };
    let outcome = engine.run().await;
    progress.clear();
    let status = match outcome {
        Ok(()) => engine.report.exit_status(),
        Err(stop) => stopped(&mut engine, stop),
    };
    if status == READER_GONE {
        return status;
    }
    engine.report.conclude();
    match engine.sum_up() {
        Ok(()) => status,
        Err(error) => stopped(&mut engine, error.into()),
    }
}

fn stopped(engine: &mut Engine<'_>, stop: Stop) -> u8 {
    _ = io::stdout().flush();
    let why = match stop {
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return READER_GONE,
        Stop::Output(error) => {
            engine.report.say_last(&format!(
                "sandpiper: standard output cannot be written: {error}; {}\n",
                engine.report.unfinished.describe()
            ));
            return 1;
        }
        Stop::Host(error) => error.to_string(),
        Stop::Stalled => "the component has nothing to wait for, although exchanges have not ended".to_owned(),
    };
    engine.report.say_last(&format!("sandpiper: {why}\n"));
    match engine.fail_all() {
        Ok(()) => 1,
        Err(_) => READER_GONE,
    }
}
