//! `granary serve`: the server, from its first administrator to the last answer.
//!
//! The registry blocks, so it is opened, closed and dropped on the main thread; the runtime is only there in between.

use crate::console;
use crate::failure::{Failure, Verdict};
use crate::logging::{self, Level};
use crate::registry;
use crate::settings::{Password, Settings};
use crate::verify;
use app::Registry;
use domain::Refusal;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use tokio::signal::unix::{SignalKind, signal};
use web::{Controls, Limits};

/// How long threads that are still reading may take after the last answer.
const THREADS_END_AFTER: Duration = Duration::from_secs(5);

pub(crate) fn run(settings: &Settings) -> Result<Verdict, Failure> {
    let controls = logging::start(settings.log_level.unwrap_or(Level::Info), settings.log_format);
    let listener = listen(settings.listen)?;
    let registry = registry::open(settings)?;
    let made = first_administrator(&registry, settings);
    if let Err(failure) = made {
        registry.close();
        return Err(failure);
    }
    if let Some(schedule) = settings.elexon_schedule
        && let Err(error) = registry.fetch_regularly(schedule)
    {
        registry.close();
        return Err(Failure::Io { what: "no thread for the schedule of Elexon".to_owned(), error });
    }
    serve(&registry, listener, controls)
}

/// Takes the port, before anything else is touched.
pub(crate) fn listen(address: SocketAddr) -> Result<TcpListener, Failure> {
    TcpListener::bind(address).map_err(|error| match error.kind() {
        io::ErrorKind::AddrInUse => Failure::Refused(format!(
            "LISTEN: {address} is taken, perhaps by a registry that runs already; stop it or choose another port"
        )),
        io::ErrorKind::PermissionDenied => Failure::Refused(format!(
            "LISTEN: {address} may not be used; ports below 1024 take a privilege, so choose one above"
        )),
        io::ErrorKind::AddrNotAvailable => {
            Failure::Refused(format!("LISTEN: {address} is not an address of this machine"))
        }
        _ => Failure::Io { what: format!("LISTEN: {address}"), error },
    })
}

/// Serves until it is told to stop, then finishes what was begun.
pub(crate) fn serve(registry: &Registry, listener: TcpListener, controls: Controls) -> Result<Verdict, Failure> {
    registry.start_timed().map_err(Failure::io("no thread for what is due"))?;
    let served = serve_until_told(registry, listener, controls);
    registry.close();
    tracing::info!("stopped");
    served.map(|()| Verdict::Done)
}

fn serve_until_told(registry: &Registry, listener: TcpListener, controls: Controls) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::io("no threads for the server"))?;
    let served = runtime.block_on(async {
        listener.set_nonblocking(true)?;
        let listener = tokio::net::TcpListener::from_std(listener)?;
        let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
        let told_to_stop = async move {
            let name = tokio::select! {
                _ = interrupt.recv() => "SIGINT",
                _ = terminate.recv() => "SIGTERM",
            };
            tracing::info!(signal = name, "stopping; what was begun is finished");
        };
        let check = verify::check_of(registry.settings());
        let screens = |api| ui::screens(registry.clone(), api, check);
        web::serve(registry.clone(), Limits::default(), controls, screens, listener, told_to_stop).await
    });
    runtime.shutdown_timeout(THREADS_END_AFTER);
    served.map_err(Failure::io("the server"))
}

/// Makes the first administrator of an empty registry. A password that was made up is told here and nowhere else.
fn first_administrator(registry: &Registry, settings: &Settings) -> Result<(), Failure> {
    let email = &settings.admin_email;
    let (password, is_made_up) = match &settings.admin_password {
        Some(Password(password)) => (password.clone(), false),
        None => (app::generate_password(), true),
    };
    match registry.first_administrator(email, &password) {
        Ok(Some(_)) if is_made_up => console::say(&format!(
            "\nThis registry is new. Its first administrator signs in as\n\n    {email}\n    {password}\n\n\
             The password is shown this once: keep it, or change it after signing in.\n"
        )),
        Ok(Some(_)) => tracing::info!(%email, "made the first administrator"),
        // Another process on the same database was faster.
        Ok(None) | Err(app::Error::Refused(Refusal::Taken { .. })) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(())
}
