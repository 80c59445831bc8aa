resource "biplane_resource" "example" {
  document = <<-YAML
    kind: VirtualService
    metadata: { name: example, namespace: default }
    spec:
      virtualHost:
        domains: [example.com]
        routes:
        - matchers: [{ prefix: / }]
          directResponseAction: { status: 200, body: hello }
  YAML
}
