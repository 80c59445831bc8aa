//! The hand that runs machines in moto. Their addresses are what it says, so that somebody may answer there.

use std::collections::BTreeSet;
use std::net::Ipv4Addr;

use anyhow::{Context as _, Result};

use super::{Moto, element};

const VERSION: &str = "2016-11-15";

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// How many.
    pub count: usize,
    /// Their private address; of the subnet unless set.
    pub address: Option<Ipv4Addr>,
    /// Their tags.
    pub tags: Vec<(String, String)>,
}

/// A virtual machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Machine {
    /// Its id.
    pub id: String,
    /// Its private address.
    pub address: Ipv4Addr,
}

impl Launch {
    /// One machine with tags.
    pub fn tagged(tags: &[(&str, &str)]) -> Self {
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        Self { count: 1, address: None, tags }
    }

    /// With this private address.
    #[must_use]
    pub fn at(self, address: Ipv4Addr) -> Self {
        Self { address: Some(address), ..self }
    }
}

impl Moto {
    /// Runs machines by one call, and says the first.
    pub async fn run(&self, launch: &Launch) -> Result<Machine> {
        let made = self.launched(launch).await?;
        Ok(Machine {
            id: element(&made, "instanceId")?,
            address: element(&made, "privateIpAddress")?.parse()?,
        })
    }

    /// Runs machines by one call, and says at which addresses. moto draws these by lot, so that there may be fewer than
    /// machines. Its pages have such calls on them, not machines.
    pub async fn run_many(&self, launch: &Launch) -> Result<BTreeSet<Ipv4Addr>> {
        let made = self.launched(launch).await?;
        let texts = made.split("<privateIpAddress>").skip(1).filter_map(|rest| rest.split('<').next());
        texts.map(|text| text.parse().with_context(|| format!("{text:?} is no address"))).collect()
    }

    async fn launched(&self, launch: &Launch) -> Result<String> {
        let (count, address) = (launch.count.to_string(), launch.address.map(|it| it.to_string()));
        let names: Vec<_> = (1..=launch.tags.len())
            .map(|at| ["Key", "Value"].map(|part| format!("TagSpecification.1.Tag.{at}.{part}")))
            .collect();
        let mut parameters = vec![
            ("Action", "RunInstances"),
            ("ImageId", "ami-12c6146b"),
            ("MinCount", &count),
            ("MaxCount", &count),
            ("TagSpecification.1.ResourceType", "instance"),
        ];
        for ([key_name, value_name], (key, value)) in names.iter().zip(&launch.tags) {
            parameters.extend([(key_name.as_str(), key.as_str()), (value_name, value)]);
        }
        parameters.extend(address.as_deref().map(|address| ("PrivateIpAddress", address)));
        self.call("ec2", VERSION, &parameters).await
    }

    /// Does something to a machine: `TerminateInstances`, `StopInstances`, `StartInstances`.
    pub async fn act(&self, action: &str, id: &str) -> Result<()> {
        self.call("ec2", VERSION, &[("Action", action), ("InstanceId.1", id)]).await.map(drop)
    }
}
