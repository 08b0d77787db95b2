//! HTTP for operators: `GET /healthz` (the process lives) and `GET /readyz` (it takes statements).

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Answers until the server goes down.
pub async fn serve(listener: TcpListener, shutdown: CancellationToken) {
    let draining = shutdown.clone();
    let ready = move || async move {
        if draining.is_cancelled() {
            (StatusCode::SERVICE_UNAVAILABLE, "going down\n")
        } else {
            (StatusCode::OK, "ready\n")
        }
    };
    let routes = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready));
    let served = axum::serve(listener, routes).with_graceful_shutdown(shutdown.cancelled_owned());
    if let Err(error) = served.await {
        tracing::error!(%error, "HTTP broke off");
    }
}
