//! A thread with an async runtime of its own, which ends when the value that stands for it is dropped.

use std::future::Future;
use std::thread::JoinHandle;

use tokio::runtime;
use tokio::sync::oneshot;

/// A running thread.
#[derive(Debug)]
pub(crate) struct Background {
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Background {
    /// Runs the future that `start` makes until it ends or the value is dropped; what it spawned ends with it.
    pub(crate) fn spawn<F>(name: &str, start: impl FnOnce() -> F + Send + 'static) -> Self
    where
        F: Future<Output = ()>,
    {
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime =
            runtime::Builder::new_current_thread().enable_all().build().expect("the system gives us epoll");
        let body = move || {
            runtime.block_on(async {
                tokio::select! {
                    () = start() => {}
                    _ = stopped => {}
                }
            });
        };
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(body)
            .expect("the system gives us threads");
        Self { stop: Some(stop), thread: Some(thread) }
    }

    /// Waits until the future ends by itself.
    pub(crate) fn join(mut self) {
        self.end();
    }

    fn end(&mut self) {
        let ended = self.thread.take().map(JoinHandle::join);
        // A panic over there is a panic here, unless we are in one already.
        if let Some(Err(panic)) = ended
            && !std::thread::panicking()
        {
            std::panic::resume_unwind(panic);
        }
    }
}

impl Drop for Background {
    fn drop(&mut self) {
        drop(self.stop.take());
        self.end();
    }
}
