#!/bin/sh
# Machines of this example: "machine.sh run PORT" runs one, whose server listens on that port, and prints its id;
# "machine.sh end ID" ends it. It asks where AWS_ENDPOINT_URL says, with the keys in AWS_ACCESS_KEY_ID and
# AWS_SECRET_ACCESS_KEY.
set -eu

call() {
    curl -fsS --aws-sigv4 "aws:amz:$AWS_REGION:ec2" --user "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY" \
        -d Version=2016-11-15 "$@" "$AWS_ENDPOINT_URL"
}

case $1 in
run)
    call -d Action=RunInstances -d ImageId=ami-12c6146b -d MinCount=1 -d MaxCount=1 -d PrivateIpAddress=127.0.0.1 \
        -d TagSpecification.1.ResourceType=instance \
        -d TagSpecification.1.Tag.1.Key=App -d TagSpecification.1.Tag.1.Value=shop \
        -d TagSpecification.1.Tag.2.Key=port -d "TagSpecification.1.Tag.2.Value=$2" |
        sed -n 's/.*<instanceId>\([^<]*\)<.*/\1/p'
    ;;
end)
    call -d Action=TerminateInstances -d "InstanceId.1=$2" > /dev/null
    ;;
esac
