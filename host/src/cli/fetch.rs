//! `sandpiper fetch`.

use std::io;
use std::sync::Arc;

use sandpiper_host::types::{ConnOptions, Endpoint, Error, Limits, Misuse};
use sandpiper_host::{Build, CallError, Client, Sandbox};

use super::args::Fetch;
use super::backoff::Backoff;
use super::bounds::Bounds;
use super::condition::Condition;
use super::engine::{Engine, Settings, Stop};
use super::incoming::{Form, Tunnel};
use super::interrupt::end_on_signal;
use super::key_log::KeyLog;
use super::link::LinkOptions;
use super::listing::list;
use super::output::Destination;
use super::plan::Plan;
use super::progress::Progress;
use super::proxies::unheeded;
use super::report::Report;
use super::stopwatch::Allowance;
use super::tape::Tape;
use super::wire_log::WireLog;
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
    let log = WireLog::new(fetch.verbose, fetch.log.as_deref(), plan.unix_socket.clone(), fetch.request.show_credentials)
        .map_err(|error| format!("--log: {error}"))?;
    let key_log = KeyLog::new(fetch.tls.key_log.as_deref())?;
    let urls: Arc<[String]> = listed.into_iter().map(|listed| listed.url).collect();
    let to_stdout = fetch.json || plan.jobs.iter().any(|job| job.destination == Destination::Stdout);
    let progress = Progress::new(urls.len(), to_stdout, !fetch.no_progress && !fetch.silence.of_progress());
    let report = Report::new(urls, fetch.json, fetch.silence.of_failures(), progress.clone());
    end_on_signal(report.unfinished.clone(), progress).map_err(|error| format!("signals cannot be listened to: {error}"))?;
    let tape = Tape::new(fetch)?;
    let sandbox = sandbox(fetch, &plan, &tape)?;
    let mut client = sandbox.instantiate().await.map_err(|error| error.to_string())?;
    check_limits(&mut client, fetch).await?;
    if !fetch.silence.of_progress() {
        warnings(fetch, &plan).iter().for_each(|warning| tell(&format!("sandpiper: {warning}\n")));
    }
    let bounds = Bounds::new(&fetch.connection);
    let settings = Settings {
        links: LinkOptions::new(fetch, bounds),
        bounds,
        form: form(fetch, &plan),
        backoff: Backoff::new(&fetch.connection),
        allowance: Allowance { time: fetch.connection.max_time, speed: fetch.connection.speed() },
        time_of_all: fetch.connection.max_time_all,
        rate: fetch.connection.limit_rate,
        summary: fetch.summary,
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
        let mut limits = Limits::default();
        limit.apply(&mut limits);
        let options = ConnOptions { limits: Some(limits), ..ConnOptions::default() };
        match client.connect(&nowhere, options).await {
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
        builder = builder.resolver(move |name| family.look_up(name));
    }
    let sandbox = builder.build().map_err(|error| component.explain(&error))?;
    match &plan.secured {
        Some(url) if !sandbox.has_tls() => Err(format!("`{url}` needs TLS, which {} has not", component.name())),
        _ => Ok(sandbox),
    }
}

fn form(fetch: &Fetch, plan: &Plan) -> Form {
    let tunnel = match (plan.template.method.as_str(), &fetch.request.upgrade) {
        ("CONNECT", _) => Tunnel::Connect,
        (_, Some(_)) => Tunnel::Upgrade,
        _ => Tunnel::Never,
    };
    Form { json: fetch.json, heads: fetch.include || fetch.head, fail: fetch.fail, tunnel }
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
    let why = match stop {
        Stop::Output(error) if error.kind() == io::ErrorKind::BrokenPipe => return READER_GONE,
        Stop::Output(error) => {
            engine.report.say(&format!(
                "sandpiper: standard output cannot be written: {error}; {}\n",
                engine.report.unfinished.describe()
            ));
            return 1;
        }
        Stop::Host(error) => error.to_string(),
        Stop::Stalled => "the component has nothing to wait for, although exchanges have not ended".to_owned(),
    };
    engine.report.say(&format!("sandpiper: {why}\n"));
    match engine.fail_all() {
        Ok(()) => 1,
        Err(_) => READER_GONE,
    }
}
