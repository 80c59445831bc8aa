//! The examples whose endpoints are virtual machines: every command of their READMEs, in order.

use biplane_testkit::{Moto, TempDir};

use super::terminal::Terminal;

#[tokio::test]
async fn ec2_readme_is_true() {
    let directory = TempDir::new("example-ec2");
    let moto = Moto::start(&directory).await;
    let mut readme = Terminal::open("ec2", ("127.0.0.1:5000", moto.address()), directory);
    readme.passes("pip install");
    readme.passes("moto_server");
    readme.passes("export AWS_ENDPOINT_URL");
    readme.export("AWS_ENDPOINT_URL", &moto.url());
    readme.export("AWS_REGION", "us-east-1");
    readme.export("AWS_ACCESS_KEY_ID", "test");
    readme.export("AWS_SECRET_ACCESS_KEY", "test");
    readme.starts("python3 examples/upstream.py");
    readme.starts("python3 examples/upstream.py");
    readme.starts("biplane serve");
    readme.starts("biplane envoy bootstrap");
    readme.all_run().await;
    let (first, second) = (readme.upstream(0), readme.upstream(1));
    let one = readme.runs("sh examples/ec2/machine.sh run", 0).stdout.trim().to_owned();
    readme.shows("curl -i", &["200 OK", &first]).await;

    let two = readme.runs("sh examples/ec2/machine.sh run", 0).stdout.trim().to_owned();
    readme.shows("biplane get endpoints", &[&one, &two, "us-east-1", "healthy", "ec2"]).await;
    readme.replace("i-0123456789abcdef0", &one);
    readme.runs("sh examples/ec2/machine.sh end", 0);
    readme.shows("curl -i", &["200 OK", &second]).await;

    drop(moto);
    readme.shows("biplane check", &["ec2", "stays in use"]).await;
    readme.shows("biplane get endpoints", &[&readme.port(1), "failed"]).await;
    readme.shows("curl -i", &["200 OK", &second]).await;
    readme.is_done();
}
