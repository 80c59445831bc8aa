//! Where the API listens: TCP addresses, and socket files for the processes of this machine.

use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::path::Path;

use tokio::net::{TcpListener, UnixListener, UnixStream};

/// Who may connect to a socket file: its owner and its group.
const SOCKET_MODE: u32 = 0o660;

/// Where the API listens.
#[derive(Debug)]
pub enum Listener {
    /// A TCP address.
    Tcp(TcpListener),
    /// A socket file.
    Unix(UnixListener),
}

impl Listener {
    /// Listens on a TCP address.
    pub async fn tcp(address: SocketAddr) -> io::Result<Self> {
        TcpListener::bind(address).await.map(Self::Tcp)
    }

    /// Listens on a socket file that owner and group may use. One that a process left behind is
    /// replaced, one on which somebody listens is not, and neither is a file of another kind.
    pub async fn unix(path: &Path) -> io::Result<Self> {
        make_room(path).await.map_err(|error| said(path, &error))?;
        let listener = UnixListener::bind(path).map_err(|error| said(path, &error))?;
        // Until here the process's umask decides, which lets others connect only if it is empty.
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(SOCKET_MODE))
            .map_err(|error| said(path, &error))?;
        Ok(Self::Unix(listener))
    }

    /// The TCP address, if it is one.
    pub fn tcp_address(&self) -> io::Result<Option<SocketAddr>> {
        match self {
            Self::Tcp(listener) => listener.local_addr().map(Some),
            Self::Unix(_) => Ok(None),
        }
    }

    /// Takes the socket file away, while still holding it: nobody else can have put theirs there.
    pub(crate) fn clean_up(&self) {
        let Self::Unix(listener) = self else { return };
        let address = listener.local_addr().ok();
        if let Some(path) = address.as_ref().and_then(tokio::net::unix::SocketAddr::as_pathname) {
            let _ = std::fs::remove_file(path);
        }
    }
}

async fn make_room(path: &Path) -> io::Result<()> {
    let Ok(metadata) = std::fs::symlink_metadata(path) else { return Ok(()) };
    if !metadata.file_type().is_socket() {
        return Err(io::Error::new(io::ErrorKind::AlreadyExists, "something else than a socket is there"));
    }
    match UnixStream::connect(path).await {
        Ok(_) => Err(io::Error::new(io::ErrorKind::AddrInUse, "another process listens there")),
        Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => std::fs::remove_file(path),
        Err(error) => Err(error),
    }
}

fn said(path: &Path, error: &io::Error) -> io::Error {
    io::Error::new(error.kind(), format!("socket {}: {error}", path.display()))
}
