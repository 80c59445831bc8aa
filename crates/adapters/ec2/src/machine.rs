//! What EC2 and Auto Scaling say of a machine, as far as it matters here.
//!
//! Invariant: an entry that is not understood makes the answer nonsense; it is never skipped.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

use crate::xml::Element;

/// A virtual machine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Machine {
    pub(crate) state: State,
    pub(crate) private: Option<Ipv4Addr>,
    pub(crate) public: Option<Ipv4Addr>,
    pub(crate) ipv6: Option<Ipv6Addr>,
    pub(crate) zone: String,
    pub(crate) tags: BTreeMap<String, String>,
}

/// What becomes of it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    /// It is starting, or in a state that nobody knew when this was written.
    #[default]
    Starting,
    /// It runs.
    Running,
    /// It stops or has stopped, or is gone.
    Leaving,
}

/// What EC2's checks of a machine say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Passes,
    /// Or its checks have not run yet.
    Fails,
    /// There is not enough to tell.
    Unsure,
}

/// What an Auto Scaling group says of a machine in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Member {
    pub(crate) group: String,
    pub(crate) phase: Phase,
    /// Whether the group takes it for healthy.
    pub(crate) is_healthy: bool,
}

/// Where a machine stands in its group's life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It serves.
    InService,
    /// It is about to leave, and finishes what it has.
    Leaving,
    /// It does not serve yet, or not at present.
    Aside,
}

impl Machine {
    /// An `item` of an `instancesSet`, and its id.
    pub(crate) fn read(item: &Element) -> Option<(String, Self)> {
        let id = item.text("instanceId")?.to_owned();
        let state = item.child("instanceState")?.text("name")?;
        let tags = item.list("tagSet").map(|tag| {
            let value = tag.whole_text("value").unwrap_or_default();
            Some((tag.whole_text("key")?.to_owned(), value.to_owned()))
        });
        let machine = Self {
            state: State::read(state),
            private: address(item.text("privateIpAddress")).ok()?,
            public: address(item.text("ipAddress")).ok()?,
            ipv6: address(ipv6(item)).ok()?,
            zone: item.child("placement").and_then(|place| place.text("availabilityZone"))?.to_owned(),
            tags: tags.collect::<Option<_>>()?,
        };
        Some((id, machine))
    }
}

impl State {
    fn read(name: &str) -> Self {
        match name {
            "running" => Self::Running,
            "shutting-down" | "terminated" | "stopping" | "stopped" => Self::Leaving,
            _ => Self::Starting,
        }
    }
}

impl Verdict {
    /// An `item` of an `instanceStatusSet`, and its id.
    pub(crate) fn read(item: &Element) -> Option<(String, Self)> {
        let id = item.text("instanceId")?.to_owned();
        let status = |name| item.child(name).and_then(|status| status.text("status"));
        let own = [status("systemStatus")?, status("instanceStatus")?];
        let all = own.into_iter().chain(status("attachedEbsStatus"));
        let worst = all.map(Self::of).fold(Self::Passes, |worst, one| match (worst, one) {
            (Self::Fails, _) | (_, Self::Fails) => Self::Fails,
            (Self::Unsure, _) | (_, Self::Unsure) => Self::Unsure,
            (Self::Passes, Self::Passes) => Self::Passes,
        });
        Some((id, worst))
    }

    fn of(status: &str) -> Self {
        match status {
            "ok" | "not-applicable" => Self::Passes,
            "insufficient-data" => Self::Unsure,
            // impaired, initializing
            _ => Self::Fails,
        }
    }
}

impl Member {
    /// The members of an Auto Scaling group, by their ids.
    pub(crate) fn read_all(group: &Element) -> Option<Vec<(String, Self)>> {
        let name = group.text("AutoScalingGroupName")?;
        let members = group.list("Instances").map(|member| {
            let read = Self {
                group: name.to_owned(),
                phase: Phase::read(member.text("LifecycleState")?),
                is_healthy: member
                    .text("HealthStatus")
                    .is_none_or(|health| health.eq_ignore_ascii_case("healthy")),
            };
            Some((member.text("InstanceId")?.to_owned(), read))
        });
        members.collect()
    }
}

impl Phase {
    fn read(name: &str) -> Self {
        match name {
            "InService" => Self::InService,
            "EnteringStandby" | "Detaching" => Self::Leaving,
            terminating if terminating.starts_with("Terminating") => Self::Leaving,
            // Pending and Warmed with all that they have, Standby, Detached, Terminated, Quarantined
            _ => Self::Aside,
        }
    }
}

fn address<T: FromStr>(text: Option<&str>) -> Result<Option<T>, T::Err> {
    text.map(str::parse).transpose()
}

/// The machine's own address, else the first of its interfaces.
fn ipv6(item: &Element) -> Option<&str> {
    let mut interfaces =
        item.list("networkInterfaceSet").flat_map(|interface| interface.list("ipv6AddressesSet"));
    item.text("ipv6Address").or_else(|| interfaces.find_map(|address| address.text("ipv6Address")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn element(document: &str) -> Element {
        Element::parse(document).expect("a document")
    }

    #[test]
    fn a_machine_is_read_with_its_addresses_zone_and_tags() {
        let item = element(
            "<item><instanceId>i-1</instanceId><instanceState><code>16</code><name>running</name></instanceState>\
             <placement><availabilityZone>eu-west-1a</availabilityZone></placement><privateIpAddress>10.0.0.1</privateIpAddress>\
             <ipAddress>54.0.0.1</ipAddress><networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>fd00::1\
             </ipv6Address></item></ipv6AddressesSet></item></networkInterfaceSet><tagSet><item><key>Name</key>\
             <value>web</value></item><item><key>name</key><value/></item></tagSet></item>",
        );
        let expected = Machine {
            state: State::Running,
            private: Some(Ipv4Addr::new(10, 0, 0, 1)),
            public: Some(Ipv4Addr::new(54, 0, 0, 1)),
            ipv6: Some("fd00::1".parse().expect("an address")),
            zone: "eu-west-1a".to_owned(),
            tags: [("Name", "web"), ("name", "")]
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .into(),
        };
        assert_eq!(Machine::read(&item), Some(("i-1".to_owned(), expected)));
    }

    #[test]
    fn a_machine_that_is_not_understood_is_none() {
        let whole = "<item><instanceId>i-1</instanceId><instanceState><name>running</name></instanceState>\
                     <placement><availabilityZone>a</availabilityZone></placement></item>";
        assert!(Machine::read(&element(whole)).is_some());
        for part in
            ["<instanceId>i-1</instanceId>", "<name>running</name>", "<availabilityZone>a</availabilityZone>"]
        {
            assert_eq!(Machine::read(&element(&whole.replace(part, ""))), None, "without {part}");
        }
        let odd = whole.replace("</item>", "<privateIpAddress>ten</privateIpAddress></item>");
        assert_eq!(Machine::read(&element(&odd)), None);
    }

    #[test]
    fn checks_pass_only_if_all_do() {
        let read = |system: &str, own: &str| {
            let item = element(&format!(
                "<item><instanceId>i-1</instanceId><systemStatus><status>{system}</status></systemStatus>\
                 <instanceStatus><status>{own}</status></instanceStatus></item>"
            ));
            Verdict::read(&item).expect("it is whole").1
        };
        assert_eq!(read("ok", "ok"), Verdict::Passes);
        assert_eq!(read("ok", "initializing"), Verdict::Fails);
        assert_eq!(read("impaired", "insufficient-data"), Verdict::Fails);
        assert_eq!(read("insufficient-data", "ok"), Verdict::Unsure);
    }

    #[test]
    fn members_stand_where_their_group_says() {
        for (state, phase) in [
            ("InService", Phase::InService),
            ("Terminating", Phase::Leaving),
            ("Terminating:Wait", Phase::Leaving),
            ("EnteringStandby", Phase::Leaving),
            ("Standby", Phase::Aside),
            ("Pending:Proceed", Phase::Aside),
            ("Warmed:Running", Phase::Aside),
        ] {
            let group = element(&format!(
                "<member><AutoScalingGroupName>web</AutoScalingGroupName><Instances><member><InstanceId>i-1</InstanceId>\
                 <LifecycleState>{state}</LifecycleState><HealthStatus>Healthy</HealthStatus></member></Instances></member>"
            ));
            let expected = Member { group: "web".to_owned(), phase, is_healthy: true };
            assert_eq!(Member::read_all(&group), Some(vec![("i-1".to_owned(), expected)]));
        }
    }
}
