//! Values of tags. The error says why a text is none.

use biplane_core::key::{ResourceRef, check_name};
use biplane_core::scalars::Duration;
use ipnet::IpNet;

pub(super) fn flag(text: &str) -> Result<bool, String> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "1" | "yes" | "on" => Ok(true),
        "false" | "0" | "no" | "off" => Ok(false),
        _ => Err(format!("{text:?} is neither true nor false")),
    }
}

pub(super) fn whole<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text:?} is no whole number of the right size"))
}

/// A list with commas; an empty one is a mistake.
pub(super) fn list(text: &str) -> Result<Vec<&str>, String> {
    let items: Vec<_> = text.split(',').map(str::trim).filter(|item| !item.is_empty()).collect();
    if items.is_empty() { Err("the list is empty".to_owned()) } else { Ok(items) }
}

/// A span of time, which is handed on as it is written.
pub(super) fn span(text: &str) -> Result<&str, String> {
    text.parse::<Duration>().map(|_| text).map_err(|why| why.to_string())
}

/// `namespace/name`
pub(super) fn reference(text: &str) -> Result<ResourceRef, String> {
    let (namespace, name) =
        text.split_once('/').ok_or_else(|| format!("{text:?} is not of the form namespace/name"))?;
    for part in [namespace, name] {
        check_name(part).map_err(|why| format!("{text:?} names no object: {why}"))?;
    }
    Ok(ResourceRef::new(namespace, name))
}

/// Addresses and networks.
pub(super) fn networks(text: &str) -> Result<Vec<IpNet>, String> {
    let network = |item: &str| {
        let address = item.parse::<std::net::IpAddr>().map(IpNet::from).ok();
        let network = address.or_else(|| item.parse().ok());
        network.ok_or_else(|| format!("{item:?} is neither an address nor a network"))
    };
    list(text)?.into_iter().map(network).collect()
}
