//! From the path of a gRPC method to the provider's answer.

use std::future::Future;
use std::sync::Arc;

use futures::future::BoxFuture;
use hyper::body::Incoming;
use prost::Message;
use tokio_util::sync::CancellationToken;
use tonic::body::Body;
use tonic::server::{Grpc, UnaryService};
use tonic::{Request, Response, Status};
use tonic_prost::ProstCodec;

use crate::provider::{Provider, check_config};
use crate::wire::calls::{
    Configured, Diagnostics, Empty, Health, ImportRequest, ProviderConfig, ProviderDiagnostics, Stopped,
    UpgradeRequest,
};

/// The largest state that is read: far more than the largest configuration that Biplane takes.
const LARGEST: usize = 256 << 20;

/// Answers one call. Methods that are not known are refused, as those are that a newer OpenTofu tries first.
pub(super) async fn answer(
    request: http::Request<Incoming>,
    provider: &Arc<Provider>,
    stop: &CancellationToken,
) -> http::Response<Body> {
    let path = request.uri().path().to_owned();
    if let Some(method) = path.strip_prefix("/tfplugin6.Provider/") {
        return of_provider(method, request, provider.clone()).await;
    }
    match path.as_str() {
        "/plugin.GRPCController/Shutdown" => {
            stop.cancel();
            unary(request, |_: Empty| async { Empty {} }).await
        }
        "/grpc.health.v1.Health/Check" => unary(request, |_: Empty| async { Health { status: 1 } }).await,
        _ => unknown(),
    }
}

async fn of_provider(
    method: &str,
    request: http::Request<Incoming>,
    provider: Arc<Provider>,
) -> http::Response<Body> {
    let _under_way = provider.activity.begin();
    match method {
        "GetProviderSchema" => unary(request, |_: Empty| async move { provider.schema() }).await,
        "ValidateProviderConfig" => {
            let check = |asked: ProviderConfig| async move {
                ProviderDiagnostics { diagnostics: check_config(asked.config.as_ref()) }
            };
            unary(request, check).await
        }
        "ConfigureProvider" => unary(request, |asked| async move { provider.configure(&asked) }).await,
        "ValidateResourceConfig" => {
            unary(request, |asked| async move { provider.check_resource(&asked) }).await
        }
        // What a data source names is looked for when it is read.
        "ValidateDataResourceConfig" => {
            unary(request, |_: Configured| async { Diagnostics::default() }).await
        }
        "UpgradeResourceState" => {
            unary(request, |asked: UpgradeRequest| async move { provider.upgrade(&asked) }).await
        }
        "ReadResource" => unary(request, |asked| async move { provider.read(asked).await }).await,
        "PlanResourceChange" => unary(request, |asked| async move { provider.plan(asked).await }).await,
        "ApplyResourceChange" => unary(request, |asked| async move { provider.apply(asked).await }).await,
        "ImportResourceState" => {
            unary(request, |asked: ImportRequest| async move { provider.import(&asked) }).await
        }
        "ReadDataSource" => unary(request, |asked| async move { provider.read_data(asked).await }).await,
        // Every call has a deadline, and a change that is under way is better ended than cut.
        "StopProvider" => unary(request, |_: Empty| async { Stopped::default() }).await,
        _ => unknown(),
    }
}

fn unknown() -> http::Response<Body> {
    Status::unimplemented("not a method of this provider").into_http()
}

async fn unary<Q, A, F, W>(request: http::Request<Incoming>, work: W) -> http::Response<Body>
where
    Q: Message + Default + Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = A> + Send + 'static,
    W: FnOnce(Q) -> F + Send + 'static,
{
    let mut grpc = Grpc::new(ProstCodec::<A, Q>::default()).max_decoding_message_size(LARGEST);
    grpc.unary(Handler(Some(work)), request).await
}

/// Answers once.
struct Handler<W>(Option<W>);

impl<Q, A, F, W> UnaryService<Q> for Handler<W>
where
    Q: Send + 'static,
    A: Message + Send + 'static,
    F: Future<Output = A> + Send + 'static,
    W: FnOnce(Q) -> F + Send + 'static,
{
    type Response = A;
    type Future = BoxFuture<'static, Result<Response<A>, Status>>;

    fn call(&mut self, request: Request<Q>) -> Self::Future {
        let work = self.0.take();
        Box::pin(async move {
            let work = work.ok_or_else(|| Status::internal("a handler answers once"))?;
            Ok(Response::new(work(request.into_inner()).await))
        })
    }
}
