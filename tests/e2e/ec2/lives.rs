//! What moto never says of a machine: failed status checks, the stages of an Auto Scaling group, IPv6.
//!
//! The link answers in its place, in the form that the references of the EC2 and the Auto Scaling API give. That form is
//! all that these tests know of AWS.

use anyhow::ensure;
use biplane_testkit::fault_proxy::{ALWAYS, Answer, Matcher};
use biplane_testkit::moto::Machine;
use biplane_testkit::upstream::Options;
use biplane_testkit::{Upstream, eventually};

use super::world::{PATIENCE, TAG, World, members};

/// A group's name; the link knows no other.
const GROUP: &str = "web-group";

/// From now on an action of the API has this answer.
fn answers(world: &World, action: &str, body: &str) {
    let matcher = Matcher::path("/").body(&format!("Action={action}&"));
    world.link.answer(matcher, Answer::status(200).header("content-type", "text/xml").body(body), ALWAYS);
}

/// `DescribeInstanceStatus`: the check of the machine's own, and that of its host.
fn statuses(machines: &[(&Machine, &str)]) -> String {
    let item = |(machine, check): &(&Machine, &str)| {
        format!(
            "<item><instanceId>{}</instanceId><availabilityZone>us-east-1a</availabilityZone>\
             <instanceState><code>16</code><name>running</name></instanceState>\
             <systemStatus><status>ok</status></systemStatus>\
             <instanceStatus><status>{check}</status></instanceStatus></item>",
            machine.id
        )
    };
    let items: String = machines.iter().map(item).collect();
    format!(
        "<DescribeInstanceStatusResponse><instanceStatusSet>{items}</instanceStatusSet></DescribeInstanceStatusResponse>"
    )
}

/// `DescribeAutoScalingGroups`: one group, and the stage that each member is in.
fn group(machines: &[(&Machine, &str)]) -> String {
    let member = |(machine, stage): &(&Machine, &str)| {
        format!(
            "<member><InstanceId>{}</InstanceId><AvailabilityZone>us-east-1a</AvailabilityZone>\
             <LifecycleState>{stage}</LifecycleState><HealthStatus>Healthy</HealthStatus></member>",
            machine.id
        )
    };
    let members: String = machines.iter().map(member).collect();
    format!(
        "<DescribeAutoScalingGroupsResponse><DescribeAutoScalingGroupsResult><AutoScalingGroups><member>\
         <AutoScalingGroupName>{GROUP}</AutoScalingGroupName><Instances>{members}</Instances>\
         </member></AutoScalingGroups></DescribeAutoScalingGroupsResult></DescribeAutoScalingGroupsResponse>"
    )
}

/// `DescribeInstances`: a machine with an address of IPv6 alone.
fn machine_of_ipv6(world: &World) -> String {
    format!(
        "<DescribeInstancesResponse><reservationSet><item><instancesSet><item><instanceId>i-0123456789abcdef0</instanceId>\
         <instanceState><code>16</code><name>running</name></instanceState>\
         <placement><availabilityZone>us-east-1a</availabilityZone></placement>\
         <networkInterfaceSet><item><ipv6AddressesSet><item><ipv6Address>::1</ipv6Address></item></ipv6AddressesSet>\
         </item></networkInterfaceSet><tagSet><item><key>{TAG}</key><value>{}</value></item></tagSet></item>\
         </instancesSet></item></reservationSet></DescribeInstancesResponse>",
        world.tag
    )
}

/// Waits until Envoy has exactly these endpoints, with their health.
async fn until_places(world: &World, wanted: &[(u8, &str)]) {
    let mut wanted: Vec<_> =
        wanted.iter().map(|(last, health)| format!("127.0.0.{last}:{} {health}", world.port)).collect();
    wanted.sort();
    eventually(&format!("{wanted:?}"), PATIENCE, async || {
        let found = members(&world.site).await?;
        ensure!(found.get("web") == Some(&wanted), "{found:?}");
        Ok(())
    })
    .await;
}

#[tokio::test]
async fn a_machine_whose_status_check_fails_gets_no_request_until_it_passes() {
    let world = World::start(&[("web", "")]).await;
    let _servers = [world.listen("one", 1), world.listen("two", 2)];
    let (first, second) = (world.run(1).await, world.run(2).await);
    until_places(&world, &[(1, "HEALTHY"), (2, "HEALTHY")]).await;
    let load = world.site.load();
    answers(&world, "DescribeInstanceStatus", &statuses(&[(&first, "ok"), (&second, "impaired")]));
    until_places(&world, &[(1, "HEALTHY")]).await;
    world.link.heal();
    until_places(&world, &[(1, "HEALTHY"), (2, "HEALTHY")]).await;
    // Nothing is known anew, so what was known stands.
    let unsure = [(&first, "insufficient-data"), (&second, "impaired")];
    answers(&world, "DescribeInstanceStatus", &statuses(&unsure));
    until_places(&world, &[(1, "HEALTHY")]).await;
    load.stop().assert_clean();
}

#[tokio::test]
async fn a_machine_serves_while_its_group_has_it_in_service_and_drains_when_it_is_to_go() {
    let world = World::start(&[("web", &format!(", autoScalingGroups: [{GROUP}]"))]).await;
    let _servers = [world.listen("one", 1), world.listen("two", 2)];
    let (first, second) = (world.run(1).await, world.run(2).await);
    let stages = |stage: &str| {
        answers(&world, "DescribeAutoScalingGroups", &group(&[(&first, "InService"), (&second, stage)]));
    };
    stages("Pending:Wait");
    until_places(&world, &[(1, "HEALTHY")]).await;
    let load = world.site.load();
    for (stage, places) in [
        ("InService", &[(1, "HEALTHY"), (2, "HEALTHY")][..]),
        ("EnteringStandby", &[(1, "HEALTHY"), (2, "DRAINING")]),
        ("Standby", &[(1, "HEALTHY")]),
        ("InService", &[(1, "HEALTHY"), (2, "HEALTHY")]),
        ("Terminating:Wait", &[(1, "HEALTHY"), (2, "DRAINING")]),
        ("Terminated", &[(1, "HEALTHY")]),
    ] {
        world.link.heal();
        stages(stage);
        until_places(&world, places).await;
    }
    load.stop().assert_clean();
}

#[tokio::test]
async fn a_machine_is_reached_by_its_ipv6_address_where_that_is_wanted() {
    let world = World::start(&[("web", ", ipv6: true, instanceStatus: false")]).await;
    let address = Some(([0, 0, 0, 0, 0, 0, 0, 1], world.port).into());
    let _six = Upstream::start_with("six", Options { address, ..Options::default() });
    answers(&world, "DescribeInstances", &machine_of_ipv6(&world));
    world.site.until_upstream("six").await;
}
