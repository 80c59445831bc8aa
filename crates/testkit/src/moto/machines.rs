//! The hand that runs machines in moto. Their addresses are what it says, so that somebody may answer there.

use std::net::Ipv4Addr;

use anyhow::Result;

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
    /// Runs machines by one call, and says the first. moto's pages have such calls on them, not machines.
    pub async fn run(&self, launch: &Launch) -> Result<Machine> {
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
        let made = self.call("ec2", VERSION, &parameters).await?;
        Ok(Machine {
            id: element(&made, "instanceId")?,
            address: element(&made, "privateIpAddress")?.parse()?,
        })
    }

    /// Does something to a machine: `TerminateInstances`, `StopInstances`, `StartInstances`.
    pub async fn act(&self, action: &str, id: &str) -> Result<()> {
        self.call("ec2", VERSION, &[("Action", action), ("InstanceId.1", id)]).await.map(drop)
    }
}
