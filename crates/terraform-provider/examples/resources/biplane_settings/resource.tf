resource "biplane_settings" "example" {
  name      = "default"
  namespace = "default"
}
